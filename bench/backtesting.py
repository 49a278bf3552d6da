"""Back-tests of two years of hourly points: one rule of each kind, and the fifty settings around an anomaly rule."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bench.figures import Must, Row, spread
from bench.sizes import Sizes
from functions.alerts.backtest.nearby import MOST_SETTINGS
from functions.alerts.backtest.trying import Tried, tried
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NoData, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.spec import Policy

NAME = "backtesting"
HOURS = 2 * 365 * 24
FIRST = 1_704_067_200
ONE, FIFTY = 1.0, 5.0
CONDITIONS: tuple[Condition, ...] = (
    Anomaly(),
    Change(),
    Change(percent=30),
    Threshold(above=160, below=40),
    Threshold(),
    NoData(),
)


def measure(sizes: Sizes) -> list[Row]:
    """Seconds for a whole report with its forecast; the same with fifty settings tried."""
    series = _two_years()
    # What is imported on the first call belongs to `starts`, not here.
    tried(Anomaly(), Policy(), _two_years(24 * 90))
    rows = [_row(_named(each), ONE, sizes, partial(tried, each, Policy(), series)) for each in CONDITIONS]
    for each in (Anomaly(), Change(percent=30), Threshold(above=160, below=40)):
        work = partial(tried, each, Policy(), series, settings=MOST_SETTINGS)
        if work().nearby is not None:
            rows.append(_row(f"{MOST_SETTINGS} settings around {_named(each)}", FIFTY, sizes, work))
    return rows


def _row(what: str, limit: float, sizes: Sizes, work: Callable[[], Tried]) -> Row:
    seconds = []
    for _ in range(sizes.rounds):
        began = time.perf_counter()
        told = work()
        seconds.append(time.perf_counter() - began)
    tried_settings = len(told.nearby.trials) if told.nearby is not None else 1
    note = f"{HOURS:,} points, {len(told.report.incidents)} incidents, {tried_settings} tried"
    return Row(
        NAME, f"back-test of two years of hours, {what}", spread(seconds), "s", must=Must(limit, "figure"), note=note
    )


def _named(condition: Condition) -> str:
    said = condition.model_dump(exclude={"kind"}, exclude_defaults=True)
    return " ".join([condition.kind, *(f"{name}={value:g}" for name, value in said.items())])


def _two_years(hours: int = HOURS) -> Series:
    """Weekdays and hours of the day, noise, a few drops and spikes; always the same."""
    import numpy as np

    random = np.random.default_rng(5)
    at = np.arange(hours)
    usual = 100 + 30 * np.sin(at * 2 * np.pi / 24) + 10 * (at // 24 % 7 < 5)
    values = usual + random.normal(0, 5, hours)
    for begin in range(2_000, hours, 2_000):
        values[begin : begin + 6] *= 0.3 if begin % 4_000 else 2.2
    begins = [FIRST + int(hour) * HOUR for hour in at]
    return Series("two years", HOUR, begins, values.tolist(), begins[-1] + DAY)
