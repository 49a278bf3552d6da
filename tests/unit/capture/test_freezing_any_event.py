"""Freezing never fails, whatever stands in a batch, and freezing again later changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.capture.events import Arrived, Frozen, Poison
from functions.capture.wire.freezing import as_v1, freeze

UUID7 = "0196a2b0-1111-7222-8333-444455556666"

_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    ["event", "distinct_id", "$distinct_id", "uuid", "timestamp", "offset", "properties", "options", "session_id",
     "window_id", "sent_at", "$set", "api_key"]
)  # fmt: skip
_ARRIVED = st.builds(
    Arrived,
    now=st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is added
    sent_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    address=st.none() | st.just("1.2.3.4"),
    protocol=st.sampled_from(["v0", "v1"]),
    library=st.none() | st.just(("posthog-go", "2")),
    fills_name=st.booleans(),
)


@settings(max_examples=250)
@given(event=_ANY | st.dictionaries(_FIELDS, _ANY), arrived=_ARRIVED)
def test_nothing_makes_freezing_fail(event: object, arrived: Arrived) -> None:
    outcome = freeze(event, arrived)
    if isinstance(outcome, Frozen):
        orjson.dumps(outcome.body)
        orjson.dumps(as_v1(outcome))
        UUID(outcome.uuid)
    else:
        assert isinstance(outcome.body, bytes)
        assert outcome.detail


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3), max_leaves=5,
)  # fmt: skip


@settings(max_examples=150)
@given(
    event=st.dictionaries(_FIELDS, _VALUES),
    properties=st.dictionaries(st.sampled_from(["$ip", "$ignore_sent_at", "distinct_id", "x"]), _VALUES),
    distinct_id=st.text(st.characters(exclude_categories=["Cs"])) | st.integers(),
    offset=st.none() | st.integers(-(10**12), 10**12),
    arrived=_ARRIVED,
    later=st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_freezing_again_later_changes_nothing(
    event: dict[str, Any],
    properties: dict[str, Any],
    distinct_id: object,
    offset: int | None,
    arrived: Arrived,
    later: timedelta,
) -> None:
    whole = {**event, "event": "e", "distinct_id": distinct_id, "uuid": UUID7, "offset": offset,
             "properties": properties, "options": {}}  # fmt: skip
    once = freeze(whole, arrived)
    if isinstance(once, Poison):
        return
    again = freeze(orjson.loads(orjson.dumps(once.body)), Arrived(now=arrived.now + later))
    assert again == once
