"""The second count: what it may read, and which answers it does not believe."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from functions.metrics import proving, recount
from functions.metrics.recount import CONTROL, LIMIT, Counted, UntrustedError
from functions.metrics.series import Points, ZoneSpan
from functions.metrics.window import Window
from tests.unit.sync.test_sync_reads_aggregates import read_by

FIRST, SECOND = date(2026, 11, 18), date(2026, 11, 19)
WINDOW = Window(FIRST, SECOND)
COLUMNS = ("place", "name", "value")
Row = list[object]
ALIASES = {"place", "name", "value", "pair", "pair.1", "pair.2", "edge", "person", "utc_day", "copies", "held"}
ALIASES |= {"events", "pageviews", "calls", "exceptions", "session", "began", "ended", "away"}


def good() -> list[Row]:
    """Two days of two and three rows, one of which is there twice."""
    return [
        [0, "~control", CONTROL],
        [0, "~total", 5],
        [1, "posthog_dau", 1],
        [1, "posthog_events", 2.0],
        [1, "~rows", 2],
        [2, "posthog_events", 2],
        [2, "posthog_session_duration", 1.5],
        [2, "~rows", 3],
        [3, "posthog_sessions", 9],
        [3, "~end", 0],
    ]


def test_the_query_reads_aggregates_of_events_only() -> None:
    tables, columns, functions = read_by(recount.text())
    assert tables == {"events"}
    assert columns - ALIASES <= {"event", "timestamp", "person_id", "distinct_id", "uuid", "$session_id"}
    assert functions <= {
        *("arrayCount", "arrayJoin", "concat", "count", "countIf", "dateDiff", "fromUnixTimestamp", "intDiv"),
        *("max", "min", "sum", "toFloat", "toInt", "toUnixTimestamp", "tuple"),
    }


def test_it_has_no_shape_of_the_syncs() -> None:
    text = recount.text()
    assert "toDate" not in text
    assert "uniqExact" not in text


def test_days_are_places_between_epochs_also_where_clocks_change() -> None:
    values = recount.values(Window(date(2026, 10, 24), date(2026, 10, 26)), "Europe/Berlin", ["a"])
    edges = values["edges"]
    assert isinstance(edges, list)
    assert [later - earlier for earlier, later in pairwise(edges)] == [86_400, 90_000, 86_400]
    assert values["names"] == ["", "a"]
    assert (values["from"], values["to"], values["last"]) == (edges[0], edges[-1], 4)


def test_a_good_answer_is_read() -> None:
    counted = recount.read(WINDOW, COLUMNS, good())
    assert counted.values == {
        ("posthog_dau", FIRST): 1,
        ("posthog_events", FIRST): 2,
        ("posthog_events", SECOND): 2,
        ("posthog_session_duration", SECOND): 1.5,
    }
    assert counted.doubles == {SECOND: 1}
    assert counted.value("posthog_dau", SECOND) == 0


@pytest.mark.parametrize(
    "rows",
    [
        good()[:-1],
        good()[:4] + good()[5:],
        good()[:7] + good()[8:],
        good() * 2,
        [[place, name, 2 * float(str(value))] for place, name, value in good()],
        [*good(), [2, "posthog_dau", "4"]],
        [*good(), [2, "posthog_dau", float("nan")]],
        [*good(), [2, "posthog_dau", float("-inf")]],
        [*good(), [2, "posthog_dau", 10**400]],
        [*good(), [2, "posthog_dau", 10**16]],
        [*good(), ["2", "posthog_dau", 4]],
        [*good(), [2, None, 4]],
        [*good(), [2, "posthog_dau", None]],
        good()[1:],
        [],
        good() + [[1, f"event:{number}", 1] for number in range(LIMIT)],
    ],
)
def test_an_answer_that_contradicts_itself_is_not_believed(rows: list[Row]) -> None:
    with pytest.raises(UntrustedError):
        recount.read(WINDOW, COLUMNS, rows)


def test_other_columns_are_not_believed() -> None:
    with pytest.raises(UntrustedError):
        recount.read(WINDOW, ("name", "place", "value"), good())


def stored(**days_of: list[int | None]) -> dict[str, Points]:
    dates = (str(FIRST), str(SECOND))
    return {
        name: [(day, value, True) for day, value in zip(dates, values, strict=True) if value is not None]
        for name, values in days_of.items()
    }


def test_a_fixed_metric_that_is_not_stored_differs_and_an_event_may_begin_late() -> None:
    counted = Counted({("posthog_dau", SECOND): 4, ("event:a", SECOND): 4})
    held = {**stored(posthog_dau=[0, None]), "event:a": stored(a=[None, 4])["a"]}
    outcome = proving.compare([FIRST, SECOND], ["posthog_dau", "event:a"], held, counted)
    assert (outcome.equal, outcome.compared) == (False, 3)
    assert [(day.date, day.metric, day.stored, day.counted) for day in outcome.days] == [
        (str(SECOND), "posthog_dau", None, 4)
    ]


def test_duplicates_are_named() -> None:
    counted = Counted({("posthog_events", FIRST): 4}, {FIRST: 2})
    outcome = proving.compare([FIRST], ["posthog_events"], stored(posthog_events=[6, 1]), counted)
    assert (outcome.code, outcome.days[0].difference) == ("duplicates", 2)


def test_days_before_the_first_synced_one_cannot_be_compared_days_between_can() -> None:
    window = Window(date(2026, 11, 16), date(2026, 11, 19))
    held: dict[str, Points] = {"posthog_dau": [("2026-11-17", 1, True), ("2026-11-19", 1, True)]}
    zones = [ZoneSpan("UTC", date(2026, 11, 17), date(2026, 11, 19))]
    can, left_out = proving.comparable(window, "UTC", held, zones)
    assert [day.day for day in can] == [17, 18, 19]
    assert [(left.date, left.why) for left in left_out] == [("2026-11-16", "not_synced_yet")]
    elsewhere, _ = proving.comparable(window, "Asia/Tokyo", held, zones)
    assert elsewhere == []
