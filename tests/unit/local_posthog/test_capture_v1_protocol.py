"""Capture v1: the order of header checks, whole-request errors, verdicts for single events."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.unit.local_posthog.conftest import Caller

UUIDS = [f"0196a000-0000-7000-8000-00000000000{n}" for n in range(4)]
PATH = "/i/v1/analytics/events"


def headers(caller: Caller, **changes: str | None) -> dict[str, str]:
    usual: dict[str, str | None] = {
        "Authorization": f"Bearer {caller.posthog.project_token}",
        "Content-Type": "application/json",
        "User-Agent": "posthog-python/7.0.0",
        "PostHog-Sdk-Info": "posthog-python/7.0.0",
        "PostHog-Attempt": "1",
        "PostHog-Request-Id": UUIDS[0],
        "PostHog-Request-Timestamp": "2025-06-15T12:00:00Z",
    }
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in {**usual, **named}.items() if value is not None}


def event(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "event": "a",
        "uuid": UUIDS[number],
        "distinct_id": "u1",
        "timestamp": "2025-06-15T11:59:00Z",
        "properties": {},
        **changes,
    }


async def send(caller: Caller, batch: Any, **changes: str | None) -> httpx.Response:
    content = json.dumps({"created_at": "2025-06-15T12:00:00Z", "batch": batch})
    # A bare client: the caller's own would add its personal key.
    transport = httpx.ASGITransport(app=caller.posthog.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://posthog.test") as client:
        client.headers.clear()
        return await client.post(PATH, content=content, headers=headers(caller, **changes))


async def test_verdict_for_each_event_and_stored_ones_readable(caller: Caller) -> None:
    answer = await send(
        caller,
        [
            event(0, session_id="s1", window_id="w1"),
            event(1, distinct_id="Undefined"),
            event(2, timestamp="2025-06-15 11:00"),
            event(3, event="x" * 201),
        ],
    )
    assert answer.json()["results"] == {
        UUIDS[0]: {"result": "ok"},
        UUIDS[1]: {"result": "drop", "details": "malformed_distinct_id"},
        UUIDS[2]: {"result": "drop", "details": "invalid_event_timestamp"},
        UUIDS[3]: {"result": "drop", "details": "event_name_too_long"},
    }
    rows = await caller.rows("select uuid, $session_id, $window_id, properties.$lib from events")
    assert rows == [[UUIDS[0], "s1", "w1", "posthog-python"]]


@pytest.mark.parametrize(
    ("changes", "status", "tag"),
    [
        ({"Authorization": None, "PostHog_Attempt": None}, 401, "missing_authorization"),
        ({"PostHog_Attempt": None, "Authorization": "Basic x"}, 400, "missing_required_headers"),
        ({"Authorization": "Basic x", "Content_Type": "text/plain"}, 400, "invalid_header_value"),
        ({"Authorization": "Bearer phx_1", "Content_Type": "text/plain"}, 401, "invalid_api_token"),
        ({"Content_Type": "text/plain", "Content_Encoding": "br"}, 415, "unsupported_content_type"),
        ({"Content_Encoding": "br", "PostHog_Request_Id": "x"}, 415, "unsupported_encoding"),
        ({"PostHog_Request_Id": "x", "PostHog_Attempt": "0"}, 400, "invalid_header_value"),
        ({"PostHog_Attempt": "0"}, 400, "invalid_header_value"),
        ({"PostHog_Request_Timestamp": "today"}, 400, "invalid_header_value"),
    ],
)
async def test_headers_are_checked_in_order(
    caller: Caller, changes: dict[str, str | None], status: int, tag: str
) -> None:
    answer = await send(caller, [event(0)], **changes)
    assert (answer.status_code, answer.json()["error"]) == (status, tag)
    assert set(answer.json()) == {"error", "error_description", "error_uri"}


@pytest.mark.parametrize(
    ("batch", "tag"),
    [
        ([], "empty_batch"),
        ("x", "invalid_batch"),
        ([{"event": "a"}], "missing_event_uuid"),
        ([event(0), event(0)], "duplicate_event_uuid"),
    ],
)
async def test_whole_batch_refusals(caller: Caller, batch: Any, tag: str) -> None:
    answer = await send(caller, batch)
    assert (answer.status_code, answer.json()["error"]) == (400, tag)
    assert await caller.rows("select count() from events") == [[0]]


async def test_gzip_and_deflate_are_read(caller: Caller) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    for number, (encoding, pack) in enumerate(packers.items()):
        content = pack(json.dumps({"batch": [event(number)]}).encode())
        answer = await caller.client.post(PATH, content=content, headers=headers(caller, Content_Encoding=encoding))
        assert answer.json()["results"] == {UUIDS[number]: {"result": "ok"}}
    assert await caller.rows("select count() from events") == [[2]]


async def test_options_move_into_properties_and_skew_is_corrected(caller: Caller) -> None:
    await send(
        caller,
        [
            event(0, options={"process_person_profile": False}),
            event(1, options={"disable_skew_correction": True}),
        ],
        PostHog_Request_Timestamp="2025-06-15T11:00:00Z",
    )
    rows = await caller.rows("select person_mode, timestamp from events order by timestamp desc")
    assert rows == [["propertyless", "2025-06-15T12:59:00Z"], ["full", "2025-06-15T11:59:00Z"]]


async def test_unknown_token_gets_verdicts_and_nothing_is_stored(caller: Caller) -> None:
    answer = await send(caller, [event(0)], Authorization="Bearer phc_nobody")
    assert answer.json()["results"] == {UUIDS[0]: {"result": "ok"}}
    assert await caller.rows("select count() from events") == [[0]]
