"""Late is not low: healthy series while ingestion is six hours behind, judged after every sync. False alarms must be 0.

Events happen by a seeded Poisson process with the shape of a day and a week, and arrive
late by a minute or, a few, by an hour. A sync every 30 minutes sees what has arrived by
then, and writes values and facts as `functions/sync` does: what has not moved stays as it
was written. The days after the delay are judged too, for that is when its gaps close.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench.figures import Row, counted, spread
from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.series import completing
from hedgerow import days
from hedgerow.completeness import SHARES
from hedgerow.models import Connection, SyncProgress

if TYPE_CHECKING:
    from bench.sizes import Sizes

    Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

NAME = "late_data"
SEED = 20261121
ZONE = "UTC"
BEGIN = datetime(2026, 8, 31, tzinfo=UTC)
WEEKS = 10
DELAYED_AT = datetime(2026, 11, 4, 13, 20, tzinfo=UTC)
DELAY = 6 * HOUR
LASTS = 12 * HOUR
SYNCS = [DELAYED_AT + timedelta(hours=-2, minutes=30 * number) for number in range(2 * 38)]
KEPT_APART = 9 * DAY
"""Before the delay, events are known one by one; earlier hours are counts that are all there."""

Arriving = Callable[["Numbers", "Numbers", "np.random.Generator"], "Numbers"]


def _on_time(at: Numbers, late: Numbers, rng: np.random.Generator) -> Numbers:
    return at + late


def _stands_still(at: Numbers, late: Numbers, rng: np.random.Generator) -> Numbers:
    """Nothing comes for six hours, then all of it at once."""
    begin = DELAYED_AT.timestamp()
    inside = (at + late >= begin) & (at + late < begin + DELAY)
    return np.where(inside, begin + DELAY, at + late)


def _is_behind(at: Numbers, late: Numbers, rng: np.random.Generator) -> Numbers:
    """A queue six hours long for half a day, worked off within three hours."""
    begin = DELAYED_AT.timestamp()
    behind = np.interp(at, [begin - 1, begin, begin + LASTS, begin + LASTS + 3 * HOUR], [0, DELAY, DELAY, 0])
    return at + late + behind


def _out_of_order(at: Numbers, late: Numbers, rng: np.random.Generator) -> Numbers:
    """Every event of half a day comes six hours late, and those after it at once."""
    return at + late + DELAY * _delayed(at)


def _half(at: Numbers, late: Numbers, rng: np.random.Generator) -> Numbers:
    """Every other event of half a day comes six hours late, the others as ever."""
    return at + late + DELAY * (_delayed(at) & (rng.random(at.size) < 0.5))


def _delayed(at: Numbers) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    begin = DELAYED_AT.timestamp()
    return (at >= begin) & (at < begin + LASTS)


DELAYS: dict[str, Arriving] = {
    "it stands still for six hours": _stands_still,
    "it is six hours behind for twelve": _is_behind,
    "twelve hours of events come six hours late": _out_of_order,
}


@dataclass(frozen=True)
class Project:
    """A healthy project: events an hour while they are counts only, then one by one, with when each arrived."""

    counts: dict[int, float]
    at: Numbers
    arrived_at: Numbers


@dataclass
class Stored:
    """What the syncs have written: value and time of asking by begin of the bucket."""

    hours: dict[int, tuple[float, datetime]] = field(default_factory=dict)
    days: dict[int, tuple[float, datetime]] = field(default_factory=dict)


@dataclass
class Alarms:
    """Buckets of which a condition said that they fire, with and without knowing how complete they are."""

    knowing: set[tuple[int, int, str, int]] = field(default_factory=set)
    unknowing: set[tuple[int, int, str, int]] = field(default_factory=set)


def measure(sizes: Sizes) -> list[Row]:
    """False alarms of three delays; of one that nobody can see while it lasts; and of none, for comparison."""
    number = 8 if sizes.full else 2
    calm = _alarms(_on_time, number)
    alarms = {name: _alarms(arriving, number) for name, arriving in DELAYS.items()}
    half = _alarms(_half, number)
    counts = [len(found.knowing - calm.knowing) for found in alarms.values()]
    told = "; ".join(f"{name}: {len(found.unknowing - calm.unknowing)}" for name, found in alarms.items())
    what = f"false alarms by a 6-hour ingestion delay, {number} healthy projects by hour and by day, 3 conditions"
    return [
        counted(NAME, what, counts, limit=0, note=f"the most of three delays; judged as if complete: {told}"),
        Row(
            NAME,
            "the same, every other event six hours late",
            spread([len(half.knowing - calm.knowing)]),
            note=f"nobody can know while it lasts; judged as if complete: {len(half.unknowing - calm.unknowing)}",
        ),
        Row(NAME, "the same without any delay: what the conditions say of chance", spread([len(calm.knowing)])),
    ]


def _alarms(arriving: Arriving, number: int) -> Alarms:
    alarms = Alarms()
    for seed in range(number):
        rng = np.random.default_rng((SEED, seed))
        project = _project(rng, arriving)
        stored = Stored()
        for now in SYNCS:
            connection = _synced(project, stored, now)
            for seconds, points in ((HOUR, stored.hours), (DAY, stored.days)):
                knowing = _series(project, connection, points, seconds, now)
                for condition in _conditions(project, seconds):
                    for series, fired in (
                        (knowing, alarms.knowing),
                        (_believing(knowing), alarms.unknowing),
                    ):
                        verdict = judging.judge(condition, series)
                        if verdict.state == "firing":
                            fired.add((seed, seconds, condition.kind, verdict.bucket or 0))
    return alarms


def _project(rng: np.random.Generator, arriving: Arriving) -> Project:
    """Between some sixty and some thousand events an hour at the quietest; the shape of a day and a week is its own."""
    quiet = 60 * 2 ** rng.uniform(0, 4)
    hours = np.arange(int(BEGIN.timestamp()), int(BEGIN.timestamp()) + WEEKS * 7 * DAY, HOUR)
    clock, weekday = hours // HOUR % 24, hours // DAY % 7
    rhythm = 1 + rng.uniform(1, 4) * (1 + np.cos((clock - rng.uniform(12, 16)) / 24 * 2 * np.pi)) / 2
    week = np.append(rng.uniform(0.9, 1.1, 5), rng.uniform(0.6, 1, 2))
    counts = rng.poisson(quiet * rhythm * week[weekday])
    apart = int(DELAYED_AT.timestamp()) - KEPT_APART
    at = np.repeat(hours.astype(np.float64), counts) + rng.random(int(counts.sum())) * HOUR
    at = np.sort(at[at >= apart // HOUR * HOUR])
    late = rng.exponential(np.where(rng.random(at.size) < 0.98, 20.0, 900.0))
    known = {int(hour): float(count) for hour, count in zip(hours, counts, strict=True)}
    return Project(known, at, arriving(at, late, rng))


def _synced(project: Project, stored: Stored, now: datetime) -> Connection:
    """Write what a sync sees now; the connection as it leaves it."""
    until, today = now.timestamp(), days.today(now, ZONE)
    here = project.arrived_at <= until
    at, arrived_at = project.at[here], project.arrived_at[here]
    lately = at >= until - 7 * DAY
    late = np.quantile((arrived_at - at)[lately], SHARES)
    begins = [_epoch(days.begins(today - timedelta(days=age), ZONE)) for age in range(3, -2, -1)]
    if not stored.hours:
        _remember(project, stored, begins[0])
    recent = at[at >= begins[0]]
    for begin in range(begins[0], int(until) + 1, HOUR):
        value = float(np.searchsorted(recent, begin + HOUR) - np.searchsorted(recent, begin))
        _write(stored.hours, begin, begin + HOUR, value, now)
    for begin, end in pairwise(begins):
        value = float(np.searchsorted(recent, end) - np.searchsorted(recent, begin))
        _write(stored.days, begin, end, value, now)
    progress = SyncProgress(
        last_success_at=now,
        last_success_day=today,
        newest_event_at=datetime.fromtimestamp(float(at.max()), UTC),
        asked_at=now,
        arrivals=tuple(float(seconds) for seconds in late),
    )
    return _connection(progress)


def _remember(project: Project, stored: Stored, before: int) -> None:
    """The weeks before the first sync that is lived through."""
    for hour, count in project.counts.items():
        if hour >= before:
            continue
        day = _epoch(days.begins(days.today(datetime.fromtimestamp(hour, UTC), ZONE), ZONE))
        asked = datetime.fromtimestamp(before, UTC)
        stored.hours[hour] = count, asked
        stored.days[day] = stored.days.get(day, (0.0, asked))[0] + count, asked
    del stored.days[min(stored.days)]  # Of that day only a part was counted.


def _write(points: dict[int, tuple[float, datetime]], begin: int, end: int, value: float, now: datetime) -> None:
    """As the sync does: a point is written where it moved, and once after its bucket closed."""
    held = points.get(begin)
    closes = now.timestamp() >= end and (held is None or held[1].timestamp() < end)
    if held is None or held[0] != value or closes:
        points[begin] = value, now


def _series(
    project: Project, connection: Connection, points: Mapping[int, tuple[float, datetime]], seconds: int, now: datetime
) -> Series:
    begins = sorted(points)
    arrived: list[float] = []
    for begin in begins:
        asked = points[begin][1]
        if begin < now.timestamp() - 6 * DAY:
            arrived.append(1.0)
        elif seconds == HOUR:
            arrived.append(completing.of_hour(connection, begin, asked))
        else:
            day = days.today(datetime.fromtimestamp(begin, UTC), ZONE)
            arrived.append(completing.of_day(connection, "event:x", day, asked, ZONE))
    values = [points[begin][0] for begin in begins]
    return Series("x", seconds, begins, values, int(now.timestamp()), arrived=arrived, zone=ZONE)


def _believing(series: Series) -> Series:
    """The same, taking every bucket that is over for complete."""
    return Series(series.name, series.seconds, series.begins, series.values, series.until, zone=series.zone)


def _conditions(project: Project, seconds: int) -> tuple[Condition, ...]:
    least = min(project.counts.values()) * (1 if seconds == HOUR else 24)
    return Anomaly(), Change(direction="drop", percent=50), Threshold(below=least * 0.7)


def _connection(progress: SyncProgress) -> Connection:
    return Connection(
        id="con_bench",
        tenant_id="ten_bench",
        name="Bench",
        host="https://us.posthog.com",
        state="connected",
        state_since=BEGIN,
        tier="scale",
        timezone=ZONE,
        created_at=BEGIN,
        progress=progress,
    )


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
