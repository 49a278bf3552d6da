"""What is known of one plain series: its buckets by value of the breakdown, and where nothing means zero. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from functions.alerts.series.sources import Source
from hedgerow.measures import MOST_VALUES

MOST_READ = 200
"""Values of a breakdown at once: the tops of a window change, and a property may have any number."""

_NEVER = 2**62


class Bucket(NamedTuple):
    """A value and the share of it that had arrived, 0 to 1."""

    value: float
    arrived: float


Buckets = Mapping[int, Bucket]
"""By the epoch second each begins at."""


@dataclass(frozen=True)
class Held:
    """The buckets of a source, by value; by None where there is no breakdown.

    `is_filled`: zeros are written out from the first bucket on, and what is not there is not known.
    """

    source: Source
    by_value: Mapping[str | None, Buckets]
    is_filled: bool = False

    def values(self) -> list[str | None]:
        """The values, at most `MOST_READ`: the newest, and as many of the largest, which may have ended before those came."""

        def weight(value: str | None) -> float:
            return sum(abs(bucket.value) for bucket in self.by_value[value].values())

        largest = sorted(self.by_value, key=weight, reverse=True)
        newest = sorted(largest, key=lambda value: max(self.by_value[value], default=0), reverse=True)
        if len(newest) <= MOST_READ:
            return newest
        return list(dict.fromkeys([*newest[: MOST_READ // 2], *largest]))[:MOST_READ]

    def begins(self) -> set[int]:
        """Every bucket that was measured for any value."""
        return set(self._seen)

    def first(self, value: str | None) -> int:
        """Where the series begins: of a breakdown with the first bucket in which the value occurred, before which it was not there."""
        buckets = self.by_value.get(value, {})
        counts = self.source.has_values and self.source.is_additive and not self.is_filled
        return min((begin for begin, bucket in buckets.items() if bucket.value or not counts), default=_NEVER)

    def at(self, value: str | None, begin: int) -> Bucket | None:
        """The bucket; None where it is not known.

        Of a breakdown only the most frequent values are measured. A value missing from a
        bucket in which fewer were seen did not occur; in a full one nobody knows.
        """
        found = self.by_value.get(value, {}).get(begin)
        if found is not None or self.is_filled or not self.source.has_values or not self.source.is_additive:
            return found
        seen = self._seen.get(begin, 0)
        return Bucket(0.0, self._arrived[begin]) if 0 < seen < MOST_VALUES else None

    def filled(self, value: str | None) -> dict[int, Bucket]:
        """Every bucket of a value that is known, from the first on."""
        first = self.first(value)
        known = {begin: bucket for begin, bucket in self.by_value.get(value, {}).items() if begin >= first}
        for begin in self._seen.keys() - known.keys():
            zero = self.at(value, begin) if begin > first else None
            if zero is not None:
                known[begin] = zero
        return known

    @cached_property
    def _seen(self) -> Counter[int]:
        return Counter(begin for buckets in self.by_value.values() for begin in buckets)

    @cached_property
    def _arrived(self) -> dict[int, float]:
        least: dict[int, float] = {}
        for buckets in self.by_value.values():
            for begin, bucket in buckets.items():
                least[begin] = min(bucket.arrived, least.get(begin, 1.0))
        return least
