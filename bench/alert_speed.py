"""How many evaluations a second: threshold, change and anomaly one by one, anomaly of many series together.

Series of 90 days with a weekday shape and noise, all different. One process, one core. Together, the
sentences are not put together: they are when a verdict is looked at, which for most nobody does.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from bench.figures import Must, Row, spread
from bench.sizes import Sizes
from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, Threshold
from functions.alerts.conditions.series import DAY, Series, Verdict

NAME = "alert_speed"
EVALUATIONS = 100_000
DAYS = 90
DIFFERENT = 2_000
WEEKDAYS = (1.0, 1.05, 1.04, 1.02, 0.95, 0.6, 0.55)


def measure(sizes: Sizes) -> list[Row]:
    """A row each, with the evaluations that fired beside it."""
    evaluations = EVALUATIONS if sizes.full else EVALUATIONS // 20
    different = [_series(seed) for seed in range(DIFFERENT)]
    many = [different[number % DIFFERENT] for number in range(evaluations)]
    rounds = min(sizes.rounds, 3)
    rows: list[Row] = []
    for what, condition, together, least in (
        ("threshold", Threshold(above=1_500, below=100), False, 50_000),
        ("change against the same weekday", Change(percent=40), False, 50_000),
        ("anomaly, one by one", Anomaly(), False, 30_000),
        ("anomaly, all together", Anomaly(), True, 120_000),
    ):
        work = _together if together else _one_by_one
        timed = [_rate(work, condition, many) for _ in range(rounds + 1)][1:]
        rates, fired = [rate for rate, _ in timed], timed[0][1]
        must = Must(least, "figure", at_least=True)
        note = f"{evaluations:,} evaluations of {DAYS}-day series, {fired:,} fired"
        rows.append(Row(NAME, f"evaluations a second: {what}", spread(rates), "/s", must=must, note=note))
    return rows


def _rate(
    work: Callable[[Condition, Sequence[Series]], Sequence[Verdict]], condition: Condition, many: Sequence[Series]
) -> tuple[float, int]:
    began = time.perf_counter()
    verdicts = work(condition, many)
    took = time.perf_counter() - began
    return len(many) / took, sum(verdict.state == "firing" for verdict in verdicts)


def _one_by_one(condition: Condition, many: Sequence[Series]) -> list[Verdict]:
    return [judging.judge(condition, series) for series in many]


def _together(condition: Condition, many: Sequence[Series]) -> Sequence[Verdict]:
    return judging.judge_many(condition, many)


def _series(seed: int) -> Series:
    draw = random.Random(seed)
    level = draw.uniform(200, 1_000)
    begins = [1_735_689_600 + day * DAY for day in range(DAYS)]
    values = [float(round(level * WEEKDAYS[day % 7] * draw.gauss(1, 0.05))) for day in range(DAYS)]
    return Series(f"series {seed}", DAY, begins, values, begins[-1] + DAY)
