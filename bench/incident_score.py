"""Firing buckets to incidents, and incidents held to labels: the same arithmetic for our detection, baselines and rivals. Pure.

Firing buckets no further apart than six hours, or two buckets where those are longer, are
one incident. A label is found if any incident overlaps it; an incident is right if it
overlaps any label; delay is the first overlap less the label's start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

NEAR = 6 * 3600

Stretch = tuple[int, int]
"""First and last instant, both inclusive."""


@dataclass(slots=True)
class Score:
    """Counts over any number of series. `sizes` has found and all labels by a size that the caller gives."""

    incidents: int = 0
    right: int = 0
    excused: int = 0
    labels: int = 0
    found: int = 0
    delays: list[int] = field(default_factory=list)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def precision(self) -> float:
        """Right incidents of all; 0 without any."""
        return self.right / self.incidents if self.incidents else 0.0

    @property
    def precision_excused(self) -> float:
        """The same without the incidents that only met an excuse, such as a holiday."""
        counted = self.incidents - self.excused
        return self.right / counted if counted else 0.0

    @property
    def recall(self) -> float:
        """Labels found of all."""
        return self.found / self.labels if self.labels else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def add(
        self,
        incidents: Sequence[Stretch],
        labels: Sequence[Stretch],
        excuses: Sequence[Stretch] = (),
        sizes: Sequence[int] = (),
    ) -> None:
        """Count one series. `sizes` are its labels', in their order."""
        self.incidents += len(incidents)
        for incident in incidents:
            is_right = any(_overlap(incident, label) for label in labels)
            self.right += is_right
            self.excused += not is_right and any(_overlap(incident, excuse) for excuse in excuses)
        for number, label in enumerate(labels):
            begins = [max(incident[0], label[0]) for incident in incidents if _overlap(incident, label)]
            self.labels += 1
            self.found += bool(begins)
            self.delays += [min(begins) - label[0]] if begins else []
            if sizes:
                found, every = self.sizes.get(sizes[number], (0, 0))
                self.sizes[sizes[number]] = (found + bool(begins), every + 1)

    def told(self) -> str:
        """Precision, recall, F1 and median delay in words."""
        delay = f", median delay {median(self.delays) / 3600:.1f} h" if self.delays else ""
        return (
            f"precision {self.precision:.2f}, recall {self.recall:.2f}, F1 {self.f1:.2f}{delay}; "
            f"{self.incidents:,} incidents, {self.found:,} of {self.labels:,} labels"
        )


def incidents(begins: Iterable[int], firing: Iterable[bool], grain: int) -> list[Stretch]:
    """The incidents of buckets that fire."""
    near = max(NEAR, 2 * grain)
    found: list[Stretch] = []
    for begin, fires in zip(begins, firing, strict=True):
        if not fires:
            continue
        if found and begin - found[-1][1] <= near:
            found[-1] = (found[-1][0], begin)
        else:
            found.append((begin, begin))
    return found


def _overlap(one: Stretch, other: Stretch) -> bool:
    return one[0] <= other[1] and one[1] >= other[0]
