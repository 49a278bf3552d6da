"""Refresh modes, the cache, and queries in the background."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.local_posthog.conftest import Caller

COUNT = "select count() from events"


async def counted(caller: Caller, refresh: Any) -> tuple[int, bool]:
    answer = (await caller.ask(COUNT, refresh=refresh)).json()
    return answer["results"][0][0], answer["is_cached"]


async def polled(caller: Caller, answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    path = f"/api/projects/{caller.posthog.project_id}/query/{answer['query_status']['id']}/"
    for _ in range(200):
        found = await caller.client.get(path)
        if found.status_code != 202:
            return found.status_code, found.json()
        await asyncio.sleep(0.01)
    raise AssertionError("the query never ended")


async def test_blocking_is_cached_for_six_hours_and_force_blocking_never(caller: Caller) -> None:
    event = {"event": "a", "distinct_id": "u"}
    assert await counted(caller, None) == (0, False)
    await caller.capture(event)
    assert await counted(caller, "blocking") == (0, True)
    assert await counted(caller, "force_cache") == (0, True)
    assert await counted(caller, "force_blocking") == (1, False)
    assert await counted(caller, True) == (1, False)
    await caller.capture(event)
    caller.posthog.clock.advance(timedelta(hours=5, minutes=59))
    assert await counted(caller, "blocking") == (1, True)
    caller.posthog.clock.advance(timedelta(minutes=1))
    assert await counted(caller, "blocking") == (2, False)


async def test_the_cache_knows_the_zone_and_the_values(caller: Caller) -> None:
    query = "select toString(toDateTime({n}))"
    first = (await caller.ask(query, refresh="blocking", query={"values": {"n": 0}})).json()
    caller.posthog.change_project(timezone="Asia/Tokyo")
    second = (await caller.ask(query, refresh="blocking", query={"values": {"n": 0}})).json()
    assert [first["results"], second["results"]] == [[["1970-01-01 00:00:00"]], [["1970-01-01 09:00:00"]]]
    assert second["is_cached"] is False


@pytest.mark.parametrize("body", [{"refresh": "async"}, {"refresh": "force_async"}, {"refresh": None, "async": True}])
async def test_background_queries_are_polled(caller: Caller, body: dict[str, Any]) -> None:
    answer = await caller.ask("select 7", **body)
    assert answer.status_code == 202
    assert answer.json()["query_status"]["complete"] is False
    status, found = await polled(caller, answer.json())
    assert status == 200
    assert found["query_status"]["complete"] is True
    assert found["query_status"]["results"]["results"] == [[7]]


async def test_a_fresh_cache_answers_async_at_once(caller: Caller) -> None:
    await caller.ask("select 7", refresh="blocking")
    answer = await caller.ask("select 7", refresh="async")
    assert (answer.status_code, answer.json()["is_cached"]) == (200, True)


async def test_a_background_refusal_is_400_with_its_message(caller: Caller) -> None:
    answer = (await caller.ask("select nope from events", refresh="force_async")).json()
    status, found = await polled(caller, answer)
    assert (status, found["query_status"]["error_message"]) == (400, "Unable to resolve field: nope")


async def test_unknown_expired_and_cancelled_queries_are_404(caller: Caller) -> None:
    path = f"/api/projects/{caller.posthog.project_id}/query/"
    missing = await caller.client.get(path + "nothing/")
    assert (missing.status_code, missing.json()["detail"]) == (
        404,
        f"Query nothing not found for team {caller.posthog.project_id}",
    )
    for name in ("one", "two"):
        await caller.ask("select 1", refresh="force_async", client_query_id=name)
    assert (await caller.client.delete(path + "one/")).status_code == 200
    assert (await caller.client.get(path + "one/")).status_code == 404
    caller.posthog.clock.advance(timedelta(minutes=21))
    assert (await caller.client.get(path + "two/")).status_code == 404


async def test_execution_time_is_limited(caller: Caller) -> None:
    caller.posthog.limits.execution_seconds = 0.2
    heavy = "select sum(sipHash64(a.number + b.number)) from numbers(100000) a cross join numbers(100000) b"
    answer = await caller.ask(heavy)
    assert answer.status_code == 504
    assert answer.json()["detail"].startswith("Query has hit the max execution time before completing.")
    assert (await caller.ask("select 1")).json()["results"] == [[1]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"query": "select 1"}, "required"),
        ({"query": {"kind": "TrendsQuery", "series": []}}, "hogql_query_error"),
        ({"query": {"kind": "HogQLQuery"}}, "required"),
        ({"query": {"kind": "HogQLQuery", "query": "select 1", "surprise": 1}}, "parse_error"),
    ],
)
async def test_bodies_that_are_no_query(caller: Caller, body: dict[str, Any], code: str) -> None:
    answer = await caller.client.post(f"/api/projects/{caller.posthog.project_id}/query/", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_long_lists_of_values_fit_up_to_a_megabyte_of_sql(caller: Caller) -> None:
    names = [f"event number {n} with 'quotes'" for n in range(10_000)]
    answer = await caller.ask("select count() from events where event in {names}", query={"values": {"names": names}})
    assert answer.json()["results"] == [[0]]
    longer = await caller.ask("select length({text})", query={"values": {"text": "x" * 1_100_000}})
    assert (longer.status_code, longer.json()["detail"]) == (500, "Query size exceeded.")
