"""What conditions take: numbers that arithmetic can be done with, and none beyond."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.alerts.conditions.kinds import Anomaly, Condition

CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)
ENDLESS = 1e121


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "threshold", "above": ENDLESS},
        {"kind": "threshold", "below": -ENDLESS},
        {"kind": "change", "percent": 1e308},
        {"kind": "change", "percent": 100_001},
        {"kind": "change", "percent": 5e-324},
        {"kind": "change", "absolute": ENDLESS},
        {"kind": "change", "absolute": 5e-324},
        {"kind": "change", "minimum": ENDLESS},
        {"kind": "anomaly", "sensitivity": 5e-324},
        {"kind": "anomaly", "sensitivity": 0.49},
        {"kind": "anomaly", "sensitivity": 51},
        {"kind": "anomaly", "minimum": ENDLESS},
    ],
)
def test_a_number_beyond_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CONDITION.validate_python(settings)


def test_the_bounds_themselves_are_taken() -> None:
    assert [Anomaly(sensitivity=each).sensitivity for each in (0, 0.5, 50)] == [0, 0.5, 50]
