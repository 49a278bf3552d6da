"""`--condition` and `--set` in words: typed, with unknown keys named and the known ones listed."""

from __future__ import annotations

import pytest

from functions.alerts.backtest.wishes import KINDS, wished
from functions.alerts.conditions.kinds import Anomaly, Change, Threshold
from functions.alerts.spec import Policy
from hedgerow.errors import InvalidError


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_without_settings(kind: str) -> None:
    condition, policy = wished(kind, [])
    assert condition.kind == kind
    assert policy == Policy()


def test_settings_are_typed() -> None:
    assert wished("threshold", ["above=12.5", " below = -1 ", "inside=true"])[0] == Threshold(
        above=12.5, below=-1, inside=True
    )
    assert wished("change", ["percent=30", "absolute=none", "direction=drop"])[0] == Change(
        percent=30, direction="drop"
    )
    assert wished("anomaly", ["sensitivity=4", "out_of=5", "fire_after=3"]) == (
        Anomaly(sensitivity=4),
        Policy(fire_after=3, out_of=5),
    )


def test_n_alone_is_n_of_n() -> None:
    assert wished("anomaly", ["fire_after=3"])[1] == Policy(fire_after=3, out_of=3)


@pytest.mark.parametrize(
    ("kind", "pairs", "said"),
    [
        ("trend", [], "'trend' is no kind of condition."),
        ("anomaly", ["sensitivty=4"], "anomaly has no setting 'sensitivty'. Did you mean sensitivity?"),
        ("anomaly", ["above=4"], "anomaly has no setting 'above'."),
        ("anomaly", ["kind=threshold"], "anomaly has no setting 'kind'."),
        ("anomaly", ["sensitivity"], "--set 'sensitivity' is no key=value."),
        ("anomaly", ["sensitivity=4", "sensitivity=5"], "--set names sensitivity twice."),
        ("anomaly", ["sensitivity=nan"], "--set sensitivity=nan: Input should be a finite number."),
        ("no_data", ["buckets=2.5"], "--set buckets=2.5: Input should be a valid integer"),
        ("threshold", ["above=1", "below=2"], "contradicts itself: `above` must be more than `below`."),
        ("anomaly", ["fire_after=4", "out_of=2"], "asks for more firing verdicts"),
    ],
)
def test_what_cannot_be_set_is_refused(kind: str, pairs: list[str], said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        wished(kind, pairs)
    assert said in refused.value.detail
    assert refused.value.hint


def test_a_refusal_lists_what_may_be_set() -> None:
    with pytest.raises(InvalidError) as refused:
        wished("no_data", ["days=3"])
    assert refused.value.hint.startswith("no_data has buckets, zero_is_none; every kind has fire_after, out_of,")
