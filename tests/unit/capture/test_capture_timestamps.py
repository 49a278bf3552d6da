"""The instant of an event is PostHog's, whatever was sent as its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.wire import timestamps
from functions.capture.wire.timestamps import EPOCH, decide, parse, written
from local.posthog import timestamps as posthog

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
TEN = datetime(2025, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-05-01T10:00:00Z", TEN),
        ("2025-05-01T10:00:00.5Z", TEN + timedelta(seconds=0.5)),
        ("2025-05-01T10:00:00.123456789+00:00", TEN + timedelta(microseconds=123_456)),
        ("2025-05-01t10:00:00z", TEN),
        ("2025-05-01T12:00:00+02", TEN),
        ("2025-05-01T12:00:00+0200", TEN),
        ("2025-05-01 10:00:00", TEN),
        ("2025/05/01 10:00:00", TEN),
        ("2025-05-01", TEN.replace(hour=0)),
        ("Thu, 01 May 2025 10:00:00 GMT", TEN),
        ("1746093600", TEN),
        ("1746093600000", TEN),
        (" 1746093600.5 ", TEN + timedelta(seconds=0.5)),
        ("20250501", EPOCH + timedelta(seconds=20_250_501)),
        ("0001-01-01T00:00:00+05:00", EPOCH),
        ("", None),
        ("yesterday", None),
        ("2025-13-41", None),
        ("9" * 19, None),
        ("x" * 100_000, None),
    ],
)
def test_a_time_is_read_in_every_form(text: str, instant: datetime | None) -> None:
    assert parse(text) == instant


@pytest.mark.parametrize(
    ("given_", "instant"),
    [
        ({"timestamp": "2025-06-15T09:00:00Z"}, NOW - timedelta(hours=3)),
        ({"timestamp": "2025-06-15T09:00:00Z", "sent_at": NOW - timedelta(hours=2)}, NOW - timedelta(hours=1)),
        (
            {"timestamp": "2025-06-15T09:00:00Z", "sent_at": NOW - timedelta(hours=2), "keeps_clock": True},
            NOW - timedelta(hours=3),
        ),
        ({"timestamp": "2025-06-15T09:00:00Z", "offset": 1500}, NOW - timedelta(seconds=1.5)),
        ({"timestamp": "2025-06-15T09:00:00Z", "offset": True}, NOW - timedelta(hours=3)),
        ({"timestamp": "2025-06-15T09:00:00Z", "offset": "1500"}, NOW - timedelta(hours=3)),
        ({"timestamp": "2025-06-15T09:00:00Z", "offset": 2**63}, NOW - timedelta(hours=3)),
        ({"timestamp": None, "offset": 2**63 - 1}, EPOCH),
        ({"timestamp": 1750000000}, NOW),
        ({"timestamp": "never", "sent_at": NOW}, NOW),
        ({"timestamp": "2025-06-16T11:00:00Z"}, NOW + timedelta(hours=23)),
        ({"timestamp": "2025-06-16T11:00:00.000001Z"}, NOW),
        ({"timestamp": "2100-01-01"}, NOW),
        ({"timestamp": "1970-01-01"}, EPOCH),
        ({"timestamp": "0001-01-01", "sent_at": NOW + timedelta(days=9000)}, EPOCH),
    ],
)
def test_the_instant_is_decided_by_posthogs_rule(given_: dict[str, Any], instant: datetime) -> None:
    assert decide(NOW, **{"sent_at": None, **given_}) == instant


_INSTANTS = st.datetimes(timezones=st.just(UTC))
_TEXTS = st.one_of(
    _INSTANTS.map(datetime.isoformat),
    st.text("0123456789-+:/TZ. ,JanMoGMT", max_size=40),
    st.from_regex(r"\d{4}[-/]\d\d[-/]\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?\d\d)?)?", fullmatch=True),
    st.text(max_size=30),
)


@given(_TEXTS)
def test_what_posthog_reads_is_read_the_same(text: str) -> None:
    expected = posthog.parse(text)
    if expected is not None:
        assert parse(text) == expected
    else:
        parse(text)


@given(now=_INSTANTS, text=_TEXTS, sent_at=st.none() | _INSTANTS, offset=st.none() | st.integers(-(10**14), 10**14))
def test_every_instant_is_posthogs(now: datetime, text: str, sent_at: datetime | None, offset: int | None) -> None:
    if posthog.parse(text) is None:
        text = "unreadable"
    expected = posthog.decide(now, timestamp=text, sent_at=sent_at, offset=offset)
    assert decide(now, timestamp=text, sent_at=sent_at, offset=offset) == expected


@given(_INSTANTS)
def test_what_is_written_is_read_back(at: datetime) -> None:
    assert written(at) == at.strftime("%Y").zfill(4) + at.isoformat(timespec="microseconds")[4:-6] + "Z"
    assert parse(written(at)) == at


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1746093600000", TEN),
        ("1746093600", None),
        ("", None),
        ("-5", None),
        ("²", None),
        ("9" * 15, None),
        ("99999999999999", EPOCH + timedelta(milliseconds=99999999999999)),
    ],
)
def test_the_querys_time_is_milliseconds_or_nothing(text: str, instant: datetime | None) -> None:
    assert timestamps.from_milliseconds(text) == instant
