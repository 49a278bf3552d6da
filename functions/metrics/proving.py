"""Comparing what is stored with what was counted again: which days can be compared, and what differs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pydantic import BaseModel

from functions.metrics.recount import CHECKED, Counted
from functions.metrics.series import Points, ZoneSpan
from functions.metrics.window import Window
from hedgerow import days
from hedgerow.months import Value

# Durations are kept to a millionth of a second and added up in another order here.
TOLERANCE_SECONDS = 0.00001


class ProofDay(BaseModel):
    """One point that differs. `stored` null: nothing is stored where it should be."""

    date: str
    metric: str
    stored: Value | None
    counted: Value
    difference: Value
    complete: bool


class LeftOut(BaseModel):
    """A day that was not compared."""

    date: str
    why: Literal["not_synced_yet", "other_zone"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison said; a code where it is not a plain yes."""

    equal: bool = False
    compared: int = 0
    days: list[ProofDay] = field(default_factory=list)
    code: str | None = None
    detail: str | None = None
    hint: str | None = None


NOTHING_STORED = Outcome(
    code="nothing_stored",
    detail="Nothing is stored for these days: there is nothing to compare.",
    hint="Sync first: `hedgerow sync`, or POST /v1/connections/{id}/refresh; then prove.",
)


def comparable(
    window: Window, zone: str, stored: Mapping[str, Points], zones: Sequence[ZoneSpan]
) -> tuple[list[date], list[LeftOut]]:
    """The days that can be compared: from the first that was ever synced, cut in the project's present zone."""
    synced = sorted({point[0] for name in CHECKED for point in stored.get(name, ())})
    others = {day for span in zones if span.zone != zone for day in days.span(span.first, span.last)}
    can: list[date] = []
    left_out: list[LeftOut] = []
    for day in days.span(window.first, window.last):
        if not synced or str(day) < synced[0]:
            left_out.append(LeftOut(date=str(day), why="not_synced_yet"))
        elif day in others:
            left_out.append(LeftOut(date=str(day), why="other_zone"))
        else:
            can.append(day)
    return can, left_out


def compare(can: Sequence[date], checked: Sequence[str], stored: Mapping[str, Points], counted: Counted) -> Outcome:
    """Every checked metric on every day. A fixed metric must be stored; an event's series may begin late or end."""
    differ: list[ProofDay] = []
    compared = 0
    held = {name: {day: (value, complete) for day, value, complete in points} for name, points in stored.items()}
    for day in can:
        for name in checked:
            point = held.get(name, {}).get(str(day))
            if point is None and name not in CHECKED:
                continue
            compared += 1
            count = counted.value(name, day)
            value, complete = point or (None, False)
            if value is None or not _is_same(name, value, count):
                differ.append(_differing(name, day, value, count, complete=complete))
    return _judged(compared, differ, counted)


def _judged(compared: int, differ: list[ProofDay], counted: Counted) -> Outcome:
    if not differ:
        return Outcome(equal=True, compared=compared)
    days_off = len({each.date for each in differ})
    detail = f"{len(differ)} of {compared} points on {days_off} days are not what PostHog counts now."
    if any(counted.doubles.get(date.fromisoformat(each.date)) for each in differ):
        return Outcome(
            compared=compared,
            days=differ,
            code="duplicates",
            detail=f"{detail} PostHog holds {sum(counted.doubles.values())} events of these days more than once and has not merged them yet.",
            hint="PostHog merges resent events by itself; refresh these days tomorrow, then prove again.",
        )
    return Outcome(
        compared=compared,
        days=differ,
        code="different",
        detail=detail,
        hint="Events that came in, or persons that merged, after the last sync look like this: refresh these days with "
        "POST /v1/connections/{id}/refresh, then prove again. If it stays, the sync was answered wrongly.",
    )


def _is_same(name: str, stored: Value, count: Value) -> bool:
    if name == "posthog_session_duration":
        return abs(stored - count) <= TOLERANCE_SECONDS
    return stored == count


def _differing(name: str, day: date, stored: Value | None, count: Value, *, complete: bool) -> ProofDay:
    difference = round((stored or 0) - count, 6)
    return ProofDay(date=str(day), metric=name, stored=stored, counted=count, difference=difference, complete=complete)
