"""What a back-test finds: the incidents that would have been, and how they meet the labels. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from functions.alerts.backtest.files import Label
from functions.alerts.backtest.scoring import Scores
from functions.alerts.conditions.kinds import Condition
from functions.alerts.conditions.series import HOUR, Unit
from functions.alerts.spec import Policy

# An incident that is open more often than this is the usual state of things.
STUCK = 0.25


@dataclass(frozen=True, slots=True)
class PastIncident:
    """One incident that would have been. Instants are in epoch seconds and begin buckets, but for `told_at`.

    `since` is the first firing bucket, `begin` the one whose verdict opened it, `to` the last
    in which it was open, `told_at` the end of `begin`, when it could be told at the earliest.
    `peak` is the number farthest outside of what is expected, in the bucket that begins at
    `peak_at`; `score` the greatest of the condition's own.
    """

    since: int
    begin: int
    to: int
    told_at: int
    peak: float | None
    peak_at: int
    score: float | None
    reason: str
    sentence: str
    buckets: int
    is_open: bool
    is_doubtful: bool = False
    """Brief and barely out of the ordinary: a guess, where nobody says what was false."""


@dataclass(frozen=True, slots=True)
class Report:
    """A rule tried on a series from `begin` to `to`, the beginnings of the first and last bucket tried.

    `buckets` were tried (of `no_data` those without a point too); `judged` of them could be
    judged, the others were warm-up or not over.
    """

    name: str
    value: str | None
    unit: Unit
    zone: str
    grain: int
    begin: int
    to: int
    buckets: int
    judged: int
    condition: Condition
    policy: Policy
    incidents: tuple[PastIncident, ...]
    labels: Scores | None = None
    right: frozenset[int] = frozenset()
    """Begins of the incidents that meet a label."""
    why_not: str = ""
    """A sentence of the condition's, where it could judge nothing at all."""
    scored: tuple[Label, ...] = ()
    """The labels that count: those of which some part could be judged."""
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> int:
        """How long was tried."""
        return self.to + self.grain - self.begin

    @property
    def hours_firing(self) -> float:
        """How long incidents would have been open, in hours."""
        return sum(each.to + self.grain - each.begin for each in self.incidents) / HOUR

    @property
    def share_firing(self) -> float:
        """Of the time tried, 0 to 1."""
        return min(1.0, self.hours_firing * HOUR / self.seconds) if self.seconds > 0 else 0.0

    @property
    def is_stuck(self) -> bool:
        """Whether it fires so much of the time that nobody would heed it."""
        return self.share_firing > STUCK
