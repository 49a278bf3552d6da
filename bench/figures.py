"""The arithmetic of a measurement: samples to a spread, a spread to a ratio, a row to a verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Unit = Literal["", "ms", "s", "/s", "MB"]
Verdict = Literal["met", "MISSED", "reported", "NOT MEASURED"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the lowest and the highest."""

    middle: float
    lowest: float
    highest: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Must:
    """What was promised: at most `limit` (or at least), of the figure itself or of its ratio to the floor."""

    limit: float
    of: Literal["figure", "ratio"]
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Without `figure` nothing was measured, and `note` says why."""

    bench: str
    what: str
    figure: Spread | None
    unit: Unit = ""
    floor: Spread | None = None
    ratio: Spread | None = None
    must: Must | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Kept, broken, only told, or not known."""
        if self.figure is None:
            return "NOT MEASURED"
        if self.must is None:
            return "reported"
        held = self.ratio if self.must.of == "ratio" else self.figure
        if held is None:
            return "NOT MEASURED"
        kept = held.middle >= self.must.limit if self.must.at_least else held.middle <= self.must.limit
        return "met" if kept else "MISSED"


def spread(samples: Sequence[float]) -> Spread:
    """The spread of at least one sample."""
    return Spread(median(samples), min(samples), max(samples), len(samples))


def ratio(figures: Sequence[float], floors: Sequence[float]) -> Spread:
    """Median over median; lowest and highest are those of the single rounds, each with its own floor."""
    singles = [figure / floor for figure, floor in zip(figures, floors, strict=True)]
    return Spread(median(figures) / median(floors), min(singles), max(singles), len(singles))


def compared(
    bench: str,
    what: str,
    figures: Sequence[float],
    floors: Sequence[float],
    *,
    limit: float | None,
    note: str = "",
    unit: Unit = "ms",
) -> Row:
    """A row of times, held to its ratio to the floor; both in seconds, round by round."""
    scale = 1000 if unit == "ms" else 1
    return Row(
        bench,
        what,
        spread([second * scale for second in figures]),
        unit,
        spread([second * scale for second in floors]),
        ratio(figures, floors),
        Must(limit, "ratio") if limit is not None else None,
        note,
    )


def rated(
    bench: str, what: str, figures: Sequence[float], floors: Sequence[float], *, least: float | None, note: str = ""
) -> Row:
    """A row of rates, in whatever a second, held to at least a part of their floor, round by round."""
    return Row(
        bench,
        what,
        spread(figures),
        "/s",
        spread(floors),
        ratio(figures, floors),
        Must(least, "ratio", at_least=True) if least is not None else None,
        note,
    )


def counted(bench: str, what: str, counts: Sequence[int], *, limit: int, note: str = "") -> Row:
    """A row of counts, held to the largest of them: a promise about every sync is not kept by most."""
    most = max(counts)
    return Row(bench, what, Spread(most, min(counts), most, len(counts)), must=Must(limit, "figure"), note=note)


def unmeasured(bench: str, what: str, reason: str, must: Must | None = None) -> Row:
    """A row that says loudly that there is no figure."""
    return Row(bench, what, None, must=must, note=f"not measured: {reason}")
