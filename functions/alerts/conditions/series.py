"""A series as conditions see it, and the verdict they give. Pure values, no behaviour that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["count", "seconds", "percent", "number"]
VerdictState = Literal["firing", "not_firing", "waiting", "errored"]

DAY = 86_400
HOUR = 3_600


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Series:
    """One number over time, as far as it is known.

    `begins` are the buckets' beginnings in epoch seconds, ascending; a bucket that is not
    there has no point, and no value is NaN. `seconds` is the grain (86,400 a local day,
    which a change of clocks makes an hour longer or shorter; 3,600 an hour; else a file's
    median step). `arrived` is the share of each bucket's data that had arrived when it was
    measured, 0 to 1; None: all of it. `until` is the instant of judging in epoch seconds.
    """

    name: str
    seconds: int
    begins: Sequence[int]
    values: Sequence[float]
    until: int
    arrived: Sequence[float] | None = None
    zone: str = "UTC"
    unit: Unit = "count"
    value: str | None = None
    """Of a breakdown: the property's value this series is of."""
    silent: Sequence[int] = ()
    """Beginnings of buckets that were measured but hold too little to speak, such as a ratio
    below its minimum: they have no point, and are not missing either."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says of the newest bucket it may judge.

    `waiting`: the data is not complete enough to say; nothing changes. `errored`: it cannot
    be judged (too short, unusable). `recovered` is for an open incident: past the recovery
    threshold, not merely below the firing one. `sentence` is one sentence with numbers for
    people; `reason` a word for programs, such as `below_threshold`. `low` and `high` are the
    expected band, `score` how far outside it in its own units, `sureness` 0 to 1.
    """

    state: VerdictState
    reason: str
    sentence: str
    bucket: int | None = None
    observed: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    sureness: float = 1.0
    recovered: bool = False
    is_incomplete: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
