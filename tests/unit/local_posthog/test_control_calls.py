"""The `/_local/` calls: clock, projects, keys, limits, counts; and that they refuse what they do not know."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.posthog.project import Directory
from tests.unit.local_posthog.conftest import NOW, Caller


async def control(caller: Caller, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
    answer = await caller.client.request(method, f"/_local/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_clock_moves_and_stamps_what_arrives(caller: Caller) -> None:
    assert await control(caller, "clock", {"now": "2030-01-01T00:00:00+01:00"}) == {"now": "2029-12-31T23:00:00Z"}
    assert await control(caller, "clock", {"advance": 90}) == {"now": "2029-12-31T23:01:30Z"}
    await caller.capture({"event": "a", "distinct_id": "u"})
    assert await caller.rows("select timestamp, created_at from events") == [["2029-12-31T23:01:30Z"] * 2]
    assert (await caller.client.post("/_local/clock", json={"now": "2030-01-01T00:00:00"})).status_code == 400


async def test_projects_are_apart_and_have_their_own_keys(caller: Caller) -> None:
    made = await control(caller, "projects", {"name": "B", "timezone": "Asia/Tokyo", "scopes": ["query:read"]})
    await caller.client.post("/e/", json={"api_key": made["project_token"], "event": "b", "distinct_id": "u"})
    assert await caller.rows("select count() from events") == [[0]]
    headers = {"Authorization": f"Bearer {made['personal_api_key']}"}
    body = {"query": {"kind": "HogQLQuery", "query": "select event, timeZoneOf(timestamp) from events"}}
    answer = await caller.client.post(f"/api/projects/{made['project_id']}/query/", json=body, headers=headers)
    assert answer.json()["results"] == [["b", "Asia/Tokyo"]]
    refused = await caller.client.get(f"/api/projects/{made['project_id']}/", headers=headers)
    assert refused.status_code == 403
    changed = await control(caller, "projects", {"id": made["project_id"], "timezone": "Europe/Berlin"})
    assert (changed["timezone"], changed["personal_api_key"]) == ("Europe/Berlin", None)


def test_projects_made_at_once_are_all_kept(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    home = directory.add_organization("Home")

    def add(name: str) -> None:
        directory.add_personal_key(directory.add_project(name, home.id, "UTC", NOW), NOW)

    names = {f"Project {number}" for number in range(40)}
    with ThreadPoolExecutor(max_workers=8) as threads:
        list(threads.map(add, names))
    kept = Directory(tmp_path).contents
    assert {project.name for project in kept.projects} == names
    assert {project.id for project in kept.projects} == {key.current_project_id for key in kept.personal_keys}
    assert len(kept.personal_keys) == len(names)
    assert [file.name for file in tmp_path.iterdir()] == ["projects.json"]


async def test_keys_are_added_and_revoked(caller: Caller) -> None:
    project_id = caller.posthog.project.id
    made = await control(caller, "keys", {"project_id": project_id, "scopes": ["project:read"]})
    headers = {"Authorization": f"Bearer {made['personal_api_key']}"}
    path = f"/api/projects/{project_id}/"
    assert (await caller.client.get(path, headers=headers)).status_code == 200
    await control(caller, "keys", {"revoke": made["personal_api_key"]}, "DELETE")
    assert (await caller.client.get(path, headers=headers)).status_code == 401


async def test_requests_are_counted_without_control_calls(caller: Caller) -> None:
    await caller.capture({"event": "a", "distinct_id": "u"})
    await caller.ask("select 1")
    await caller.ask("select 1")
    query = f"POST /api/projects/{caller.posthog.project_id}/query/"
    found = await control(caller, "requests", {}, "GET")
    assert found == {"requests": {"POST /batch/": 1, query: 2}, "total": 3}
    await control(caller, "requests", {}, "DELETE")
    assert caller.posthog.requests == {}


async def test_limits_are_shrunk_lifted_and_restored(caller: Caller) -> None:
    await control(caller, "limits", {"rates": {"private": [[1, 60]]}})
    path = f"/api/projects/{caller.posthog.project_id}/"
    assert [(await caller.client.get(path)).status_code for _ in range(2)] == [200, 429]
    await control(caller, "limits", {"off": True})
    assert (await caller.client.get(path)).status_code == 200
    await control(caller, "limits", {"reset": True})
    assert (await caller.client.get(path)).status_code == 200


async def test_warnings_are_listed(caller: Caller) -> None:
    await caller.capture({"event": "$identify", "distinct_id": "u", "properties": {"$anon_distinct_id": "null"}})
    [warnings] = (await control(caller, "warnings", {}, "GET")).values()
    assert [warning["kind"] for warning in warnings] == ["cannot_merge_with_illegal_distinct_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "nothing", {}, 404),
        ("PUT", "clock", {}, 404),
        ("POST", "faults", {"kind": "earthquake"}, 400),
        ("POST", "faults", {"kind": "slow", "secnds": 1}, 400),
        ("POST", "projects", {"timezone": "Mars/Olympus"}, 400),
        ("POST", "keys", {"project_id": 12345}, 400),
        ("POST", "limits", {"rates": {"invented": []}}, 400),
    ],
)
async def test_control_calls_refuse_what_they_do_not_know(
    caller: Caller, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    answer: httpx.Response = await caller.client.request(method, f"/_local/{path}", json=body)
    assert answer.status_code == status


async def test_load_and_load_rows_agree_with_capture_on_the_person(caller: Caller) -> None:
    posthog = caller.posthog
    posthog.load_rows(
        "select toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(number), 12, '0'))) as uuid, 'a' as event, "
        "concat('user', toString(number % 10)) as distinct_id, "
        "toDateTime64('2025-06-01 00:00:00', 6, 'UTC') + number as timestamp, '{}' as properties from numbers(1000)"
    )
    assert await caller.rows("select count(), uniqExact(person_id) from events") == [[1000, 10]]
    await caller.capture(*({"event": "b", "distinct_id": f"user{n}"} for n in range(10)))
    assert posthog.load([{"event": "c", "distinct_id": "user3", "timestamp": "2001-01-01"}]) == 1
    assert await caller.rows("select count(), uniqExact(person_id) from events") == [[1011, 10]]
    names = (await caller.client.get(f"/api/projects/{posthog.project_id}/event_definitions/")).json()
    assert [definition["name"] for definition in names["results"]] == ["a", "b", "c"]
