"""Which setting is recommended, and where none is: with the reason."""

from __future__ import annotations

import random
from functools import partial

from functions.alerts.backtest.files import Label
from functions.alerts.backtest.histories import judged
from functions.alerts.backtest.nearby import Nearby, nearby
from functions.alerts.backtest.shapes import nearby_shape
from functions.alerts.conditions.kinds import Change, Condition, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.spec import Policy

FIRST = 1_767_225_600


def days(drop: float = 1.0, count: int = 90) -> Series:
    rng = random.Random(7)
    values = [1_000 + rng.gauss(0, 15) for _ in range(count)]
    values[count // 2] *= drop
    begins = [FIRST + day * DAY for day in range(count)]
    return Series("dau", DAY, begins, values, begins[-1] + DAY)


def around(condition: Condition, series: Series, labels: tuple[Label, ...] = ()) -> Nearby:
    return nearby(condition, Policy(), series, partial(judged, series=series), labels=labels)


def test_what_never_fired_is_not_recommended() -> None:
    found = around(Change(direction="drop", percent=30), days(drop=0.6))
    assert found.trials[0].report.incidents
    assert found.chosen is not None
    assert found.chosen.report.incidents
    touchy = around(Threshold(below=985), days())
    assert touchy.chosen is None or touchy.chosen.report.incidents


def test_where_nothing_fires_nothing_is_recommended() -> None:
    found = around(Change(direction="drop", percent=90), days(), ())
    assert found.chosen is None
    assert found.why.startswith("Nothing to recommend: ")
    assert nearby_shape(found).chosen is None


def test_where_only_others_fire_nothing_is_recommended_either() -> None:
    found = around(Threshold(below=550), days(drop=0.6))
    assert any(trial.report.incidents for trial in found.trials)
    assert found.chosen is None
    assert found.why.startswith("Nothing to recommend: as it is, it would not have fired.")


def test_where_no_setting_finds_a_label_nothing_is_recommended() -> None:
    series = days(drop=0.5)
    found = around(Threshold(below=700), series, (Label(FIRST + 3 * DAY, FIRST + 4 * DAY),))
    assert found.trials[0].report.incidents
    assert found.chosen is None
    assert found.why.startswith("Nothing to recommend: no setting tried finds a labelled incident")


def test_too_short_a_time_recommends_nothing() -> None:
    values = [1.0] * 30 + [9.0, 9.0] + [1.0] * 30
    series = Series("short", HOUR, [FIRST + hour * HOUR for hour in range(62)], values, FIRST + 62 * HOUR)
    found = around(Threshold(above=5), series)
    assert found.chosen is None
    assert found.why == "Nothing to recommend: too short a time to tell one setting from another."
