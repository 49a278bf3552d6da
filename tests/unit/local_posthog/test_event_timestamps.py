"""When an event is stored at: offset, skew, what is sent, arrival; and never far ahead."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.posthog.timestamps import FURTHEST_AHEAD, decide, parse, parse_strict
from tests.unit.local_posthog.conftest import Caller

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
AT = datetime(2025, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2025-05-01T10:00:00Z",
        "2025-05-01T10:00:00.000000000Z",
        "2025-05-01T12:00:00+02:00",
        "2025-05-01T12:00:00+02",
        "2025-05-01 10:00:00",
        "2025/05/01 10:00:00",
        "Thu, 01 May 2025 10:00:00 GMT",
        "1746093600",
        "1746093600000",
    ],
)
def test_every_accepted_form_is_the_same_instant(text: str) -> None:
    assert parse(text) == AT


def test_date_alone_is_midnight_utc() -> None:
    assert parse("2025-05-01") == AT.replace(hour=0)


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "{}", "1e999"])
def test_unreadable_counts_as_absent(text: str) -> None:
    assert parse(text) is None
    assert decide(NOW, timestamp=text, sent_at=None) == NOW


@pytest.mark.parametrize("text", ["2025-05-01T10:00:00", "2025-05-01", "1746093600", "x"])
def test_v1_demands_a_zone(text: str) -> None:
    assert parse_strict(text) is None


def test_skew_is_corrected_only_with_sent_at_and_only_if_not_ignored() -> None:
    wrong_clock = NOW + timedelta(hours=3)
    written = (wrong_clock - timedelta(seconds=5)).isoformat()
    assert decide(NOW, timestamp=written, sent_at=wrong_clock) == NOW - timedelta(seconds=5)
    assert decide(NOW, timestamp=written, sent_at=None) == wrong_clock - timedelta(seconds=5)
    ignored = decide(NOW, timestamp=written, sent_at=wrong_clock, ignore_sent_at=True)
    assert ignored == wrong_clock - timedelta(seconds=5)


def test_offset_wins_over_timestamp() -> None:
    decided = decide(NOW, timestamp=AT.isoformat(), sent_at=NOW, offset=1500)
    assert decided == NOW - timedelta(seconds=1.5)


def test_23_hours_ahead_stay_and_more_becomes_now() -> None:
    edge = NOW + FURTHEST_AHEAD
    assert decide(NOW, timestamp=edge.isoformat(), sent_at=None) == edge
    beyond = edge + timedelta(seconds=1)
    assert decide(NOW, timestamp=beyond.isoformat(), sent_at=None) == NOW


@given(
    timestamp=st.one_of(st.none(), st.text(), st.datetimes().map(str)),
    sent_at=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
    offset=st.one_of(st.none(), st.integers(-(10**15), 10**15)),
)
def test_whatever_is_sent_an_instant_comes_out(
    timestamp: str | None, sent_at: datetime | None, offset: int | None
) -> None:
    decided = decide(NOW, timestamp=timestamp, sent_at=sent_at, offset=offset)
    assert decided.utcoffset() == timedelta()
    assert decided <= NOW + FURTHEST_AHEAD


async def test_sent_at_of_a_batch_and_of_the_query_string(caller: Caller) -> None:
    event = {"distinct_id": "u", "timestamp": "2025-06-15T09:00:00Z"}
    await caller.capture({"event": "batch", **event}, sent_at="2025-06-15T09:00:10Z")
    await caller.capture({"event": "camel", **event}, sentAt="2025-06-15T09:00:10Z")
    token = caller.posthog.project_token
    milliseconds = int((NOW - timedelta(hours=1)).timestamp() * 1000)
    for name, query in (("query", milliseconds), ("seconds", milliseconds // 1000)):
        await caller.client.post(f"/e/?_={query}", json={"api_key": token, "event": name, **event})
    found = dict(await caller.rows("select event, timestamp from events"))
    assert found == {
        "batch": "2025-06-15T11:59:50Z",
        "camel": "2025-06-15T09:00:00Z",
        "query": "2025-06-15T10:00:00Z",
        "seconds": "2025-06-15T09:00:00Z",
    }


async def test_instants_before_1900_are_held_to_what_the_column_knows(caller: Caller) -> None:
    await caller.capture({"event": "old", "distinct_id": "u", "timestamp": "0005-01-01T00:00:00Z"})
    assert await caller.rows("select timestamp from events") == [["1900-01-01T00:00:00Z"]]
