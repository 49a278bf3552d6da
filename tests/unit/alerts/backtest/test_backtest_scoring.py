"""Precision, recall, F1 and delay as the issue of alerts defines them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from functions.alerts.backtest.files import Label
from functions.alerts.backtest.scoring import Span, score


def test_overlaps_count_with_both_ends() -> None:
    incidents = [Span(10, 20), Span(30, 30), Span(50, 60), Span(90, 95)]
    labels = [Label(20, 25), Label(30, 40), Label(45, 55), Label(70, 80)]
    scores = score(incidents, labels)
    assert scores is not None
    assert (scores.precision, scores.recall) == (3 / 4, 3 / 4)
    assert scores.f1 == 3 / 4
    assert scores.median_delay == 0, "delays are 0 (begun before), 0 and 5"


def test_one_incident_may_find_two_labels_and_one_label_make_two_right() -> None:
    scores = score([Span(0, 100)], [Label(10, 20), Label(50, 60)])
    assert scores is not None
    assert (scores.precision, scores.recall, scores.median_delay) == (1, 1, 0)
    scores = score([Span(12, 13), Span(15, 16)], [Label(10, 20)])
    assert scores is not None
    assert (scores.precision, scores.recall, scores.median_delay) == (1, 1, 2)


def test_without_incidents_or_labels() -> None:
    scores = score([], [Label(0, 1)])
    assert scores is not None
    assert (scores.precision, scores.recall, scores.f1, scores.median_delay) == (0, 0, 0, None)
    assert score([Span(0, 1)], []) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=12),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=8),
)
def test_scores_are_what_comparing_everything_with_everything_gives(
    steps: list[tuple[int, int]], spans: list[tuple[int, int]]
) -> None:
    incidents: list[Span] = []
    at = 0
    for gap, length in steps:
        incidents.append(Span(at + gap, at + gap + length))
        at += gap + length + 1
    labels = sorted(Label(begin, begin + length) for begin, length in spans)
    meet = [[one.begin <= two.to and two.begin <= one.to for two in labels] for one in incidents]
    right = sum(any(each) for each in meet)
    found = sum(any(each[place] for each in meet) for place in range(len(labels)))
    scores = score(incidents, labels)
    assert scores is not None
    assert scores.precision == (right / len(incidents) if incidents else 0)
    assert scores.recall == found / len(labels)
