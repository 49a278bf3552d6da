"""Which firings are doubtful: brief, and barely out of the ordinary by the condition's own score. Pure, and a guess.

Brief alone says nothing, as a day's drop is one bucket of a daily rule; barely outside alone
neither, as what lasts is worth knowing of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from functions.alerts.backtest.histories import Judged
from functions.alerts.conditions.kinds import Anomaly, Change, NoData

# What ends by itself so soon was hardly anything, unless it was far outside.
BRIEF_BUCKETS = 2
# So many times the score at which it fires is far outside of what the series itself says is usual.
BEYOND = 1.25
# A score so many spreads from those of all buckets is out of the ordinary, and so is one so much farther from
# their median than most of them stay: of normal noise either is three standard deviations. So it is judged by
# the series, wherever a person put the number.
SPREADS, BY_MAD = 3.0, 1.4826
FARTHER, MOST = 1.8, 0.95


@dataclass(frozen=True, slots=True)
class Ordinary:
    """From which score on a firing is beyond doubt."""

    least: float

    @classmethod
    def of(cls, history: Judged) -> Self:
        """By the scores of all judged buckets, and by the bar where the series itself sets it."""
        import numpy as np

        known = np.asarray([score for place in history.places if (score := history.scores[place]) is not None])
        if not len(known):
            return cls(0.0)
        middle, most = (float(each) for each in np.quantile(known, [0.5, MOST]))
        spread = BY_MAD * float(np.median(np.abs(known - middle)))
        # Where scores hardly ever differ, any that does is out of the ordinary.
        rare = middle + min(SPREADS * spread, FARTHER * (most - middle)) if spread else 0.0
        return cls(max(rare, BEYOND * _bar(history)))

    def doubts(self, scores: Sequence[float | None], buckets: int) -> bool:
        """Whether firing buckets with these scores, in an incident so long, are doubtful."""
        return buckets <= BRIEF_BUCKETS and all(score is not None and abs(score) < self.least for score in scores)


def _bar(history: Judged) -> float:
    """The score at which it fires, where that was learnt from the series; 0 where a person set it."""
    match history.condition:
        case Anomaly() as condition:
            from functions.alerts.conditions.anomaly import SENSITIVITY

            return condition.sensitivity or SENSITIVITY
        case Change(percent=None, absolute=None):
            return 1.0
        case NoData() as condition:
            return float(condition.buckets)
        case _:
            return 0.0
