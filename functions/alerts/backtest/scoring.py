"""Incidents against labels: precision, recall, F1 and delay, as the issue of alerts defines them. Pure.

A label is found if any incident overlaps it; an incident is right if it overlaps any label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from functions.alerts.backtest.files import Label


class Span(NamedTuple):
    """Both ends included, in epoch seconds."""

    begin: int
    to: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares from 0 to 1. `median_delay` is in seconds from a label's start to its first overlap; None: none found."""

    precision: float
    recall: float
    f1: float
    median_delay: float | None
    found: int
    labels: int


def score(incidents: Sequence[Span], labels: Sequence[Label]) -> Scores | None:
    """The scores of incidents in order of time that do not overlap each other; None without labels."""
    if not labels:
        return None
    ends = [incident.to for incident in incidents]
    delays: list[int] = []
    right: set[int] = set()
    for label in labels:
        first = bisect_left(ends, label.begin)
        last = first
        while last < len(incidents) and incidents[last].begin <= label.to:
            last += 1
        right.update(range(first, last))
        if last > first:
            delays.append(max(0, incidents[first].begin - label.begin))
    precision = len(right) / len(incidents) if incidents else 0.0
    recall = len(delays) / len(labels)
    both = precision + recall
    return Scores(
        precision,
        recall,
        2 * precision * recall / both if both else 0.0,
        median(delays) if delays else None,
        len(delays),
        len(labels),
    )


def meets(span: Span, labels: Sequence[Label]) -> bool:
    """Whether a span overlaps any label."""
    return any(label.begin <= span.to and span.begin <= label.to for label in labels)
