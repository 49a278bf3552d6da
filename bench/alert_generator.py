"""Product metrics that never were, one for each seed, with what was planted in them; written before the detector.

Half are daily (120–365 days), half hourly (35–90 days). Each has a level between ten and a
million a bucket, a weekday shape (hourly: and one of the hours, other at weekends), perhaps a
trend, and noise that is Poisson at least: overdispersed by 1–12 %, correlated from bucket to
bucket in a third of the series, with heavier tails in a tenth. A quarter has gaps.

Two fifths are healthy, two fifths have one anomaly, a fifth two: drops, spikes and lasting
level shifts. Their size is 3–10 MAD of the noise at that hour, evenly; a MAD is 0.67 standard
deviations. One bucket of 3 MAD is noise to whoever knows the truth, too, so a small anomaly
lasts: size × √buckets is at least `SEEN` MADs, which is seven standard deviations of an average
over it. Beyond that, lengths are spread evenly over the logarithm; `LASTS` has the longest. A
level shift is labelled for `SHIFT_LABELLED` buckets; then the new level is the usual one.

One series in sixteen has one or two holidays: dips of 10–65 % over a whole day, at the hours
of hourly series too. They are healthy and NOT labelled. No series tells by itself that a dip
is a holiday, so each deep one costs every detector precision; `holidays` names them, so that
the score can also be told without them. What was planted is never near the first buckets
(`FIRST`), nor in a gap. `usual` and `noise` are the truth, mean and standard deviation: the
benchmark asks of them how much could be told by somebody who knew everything but the labels.

Seeds below 1,000 are for building. The benchmark takes those from `SEEDS` on, and nobody
looks at them while building.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from functions.alerts.conditions.series import DAY, HOUR, Series

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

Kind = Literal["drop", "spike", "shift"]

SEEDS = 20_000
MONDAY = 1_735_516_800
"""2024-12-30, 00:00 UTC."""
SEEN = 10.5
FIRST = {DAY: 42, HOUR: 21 * 24}
LASTS: dict[int, dict[Kind, int]] = {DAY: {"drop": 14, "spike": 13}, HOUR: {"drop": 36, "spike": 18}}
"""The longest of each kind, in buckets."""
SHIFT_LABELLED = {DAY: 10, HOUR: 48}
MAD = 0.6745


@dataclass(frozen=True, slots=True)
class Planted:
    """One anomaly: its first and last bucket's begin, what it is, and its size in MADs of the noise."""

    begin: int
    end: int
    kind: Kind
    mads: float


@dataclass(frozen=True, slots=True)
class Generated:
    """A series, what was planted in it, the healthy holidays as first and last bucket's begin; the truth by bucket."""

    series: Series
    planted: tuple[Planted, ...]
    holidays: tuple[tuple[int, int], ...]
    usual: tuple[float, ...]
    noise: tuple[float, ...]


def generate(seed: int) -> Generated:
    """The series of a seed, always the same."""
    import numpy as np

    rng = np.random.default_rng(seed)
    grain = DAY if rng.random() < 0.5 else HOUR
    count = int(rng.integers(120, 366)) if grain == DAY else int(rng.integers(35, 91)) * 24
    first = MONDAY + int(rng.integers(0, 300)) * DAY
    begins = first + grain * np.arange(count, dtype=np.int64)
    mean = _usual(rng, begins, grain)
    over = float(rng.uniform(0.01, 0.12))
    usual = mean.copy()
    planted: list[Planted] = []
    taken = np.zeros(count, dtype=bool)
    taken[: FIRST[grain]] = True
    taken[-4:] = True
    holidays = _holidays(rng, mean, begins, taken, grain)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
        one = _plant(rng, mean, usual, begins, taken, grain, over)
        if one:
            planted.append(one)
    values = _noisy(rng, mean, over)
    kept = _kept(rng, count, taken)
    series = Series(
        name=f"generated {seed}",
        seconds=grain,
        begins=[int(begin) for begin in begins[kept]],
        values=[float(value) for value in values[kept]],
        until=int(begins[-1]) + grain,
    )
    noise = np.sqrt(usual + (over * usual) ** 2)
    return Generated(
        series,
        tuple(sorted(planted, key=lambda one: one.begin)),
        holidays,
        tuple(float(one) for one in usual[kept]),
        tuple(float(one) for one in noise[kept]),
    )


