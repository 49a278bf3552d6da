"""How well anomalies are found: on 1,000 generated series, and on the real labelled ones, beside baselines and rivals.

One parameter set for all of it: `Anomaly()`. The rivals are the library under PostHog's
detectors, each as documented by default, on the values and on their first differences (as
PostHog does), fitted to the whole series, its future included. Told beside them, not held
against: the same with contamination set to what turned out best here.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.alert_generator import SEEDS, Generated, generate
from bench.children import ROOT
from bench.figures import Must, Row, spread, unmeasured
from bench.incident_score import Score, Stretch, incidents
from bench.sizes import Sizes
from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import Anomaly, Change
from functions.alerts.conditions.series import DAY, HOUR, Series

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

NAME = "detection"
FOLDER = ROOT.parent / "shared/data/anomalies"
COUNT = 1_000
MUST = 0.9

Firing = Callable[[Series], Sequence[bool]]


def measure(sizes: Sizes, folder: Path = FOLDER) -> list[Row]:
    """Generated first, then real."""
    return [*_generated(COUNT if sizes.full else COUNT // 10), *_real(folder)]


def ours(series: Series) -> Sequence[bool]:
    """The anomaly condition as it is without any setting."""
    return _list(judging.judge_history(Anomaly(), series).firing)


def beyond_first_weeks(series: Series) -> Sequence[bool]:
    """A fixed threshold: half as much again as the most, or half the least, of the first four weeks."""
    first = [
        value for begin, value in zip(series.begins, series.values, strict=True) if begin < series.begins[0] + 28 * DAY
    ]
    high, low = 1.5 * max(first), 0.5 * min(first)
    known = len(first)
    return [place >= known and not low <= value <= high for place, value in enumerate(series.values)]


def three_sigma(series: Series) -> Sequence[bool]:
    """Further than three standard deviations from the mean of the four weeks before."""
    import numpy as np

    values = np.asarray(series.values, dtype=np.float64)
    window = 28 * DAY // series.seconds
    firing = [False] * len(values)
    for place in range(window // 2, len(values)):
        past = values[max(0, place - window) : place]
        firing[place] = bool(abs(values[place] - past.mean()) > 3 * past.std())
    return firing


def percent_change(series: Series) -> Sequence[bool]:
    """30 % more or less than the same weekday (and hour) a week before."""
    return _list(judging.judge_history(Change(percent=30), series).firing)


BASELINES: dict[str, Firing] = {
    "a fixed threshold": beyond_first_weeks,
    "3 sigma": three_sigma,
    "30 % change": percent_change,
}


def _generated(count: int) -> list[Row]:
    built = [generate(SEEDS + number) for number in range(count)]
    own = _scored(built, lambda one: ours(one.series))
    by_size = ", ".join(f"{size}–{size + 1} MAD {found}/{every}" for size, (found, every) in sorted(own.sizes.items()))
    must = Must(MUST, "figure", at_least=True)
    rows = [
        Row(
            NAME,
            f"precision, {count:,} generated series",
            spread([own.precision]),
            must=must,
            note=f"{own.told()}; {own.precision_excused:.2f} without {own.excused} incidents on healthy holidays",
        ),
        Row(NAME, f"recall, {count:,} generated series", spread([own.recall]), must=must, note=by_size),
    ]
    others: list[tuple[str, Score]] = [("whoever knows the truth, at 5 standard deviations", _scored(built, _knowing))]
    others += [(name, _scored(built, lambda one, by=by: by(one.series))) for name, by in BASELINES.items()]  # type: ignore[misc]
    for grain, word in ((DAY, "daily"), (HOUR, "hourly")):
        part = _scored([one for one in built if one.series.seconds == grain], lambda one: ours(one.series))
        others.append((f"ours, {word}", part))
    return rows + [Row(NAME, f"F1, generated: {name}", spread([score.f1]), note=score.told()) for name, score in others]


def _scored(built: Sequence[Generated], firing: Callable[[Generated], Sequence[bool]]) -> Score:
    score = Score()
    for one in built:
        labels = [(planted.begin, planted.end) for planted in one.planted]
        found = incidents(one.series.begins, firing(one), one.series.seconds)
        score.add(found, labels, one.holidays, [int(planted.mads) for planted in one.planted])
    return score


def _knowing(one: Generated) -> Sequence[bool]:
    """What mean and noise, known for certain, can tell: sums of the last few buckets, noise taken as independent."""
    import numpy as np

    off = (np.asarray(one.series.values) - np.asarray(one.usual)) / np.asarray(one.noise)
    firing = np.zeros(len(off), dtype=bool)
    for steps in (1, 3, 7) if one.series.seconds == DAY else (1, 4, 12):
        firing |= np.abs(np.convolve(off, np.ones(steps))[: len(off)]) > 5 * np.sqrt(steps)
    return _list(firing)


def _real(folder: Path) -> list[Row]:
    what = "F1, real labelled series"
    if not (folder / "labels.json").is_file():
        return [unmeasured(NAME, what, f"the labelled series are not in {folder.name}, beside the project")]
    real = read(folder)
    own = _of(real, ours)
    try:
        rivals = {name: _of(real, firing) for name, firing in _rivals().items()}
    except ModuleNotFoundError:
        return [unmeasured(NAME, what, "pyod is not installed; it is in requirements-bench.txt")]
    held = max(score.f1 for name, score in rivals.items() if "hindsight" not in name)
    rows = [
        Row(
            NAME,
            f"{what}: ours",
            spread([own.f1]),
            floor=spread([held]),
            must=Must(round(held, 3), "figure", at_least=True),
            note=own.told(),
        )
    ]
    others = {**{name: _of(real, firing) for name, firing in BASELINES.items()}, **rivals}
    return rows + [
        Row(NAME, f"{what}: {name}", spread([score.f1]), note=score.told()) for name, score in others.items()
    ]


def read(folder: Path) -> list[tuple[Series, list[Stretch]]]:
    """The series of the folder with their labels. Times without a zone are UTC."""
    named = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    found: list[tuple[Series, list[Stretch]]] = []
    for name, windows in sorted(named.items()):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            points = {_instant(row["timestamp"]): float(row["value"]) for row in csv.DictReader(file)}
        begins = sorted(points)
        grain = int(median(after - before for before, after in pairwise(begins)))
        series = Series(name, grain, begins, [points[begin] for begin in begins], begins[-1] + grain, unit="number")
        found.append((series, [(_instant(begin), _instant(end)) for begin, end in windows]))
    return found


def _of(real: Sequence[tuple[Series, list[Stretch]]], firing: Firing) -> Score:
    score = Score()
    for series, labels in real:
        score.add(incidents(series.begins, firing(series), series.seconds), labels)
    return score


def _rivals() -> dict[str, Firing]:
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest
    from pyod.models.mad import MAD

    made: dict[str, Callable[[], object]] = {
        "pyod MAD": MAD,
        "pyod ECOD": ECOD,
        "pyod isolation forest": lambda: IForest(random_state=1),
        "pyod MAD, hindsight (threshold 10)": lambda: MAD(threshold=10),
        "pyod ECOD, hindsight (contamination 0.001)": lambda: ECOD(contamination=0.001),
        "pyod isolation forest, hindsight (contamination 0.001)": lambda: IForest(contamination=0.001, random_state=1),
    }
    ways = (("", False), (", first differences", True))
    return {name + way: _fitted(make, is_diff=is_diff) for name, make in made.items() for way, is_diff in ways}


def _fitted(make: Callable[[], object], *, is_diff: bool) -> Firing:
    def firing(series: Series) -> Sequence[bool]:
        import numpy as np

        values = np.asarray(series.values, dtype=np.float64)
        column = (np.diff(values, prepend=values[0]) if is_diff else values).reshape(-1, 1)
        model = make()
        model.fit(column)  # type: ignore[attr-defined]
        return _list(np.asarray(model.labels_) > 0)  # type: ignore[attr-defined]

    return firing


def _list(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[bool]:
    return [bool(flag) for flag in flags]


def _instant(text: str) -> int:
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


if __name__ == "__main__":
    for row in _real(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(row.what, row.figure, row.note)
