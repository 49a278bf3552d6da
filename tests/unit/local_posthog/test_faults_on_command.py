"""Faults on command: each does what it says, where it says, as often as it says."""

import time
from typing import Any

import httpx
import pytest

from local.posthog.faults import Fault
from tests.unit.local_posthog.conftest import Caller

QUERY = "select number from numbers(10) order by number limit 10"


async def numbers(caller: Caller, query: str = QUERY) -> list[int]:
    return [number for (number,) in await caller.rows(query)]


def project(caller: Caller) -> str:
    return f"/api/projects/{caller.posthog.project_id}/"


async def test_a_fault_is_met_count_times_on_its_path_only(caller: Caller) -> None:
    caller.posthog.faults.set(Fault(kind="status", status=503, path="/batch", count=2))
    event = {"event": "a", "distinct_id": "u"}
    assert (await caller.client.get(project(caller))).status_code == 200
    codes = [(await caller.capture(event)).status_code for _ in range(3)]
    assert codes == [503, 503, 200]
    assert await caller.rows("select count() from events") == [[1]]


@pytest.mark.parametrize(
    ("status", "code", "type_"),
    [
        (400, "error", "invalid_request"),
        (401, "authentication_failed", "authentication_error"),
        (403, "permission_denied", "authentication_error"),
        (429, "throttled", "throttled_error"),
        (500, "error", "server_error"),
        (503, "error", "server_error"),
        (504, "clickhouse_timeout", "server_error"),
        (512, "clickhouse_estimate", "server_error"),
    ],
)
async def test_statuses_have_posthogs_bodies(caller: Caller, status: int, code: str, type_: str) -> None:
    caller.posthog.faults.set(Fault(kind="status", status=status))
    answer = await caller.ask("select 1")
    assert (answer.status_code, answer.json()["code"], answer.json()["type"]) == (status, code, type_)
    assert ("retry-after" in answer.headers) is (status == 429)
    caller.posthog.faults.clear()
    assert (await caller.ask("select 1")).status_code == 200


async def test_status_with_a_body_and_headers_of_ones_own(caller: Caller) -> None:
    caller.posthog.faults.set(Fault(kind="status", status=429, body={"a": 1}, headers={"Retry-After": "7"}, count=1))
    answer = await caller.ask("select 1")
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"a": 1}, "7")


@pytest.mark.parametrize("fault", [Fault(kind="status", status=502), Fault(kind="cloudflare")])
async def test_gateways_answer_html(caller: Caller, fault: Fault) -> None:
    caller.posthog.faults.set(fault)
    answer = await caller.ask("select 1")
    assert answer.status_code in (403, 502)
    assert answer.headers["content-type"].startswith("text/html")


async def test_wrong_type_is_valid_json_of_another_shape(caller: Caller) -> None:
    caller.posthog.faults.set(Fault(kind="wrong_type"))
    assert isinstance((await caller.ask("select 1")).json(), list)


async def test_slow_waits_and_then_answers(caller: Caller) -> None:
    caller.posthog.faults.set(Fault(kind="slow", seconds=0.3, count=1))
    started = time.monotonic()
    assert await numbers(caller) == list(range(10))
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(("kind", "stored"), [("reset", 0), ("reset_after", 1)])
async def test_resets_before_and_after_the_work(caller: Caller, kind: Any, stored: int) -> None:
    caller.posthog.faults.set(Fault(kind=kind, path="/batch", count=1))
    with pytest.raises(httpx.ReadError):
        await caller.capture({"event": "a", "distinct_id": "u"})
    assert await caller.rows("select count() from events") == [[stored]]


async def test_half_an_answer_breaks_off(caller: Caller) -> None:
    caller.posthog.faults.set(Fault(kind="half", count=1))
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.ask("select 1")


async def test_off_refuses_everything_but_control(caller: Caller) -> None:
    assert (await caller.client.post("/_local/off", json={})).json() == {"off": True}
    with pytest.raises(httpx.ReadError):
        await caller.ask("select 1")
    await caller.client.post("/_local/off", json={"off": False})
    assert (await caller.ask("select 1")).status_code == 200


async def test_truncate_clamp_and_double_lie_silently(caller: Caller) -> None:
    await caller.capture({"event": "a", "distinct_id": "u"}, {"event": "b", "distinct_id": "u"})
    count = "select count(), uniqExact(person_id) from events"
    faults = caller.posthog.faults
    faults.set(Fault(kind="truncate", rows=3, count=1))
    assert await numbers(caller) == list(range(7))
    faults.set(Fault(kind="clamp", rows=4, count=1))
    assert await numbers(caller) == [0, 1, 2, 3]
    faults.set(Fault(kind="double_rows", count=1))
    assert await numbers(caller) == [number for number in range(10) for _ in range(2)]
    faults.set(Fault(kind="double_events", count=1))
    assert await caller.rows(count) == [[4, 1]]
    assert await caller.rows(count) == [[2, 1]]
    assert await numbers(caller) == list(range(10))


async def test_a_falsified_answer_is_never_kept_in_the_cache(caller: Caller) -> None:
    caller.posthog.faults.set(Fault(kind="truncate", rows=3, count=1))
    first = (await caller.ask(QUERY, refresh="blocking")).json()
    second = (await caller.ask(QUERY, refresh="blocking")).json()
    assert (len(first["results"]), len(second["results"])) == (7, 10)
