"""HogQL's tables beyond plain events, and the filters placeholder."""

from typing import Any

from tests.unit.local_posthog.conftest import Caller


def at(timestamp: str, event: str = "a", distinct_id: str = "u", **properties: Any) -> dict[str, Any]:
    return {"event": event, "distinct_id": distinct_id, "timestamp": timestamp, "properties": properties}


async def test_events_star_persons_and_sessions(caller: Caller) -> None:
    session = "01963b4e-0000-7000-8000-000000000001"
    await caller.capture(
        at("2025-05-01T10:00:00Z", "$pageview", **{"$session_id": session, "$current_url": "https://a.test/"}),
        at("2025-05-01T10:05:00Z", "click", **{"$session_id": session}),
        at("2025-05-01T10:00:00Z", "server"),
        at("2025-05-01T10:00:00Z", "odd", **{"$session_id": "not a uuid"}),
    )
    sessions = await caller.rows(
        "select session_id, $session_duration, $pageview_count, $start_timestamp from sessions"
    )
    assert sessions == [[session, 300, 1, "2025-05-01T10:00:00Z"]]
    joined = await caller.rows("select event, session.$session_duration from events where event = 'click'")
    assert joined == [["click", 300]]
    star = (await caller.ask("select * from events limit 1")).json()
    assert {"uuid", "event", "properties", "timestamp", "distinct_id", "person_id"} <= set(star["columns"])
    pairs = "select count() from events e join person_distinct_ids d on e.distinct_id = d.distinct_id"
    assert await caller.rows(pairs) == [[4]]


async def test_filters_placeholder(caller: Caller) -> None:
    await caller.capture(
        at("2025-06-01T10:00:00Z", plan="pro"), at("2025-06-14T10:00:00Z", plan="pro"), at("2025-06-14T11:00:00Z")
    )
    query = "select count() from events where {filters}"
    assert (await caller.ask(query)).json()["results"] == [[3]]
    filters = {"dateRange": {"date_from": "-7d"}, "properties": [{"key": "plan", "value": ["pro"], "type": "event"}]}
    assert (await caller.ask(query, query={"filters": filters})).json()["results"] == [[1]]
    odd = await caller.ask(query, query={"filters": {"properties": [{"key": "x", "type": "cohort", "value": 1}]}})
    assert odd.status_code == 400
