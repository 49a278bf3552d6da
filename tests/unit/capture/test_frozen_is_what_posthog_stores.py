"""PostHog stores the same row for the original at its arrival and for our frozen copy, whenever it comes.

The oracle is the local PostHog's own reading of both protocols.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.capture.events import Arrived, Frozen, Poison
from functions.capture.wire.envelopes import read
from functions.capture.wire.freezing import as_v1, freeze
from hedgerow.deliveries import packed_batch
from local.posthog import capture_v1
from local.posthog.arrivals import Arrival
from local.posthog.capture_shapes import CaptureError, read_batch, read_event

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
OURS = "10.0.0.9"
THEIRS = "203.0.113.7"
TOKEN = "phc_oracle"
UUID7 = "0196a2b0-1111-7222-8333-444455556666"


def _stored(text: str, now: datetime, address: str, sent_at: datetime | None = None) -> list[Arrival]:
    """What the local PostHog makes of a v0 body; CaptureError when it refuses."""
    batch = read_batch(text, sent_at, fills_name=False)
    arrivals = [read_event(event, batch, now, fills_name=False, address=address) for event in batch.events]
    return [arrival for arrival in arrivals if arrival is not None]


def _stored_v1(event: dict[str, Any], now: datetime, sent_at: datetime, address: str) -> Arrival:
    shared = {"$lib": "posthog-go", "$lib_version": "2", "$ip": address}
    return capture_v1._read(event, sent_at, now, shared)


def _redelivered(frozen: list[Frozen], later: timedelta) -> list[Arrival]:
    batch = packed_batch(TOKEN, b",".join(orjson.dumps(each.body) for each in frozen), historical=False)
    return _stored(batch.decode(), NOW + later, OURS)


def _outcomes(text: str, query: dict[str, str] | None = None) -> list[Frozen | Poison]:
    envelope = read(text.encode(), query=query or {}, bearer=None, protocol="v0")
    assert envelope.token == TOKEN
    arrived = Arrived(now=NOW, sent_at=envelope.sent_at, address=THEIRS, is_plain=envelope.is_plain)
    return [freeze(event, arrived) for event in envelope.events]


_TEXT = st.text(st.characters(max_codepoint=0x7FF, exclude_categories=["Cs"]), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(-1e6, 1e6) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_TIMES = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.isoformat() + "Z"),  # noqa: DTZ001 - Z is added
    st.sampled_from(
        ["2025-06-15T11:00:00+00:00", "2025-06-15 11:00", "2025/06/15", "1750000000", "1750000000000", "soon", "",
         "1970-01-01", "2100-01-01", "Sun, 15 Jun 2025 11:00:00 GMT", "2025-06-15T13:00:00+02", "0001-01-01T00:00:00Z"]
    ),
)  # fmt: skip
_IDS = st.sampled_from(["x", " x ", "", "  ", "a\0b", "i" * 250, 7, 0, True, None, [1, "a"], {"a": 1}])
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "distinct_id": _IDS,
        "$ip": st.sampled_from(["192.0.2.1", None, ""]),
        "$ignore_sent_at": st.sampled_from([True, False, "true", None]),
        "$set": st.just({"inner": 1}),
        "$snapshot_data": st.just("\x1f\x8b\0"),
        "price": _VALUES,
        "$process_person_profile": st.booleans(),
    },
)
_EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["a", "$pageview", "", "n" * 250, "a\0b", " ", None, 5])},
    optional={
        "distinct_id": _IDS,
        "$distinct_id": _IDS,
        "uuid": st.sampled_from([UUID7, UUID7.upper(), UUID7.replace("-", ""), "bad", 5]),
        "timestamp": _TIMES | st.sampled_from([None, 1_750_000_000]),
        "offset": st.none() | st.integers(-(10**14), 10**14) | st.just("5"),
        "properties": _PROPERTIES | st.sampled_from([None, [], "x"]),
        "$set": st.just({"outer": 1}) | st.none(),
        "$set_once": st.just({"outer": 2}),
        "sent_at": _TIMES,
        "unknown": _VALUES,
    },
)


@settings(max_examples=250, deadline=None)
@given(
    event=_EVENTS,
    sent_at=_TIMES | st.none(),
    late=st.timedeltas(timedelta(seconds=1), timedelta(days=90)),
    is_ascii=st.booleans(),
)
def test_a_copy_is_the_row_the_original_would_have_been(
    event: dict[str, Any], sent_at: str | None, late: timedelta, is_ascii: bool
) -> None:
    event.setdefault("uuid", UUID7)
    text = json.dumps({"batch": [event], "sent_at": sent_at, "api_key": TOKEN}, ensure_ascii=is_ascii)
    outcome = _outcomes(text)[0]
    try:
        expected = _stored(text, NOW, THEIRS)
    except CaptureError:
        expected = []
    assert isinstance(outcome, Frozen if expected else Poison), outcome
    if isinstance(outcome, Frozen):
        assert _redelivered([outcome], late) == expected


@settings(max_examples=100, deadline=None)
@given(events=st.lists(_EVENTS, min_size=1, max_size=6), late=st.timedeltas(timedelta(0), timedelta(days=9)))
def test_the_good_ones_of_a_batch_are_rows_and_the_bad_ones_poison(
    events: list[dict[str, Any]], late: timedelta
) -> None:
    for number, event in enumerate(events):
        event.setdefault("uuid", str(uuid.UUID(int=number)))
    outcomes = _outcomes(json.dumps([{**event, "token": TOKEN} for event in events]), {"_": "1749988700000"})
    frozen = [each for each in outcomes if isinstance(each, Frozen)]
    expected: list[Arrival] = []
    for event in events:
        text = json.dumps({**event, "token": TOKEN})
        try:
            expected += _stored(text, NOW, THEIRS, datetime.fromtimestamp(1_749_988_700, UTC))
        except CaptureError:
            continue
    assert len(frozen) == len(expected)
    if frozen:
        assert _redelivered(frozen, late) == expected


_EVENTS_V1 = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["a", "$pageview", "", "n" * 201, 5]),
        "uuid": st.sampled_from([UUID7, UUID7.upper()]),
        "distinct_id": st.sampled_from(["x", " x ", "", "  ", "i" * 201, 7, "NULL", "undefined", "[object Object]"]),
        "timestamp": st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.isoformat() + "Z"),  # noqa: DTZ001
    },
    optional={
        "session_id": st.sampled_from(["s1", "", None]),
        "window_id": st.just("w1"),
        "options": st.fixed_dictionaries(
            {},
            optional={
                "process_person_profile": st.booleans(),
                "cookieless_mode": st.booleans(),
                "product_tour_id": st.just("t"),
                "disable_skew_correction": st.booleans(),
            },
        )
        | st.just([1]),
        "properties": st.fixed_dictionaries(
            {}, optional={"$ip": st.just("192.0.2.1"), "$lib": st.just("own"), "$set": st.just({"a": 1}), "n": _VALUES}
        )
        | st.just([1]),
    },
)


@settings(max_examples=250, deadline=None)
@given(
    event=_EVENTS_V1,
    skew=st.timedeltas(timedelta(hours=-30), timedelta(hours=30)),
    late=st.timedeltas(timedelta(seconds=1), timedelta(days=90)),
)
def test_what_came_by_v1_is_the_same_row_by_v0_and_by_v1(
    event: dict[str, Any], skew: timedelta, late: timedelta
) -> None:
    sent_at = NOW + skew
    arrived = Arrived(NOW, sent_at, THEIRS, "v1", ("posthog-go", "2"))
    outcome = freeze(orjson.loads(orjson.dumps(event)), arrived)
    if isinstance(outcome, Poison):
        with pytest.raises(capture_v1.DroppedError, match=outcome.code):
            _stored_v1(event, NOW, sent_at, THEIRS)
        return
    expected = _stored_v1(event, NOW, sent_at, THEIRS)
    by_v0 = _redelivered([outcome], late)[0]
    by_v1 = _stored_v1(as_v1(outcome), NOW + late, NOW + late, OURS)
    # In v1 the copy must say that its clock is to be believed, and PostHog keeps that among the properties.
    assert by_v1.properties.pop("$ignore_sent_at") is True
    said = {key: value for key, value in expected.properties.items() if key != "$ignore_sent_at"}
    assert by_v0 == expected
    assert (by_v1.uuid, by_v1.event, by_v1.distinct_id, by_v1.timestamp, by_v1.properties) == (
        expected.uuid,
        expected.event,
        expected.distinct_id,
        expected.timestamp,
        said,
    )


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(hours=3, minutes=17), timedelta(days=-2)])
def test_a_node_batch_kept_for_a_day_has_the_instants_of_its_arrival(skew: timedelta) -> None:
    clock = NOW + skew
    events = [
        {"event": f"e{number}", "distinct_id": "x", "uuid": str(uuid.UUID(int=number)),
         "timestamp": (clock - timedelta(seconds=number)).isoformat().replace("+00:00", "Z")}
        for number in range(3)
    ]  # fmt: skip
    text = json.dumps({"api_key": TOKEN, "batch": events, "sent_at": clock.isoformat()})
    frozen = [each for each in _outcomes(text) if isinstance(each, Frozen)]
    assert [each.timestamp for each in _redelivered(frozen, timedelta(days=1))] == [
        NOW - timedelta(seconds=number) for number in range(3)
    ]
