"""What was delivered against what arrived, by name and hour of the events' own time, and what explains the rest. Pure.

Hours inside the span are compared both ways. An hour outside it, which events of the span
carry because they came late, only shows whether PostHog has fewer: others may have been
accepted at another time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.capture.outbox.arrivals import MOST_NAMES, NOT_EVENTS, Arrived
from functions.capture.outbox.spans import Span
from hedgerow.counting_up import HOUR, Hour
from hedgerow.tallies import OTHER_NAMES

MOST_OTHER_HOURS = 500
ByOwnHour = Counter[tuple[str, datetime]]
_PERSONLESS = frozenset(["$identify", "$create_alias", "$merge_dangerously", "$groupidentify"])
_FOLDED = "Names beyond a bound are counted together, at the hour of acceptance and not at their own."


@dataclass(frozen=True, slots=True)
class Difference:
    """A name and hour where PostHog does not hold what was delivered. `why`: what explains it, likeliest first."""

    name: str
    hour: datetime
    delivered: int
    arrived: int
    waiting: int
    is_explained: bool
    why: tuple[str, ...]

    @property
    def difference(self) -> int:
        """Arrived minus delivered."""
        return self.arrived - self.delivered


@dataclass(slots=True)
class Delivered:
    """What the counts say, by name and own hour; names beyond the bound are folded."""

    delivered: ByOwnHour = field(default_factory=Counter)
    waiting: ByOwnHour = field(default_factory=Counter)
    fresh: ByOwnHour = field(default_factory=Counter)
    names: frozenset[str] = frozenset()
    others: tuple[datetime, ...] = ()
    left_out: int = 0
    """Delivered events that PostHog does not keep among events, or whose hours were too many to ask for."""


def delivered(hours: Iterable[Hour], span: Span, fresh: ByOwnHour, fresh_since: datetime) -> Delivered:
    """Shift the counts to the events' own hours. `hours` may reach beyond the span, for events that came late."""
    counts = Delivered()
    raw, waits, new = ByOwnHour(), ByOwnHour(), ByOwnHour(fresh)
    late: Counter[datetime] = Counter()
    for hour in hours:
        is_inside = span.begin <= hour.at < span.end
        for (name, shift), sums in hour.rows.items():
            own = _own(hour.at, shift)
            if name in NOT_EVENTS or own is None:
                counts.left_out += sums.delivered if is_inside else 0
                continue
            if not (is_inside or span.begin <= own < span.end):
                continue
            raw[name, own] += sums.delivered
            waits[name, own] += sums.pending + sums.held + sums.dead
            if hour.at + HOUR > fresh_since:
                new[name, own] += sums.delivered
            if not span.begin <= own < span.end:
                late[own] += sums.delivered
    counts.others = tuple(sorted(own for own, number in late.most_common(MOST_OTHER_HOURS) if number > 0))
    total: Counter[str] = Counter()
    for (name, _), number in raw.items():
        total[name] += number
    counts.names = frozenset(name for name, _ in total.most_common(MOST_NAMES) if name != OTHER_NAMES)
    asked = set(counts.others)
    for source, target in ((raw, counts.delivered), (waits, counts.waiting), (new, counts.fresh)):
        for (name, own), number in source.items():
            if span.begin <= own < span.end or own in asked:
                target[name if name in counts.names else OTHER_NAMES, own] += number
            elif source is raw:
                counts.left_out += number
    return counts


def compare(counts: Delivered, arrived: Arrived, span: Span) -> list[Difference]:
    """Where the two differ, the largest first."""
    found: list[Difference] = []
    for key in {*counts.delivered, *arrived}:
        name, hour = key
        here, there = counts.delivered[key], arrived.get(key, 0)
        is_inside = span.begin <= hour < span.end
        if here == there or (there > here and not is_inside):
            continue
        waiting, fresh = counts.waiting[key], counts.fresh[key]
        is_explained, why = _short(name, here - there, fresh) if there < here else _over(name, there - here, waiting)
        found.append(Difference(name, hour, here, there, waiting, is_explained, why))
    return sorted(found, key=lambda each: (each.is_explained, -abs(each.difference), each.hour, each.name))


def _short(name: str, missing: int, fresh: int) -> tuple[bool, tuple[str, ...]]:
    """PostHog holds fewer than it took."""
    if missing <= fresh:
        return True, (
            "Delivered a moment ago, or in an hour that is not over: PostHog shows events a little later. Ask again then.",
        )
    why: list[str] = []
    if fresh:
        why.append(
            f"{fresh} were delivered a moment ago, or in an hour that is not over, and PostHog shows events a little later."
        )
    if name == OTHER_NAMES:
        return True, (*why, _FOLDED)
    if name in _PERSONLESS:
        why.append(
            f"PostHog takes {name} and discards it when the event says `$process_person_profile: false`; "
            "its ingestion warnings tell."
        )
        return True, tuple(why)
    if name == "$exception" or name.startswith(("survey ", "$ai_")):
        why.append(f"{name} has a quota of its own at PostHog, which takes what is over it and drops it.")
    why.append(
        "PostHog took them and does not hold them: over its billing limit, dropped by a transformation or a filter, "
        "over 1 MB, or the same uuid sent twice across a restart of Hedgerow. See the project's ingestion warnings and billing."
    )
    return False, tuple(why)


def _over(name: str, more: int, waiting: int) -> tuple[bool, tuple[str, ...]]:
    """PostHog holds more than was delivered."""
    why: list[str] = []
    if waiting:
        why.append(
            f"{waiting} of this name and hour are still in the outbox: PostHog may have taken {min(waiting, more)} of them "
            "without its answer reaching us. They are sent again, and PostHog keeps each once."
        )
    if more > waiting:
        why.append("Sent to PostHog past Hedgerow, by another SDK or an import.")
        why.append(
            "Or their counts were lost with a killed instance: what was delivered at once leaves nothing to book."
        )
    if name == OTHER_NAMES:
        why.append(_FOLDED)
    return True, tuple(why)


def _own(hour: datetime, shift: int) -> datetime | None:
    try:
        return hour + timedelta(hours=shift)
    except OverflowError:
        return None
