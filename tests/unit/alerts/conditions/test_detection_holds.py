from __future__ import annotations

import pytest

from bench.alert_generator import generate
from bench.detection import ours
from bench.incident_score import Score, incidents
from functions.alerts.conditions.series import DAY, HOUR

BUILT = [generate(seed) for seed in range(700, 820)]


@pytest.mark.parametrize("grain", [DAY, HOUR])
def test_what_was_planted_is_found_without_crying_wolf(grain: int) -> None:
    score = Score()
    for one in BUILT:
        if one.series.seconds == grain:
            labels = [(planted.begin, planted.end) for planted in one.planted]
            score.add(incidents(one.series.begins, ours(one.series), grain), labels, one.holidays)
    assert score.recall > 0.75, score.told()
    assert score.precision_excused > 0.75, score.told()