def _usual(rng: np.random.Generator, begins: np.ndarray[tuple[int], np.dtype[np.int64]], grain: int) -> Floats:
    """What is usual in each bucket: level × weekday × hour × trend."""
    import numpy as np

    level = 10 ** rng.uniform(1, 6)
    weekdays = (begins // DAY + 3) % 7
    shape = rng.normal(1, 0.05, 7).clip(0.8, 1.2)
    shape[5:] *= rng.choice([rng.uniform(0.25, 0.9), rng.uniform(0.95, 1.5)])
    mean: Floats = level * shape[weekdays]
    if grain == HOUR:
        hours = (begins % DAY) // HOUR
        around = np.arange(24) * 2 * math.pi / 24
        swing, second, turn = rng.uniform(0.2, 1.2), rng.uniform(0, 0.35), rng.uniform(0, 2 * math.pi)
        day = np.exp(swing * np.cos(around - turn) + second * np.cos(2 * around - rng.uniform(0, 6)))
        free = np.exp(0.7 * swing * np.cos(around - turn - rng.uniform(0, 0.6)))
        mean = mean * np.where(weekdays >= 5, (free / free.mean())[hours], (day / day.mean())[hours])
    along = np.arange(len(begins)) / len(begins)
    match rng.integers(0, 5):
        case 0:
            mean = mean * np.exp(rng.uniform(-0.7, 1.1) * along)
        case 1:
            mean = mean * (1 + rng.uniform(-0.5, 1.0) * along)
        case 2:
            mean = mean * (1 + rng.uniform(0.05, 0.25) * np.sin(2 * math.pi * along * rng.uniform(0.3, 1.5)))
        case _:
            pass
    return mean


def _holidays(
    rng: np.random.Generator,
    mean: Floats,
    begins: np.ndarray[tuple[int], np.dtype[np.int64]],
    taken: np.ndarray[tuple[int], np.dtype[np.bool_]],
    grain: int,
) -> tuple[tuple[int, int], ...]:
    a_day = DAY // grain
    days: list[tuple[int, int]] = []
    if rng.random() < 1 / 16:
        for _ in range(int(rng.integers(1, 3))):
            at = int(rng.integers(FIRST[grain] // a_day, len(mean) // a_day - 4)) * a_day
            if taken[at : at + a_day].any():
                continue
            mean[at : at + a_day] *= rng.uniform(0.35, 0.9)
            taken[max(0, at - 2 * a_day) : at + 3 * a_day] = True
            days.append((int(begins[at]), int(begins[at + a_day - 1])))
    return tuple(sorted(days))


def _plant(
    rng: np.random.Generator,
    mean: Floats,
    usual: Floats,
    begins: np.ndarray[tuple[int], np.dtype[np.int64]],
    taken: np.ndarray[tuple[int], np.dtype[np.bool_]],
    grain: int,
    over: float,
) -> Planted | None:
    """Change `mean`, and after a shift's label `usual`, where there is room for it; None when no room was found."""
    import numpy as np

    kind: Kind = ("drop", "spike", "shift")[int(rng.choice(3, p=[0.45, 0.35, 0.2]))]
    mads = float(rng.uniform(3, 10))
    if kind == "shift":
        length, apart = SHIFT_LABELLED[grain], SHIFT_LABELLED[grain] + 18
    else:
        least = math.ceil((SEEN / mads) ** 2)
        length = math.floor(math.exp(rng.uniform(math.log(least), math.log(LASTS[grain][kind] + 1))))
        apart = length + 7 * (1 if grain == DAY else 6)
    for _ in range(40):
        at = int(rng.integers(FIRST[grain], len(mean) - length - 4))
        if taken[at : at + apart].any():
            continue
        until = len(mean) if kind == "shift" else at + length
        size = mads * MAD * np.sqrt(mean[at:until] + (over * mean[at:until]) ** 2) / mean[at:until]
        if kind == "shift":
            size = np.full(until - at, float(np.median(size[: 7 * DAY // grain])))
        falls = kind == "drop" or (kind == "shift" and rng.random() < 0.5)
        if falls and size.max() > 0.97:
            continue
        factor = 1 - size if falls else 1 + size
        mean[at:until] *= factor
        usual[at + length : until] *= factor[length:]
        taken[max(0, at - 7) : at + apart] = True
        return Planted(int(begins[at]), int(begins[at + length - 1]), kind, mads)
    return None


def _noisy(rng: np.random.Generator, mean: Floats, over: float) -> Floats:
    """Whole counts around the mean: Poisson of a level that itself varies by the share `over`."""
    import numpy as np

    shocks = rng.standard_t(8, len(mean)) / math.sqrt(4 / 3) if rng.random() < 0.1 else rng.normal(0, 1, len(mean))
    if rng.random() < 1 / 3:
        kept = rng.uniform(0.1, 0.5)
        for at in range(1, len(shocks)):
            shocks[at] = kept * shocks[at - 1] + math.sqrt(1 - kept**2) * shocks[at]
    varied = np.maximum(mean * (1 + over * shocks), 0.0)
    counts: Floats = rng.poisson(varied).astype(np.float64)
    return counts


def _kept(
    rng: np.random.Generator, count: int, taken: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which buckets have a point: gaps lie anywhere, the first buckets too, but not where something was planted."""
    import numpy as np

    kept = np.ones(count, dtype=bool)
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            at, length = int(rng.integers(0, count - 8)), int(rng.integers(1, 8))
            planted = taken[at : at + length].any() and at > count // 4
            if not planted:
                kept[at : at + length] = False
    return kept
