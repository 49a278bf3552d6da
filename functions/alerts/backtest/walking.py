"""A policy walked over a judged history: which incidents would have opened and ended. Pure.

Says what `incidents.machine` would, were each bucket judged once, at its end, and again
whenever a tick falls due; a test holds the two equal. It keeps no records, which is why it
walks fifty settings in the time of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from functions.alerts.spec import Policy


class Stretch(NamedTuple):
    """One incident, by places in the history.

    `since` is the first firing bucket, `opened` the one whose verdict opened it, `last` the
    last judged one in which it was open; `opened_at` is the instant of opening.
    """

    since: int
    opened: int
    last: int
    opened_at: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """What was said of the buckets that could be judged, oldest first. `places` are theirs in the history."""

    places: Sequence[int]
    begins: Sequence[int]
    ends: Sequence[int]
    firing: Sequence[bool]
    recovered: Sequence[bool]

    def __len__(self) -> int:
        return len(self.places)


@dataclass(slots=True)
class _Standing:
    """Where the walk is. Numbers are of marks; `runs` has the begin of the unbroken firing each mark is in."""

    runs: list[int] = field(default_factory=list)
    firing: deque[int] = field(default_factory=deque)
    fresh_from: int = 0
    recovered: int = 0
    since: int = 0
    opened: int | None = None
    opened_at: int = 0
    ended_at: int | None = None


def walk(policy: Policy, marks: Marks, begin: int = 0) -> list[Stretch]:
    """The incidents, oldest first; marks before the instant `begin` count for N of M and open nothing."""
    found: list[Stretch] = []
    here = _Standing()
    for number in range(len(marks)):
        fires = marks.firing[number]
        here.runs.append((here.runs[-1] if number and here.runs[-1] >= 0 else number) if fires else -1)
        if here.opened is not None:
            _while_open(policy, marks, number, here, found)
            continue
        if not fires:
            continue
        here.firing.append(number)
        if marks.begins[number] >= begin:
            _while_quiet(policy, marks, number, here)
    if here.opened is not None:
        found.append(_stretch(marks, here, len(marks) - 1, is_open=True))
    return found


def _while_open(policy: Policy, marks: Marks, number: int, here: _Standing, found: list[Stretch]) -> None:
    here.recovered = here.recovered + 1 if marks.recovered[number] else 0
    if here.recovered < policy.recover_after:
        return
    found.append(_stretch(marks, here, number - 1, is_open=False))
    # What fired belongs to the incident that is over.
    here.firing.clear()
    here.fresh_from = number
    here.ended_at = marks.ends[number]
    here.opened = None


def _while_quiet(policy: Policy, marks: Marks, number: int, here: _Standing) -> None:
    while here.firing[0] <= number - policy.out_of:
        here.firing.popleft()
    if len(here.firing) < policy.fire_after:
        return
    since = here.firing[0]
    before = number - policy.out_of
    if before >= here.fresh_from and here.runs[before] >= 0:
        since = here.runs[before]
    at = marks.ends[number]
    if at - marks.begins[since] < policy.minimum_minutes * 60:
        return
    if here.ended_at is not None and (free := here.ended_at + policy.cooldown_minutes * 60) > at:
        # A tick opens it once the cool-down is over, unless the next bucket has its say before.
        if number + 1 == len(marks) or free >= marks.ends[number + 1]:
            return
        at = free
    here.since, here.opened, here.opened_at, here.recovered = since, number, at, 0


def _stretch(marks: Marks, here: _Standing, last: int, *, is_open: bool) -> Stretch:
    opened = here.opened if here.opened is not None else last
    places = marks.places
    return Stretch(places[here.since], places[opened], places[last], here.opened_at, is_open)
