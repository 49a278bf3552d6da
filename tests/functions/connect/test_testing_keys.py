"""`POST /v1/connections/test`: every mix-up of hosts, keys and projects is told apart and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.posthog.faults import Fault
from tests.functions.connect.room import EU, OWN, US, Room, verdict

if TYPE_CHECKING:
    import httpx

NAMES = ["reach", "authenticate", "project", "query", "feature_flags", "event_definitions", "capture"]


async def examined(room: Room, **body: object) -> httpx.Response:
    async with room.tenant() as (_, client):
        answer = await client.post("/v1/connections/test", json=body)
    assert answer.status_code == 200, answer.text
    assert [one["name"] for one in answer.json()["capabilities"]] == NAMES
    return answer


async def test_all_is_well_with_a_key_of_just_the_needed_scopes_and_the_projects_token(room: Room) -> None:
    key = room.us.add_key(scopes=("query:read", "project:read", "feature_flag:read", "event_definition:read"))
    answer = await examined(room, **room.keys(personal_api_key=key, project_token=room.us.project_token))
    body = answer.json()
    assert body["ok"] is True
    assert {one["code"] for one in body["capabilities"]} == {"ok"}
    assert [one["name"] for one in body["capabilities"] if one["required"]] == [
        "reach",
        "authenticate",
        "query",
        "capture",
    ]
    assert (body["host"], body["ingestion_host"], body["project_id"], body["timezone"]) == (
        US,
        "https://us.i.posthog.com",
        room.us.project_id,
        "Europe/Berlin",
    )
    assert key not in answer.text
    assert room.us.project_token not in answer.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://app.posthog.com", "app.posthog.com is the US cloud"),
        ("us.i.posthog.com", "takes events; the API is at https://us.posthog.com"),
        ("https://us.posthog.com/project/1/insights?x=1#y", "the path was left out"),
    ],
)
async def test_an_address_that_was_meant_is_understood_and_the_mending_said(room: Room, given: str, said: str) -> None:
    answer = await examined(room, **room.keys(host=given))
    assert answer.json()["ok"] is True
    assert answer.json()["host"] == US
    assert said in verdict(answer, "reach")["detail"]


async def test_the_project_in_a_pasted_address_is_taken(room: Room) -> None:
    other = room.us.add_project("Other")
    body = room.keys(host=f"{US}/project/{other.id}/insights")
    del body["project_id"]
    assert (await examined(room, **body)).json()["project_id"] == str(other.id)


async def test_a_key_that_may_do_everything_is_taken_with_a_warning(room: Room) -> None:
    answer = verdict(await examined(room, **room.keys()), "authenticate")
    assert (answer["ok"], answer["code"]) == (True, "scopes_wide")
    assert "query:read" in answer["hint"]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("phc_0123456789abcdef", "project_token_as_personal_key", "Many guides"),
        ("phs_0123456789abcdef", "secret_key_as_personal_key", "phs_"),
        ("pha_0123456789abcdef", "oauth_token_as_personal_key", "expires"),
        ("hdg_0123456789abcdef", "hedgerow_key_as_posthog_key", "Hedgerow"),
        ("phx_with space 0123", "key_malformed", "Copy it again"),
        ("phx_é0123456789", "key_malformed", "Copy it again"),
        ("phx_0123456789\r\nX-Evil: 1", "key_malformed", "Copy it again"),
    ],
)
async def test_another_key_where_the_personal_one_belongs_is_explained(
    room: Room, given: str, code: str, said: str
) -> None:
    answer = await examined(room, **room.keys(personal_api_key=given))
    found = verdict(answer, "authenticate")
    assert (answer.json()["ok"], found["ok"], found["code"]) == (False, False, code)
    assert said in found["detail"] + found["hint"]
    assert given not in answer.text
    assert room.us.requests == {}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("phx_0123456789abcdef", "personal_key_as_project_token"),
        ("phs_0123456789abcdef", "secret_key_as_project_token"),
    ],
)
async def test_a_secret_where_the_public_token_belongs_is_explained(room: Room, given: str, code: str) -> None:
    alone = await examined(room, host=US, project_token=given)
    beside = await examined(room, **room.keys(project_token=given))
    for answer in (alone, beside):
        assert answer.json()["ok"] is False
        assert verdict(answer, "capture")["code"] == code
        assert given not in answer.text


async def test_a_key_of_the_other_region_is_found_there_with_one_try(room: Room) -> None:
    answer = await examined(room, **room.keys(personal_api_key=room.eu.personal_api_key))
    found = verdict(answer, "authenticate")
    assert found["code"] == "wrong_region"
    assert EU in found["hint"]
    assert sum(room.eu.requests.values()) == 1


async def test_a_key_of_nowhere_is_refused_after_one_try_elsewhere(room: Room) -> None:
    answer = await examined(room, **room.keys(personal_api_key="phx_0123456789abcdef"))
    found = verdict(answer, "authenticate")
    assert found["code"] == "key_refused"
    assert "not revoked" in found["hint"]
    assert verdict(answer, "reach")["ok"] is True
    assert sum(room.eu.requests.values()) == 1


async def test_a_self_hosted_key_is_not_shown_to_the_cloud(room: Room) -> None:
    await examined(room, host=OWN, personal_api_key="phx_0123456789abcdef", project_id="1")
    assert room.posthogs.asked("us") == room.posthogs.asked("eu") == 0


async def test_a_token_of_the_other_region_is_found_there(room: Room) -> None:
    answer = await examined(room, host=US, project_token=room.eu.project_token)
    assert verdict(answer, "capture")["code"] == "wrong_region"
    assert EU in verdict(answer, "capture")["hint"]


async def test_a_key_bound_to_another_project_says_which_it_reaches(room: Room) -> None:
    other = room.us.add_project("Other")
    key = room.us.add_key(other.id, scoped_teams=[other.id])
    found = verdict(await examined(room, **room.keys(personal_api_key=key)), "query")
    assert (found["code"], found["required"]) == ("project_forbidden", True)
    assert f"reaches project {other.id}, not {room.us.project_id}" in found["detail"]


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("project", "project:read"),
        ("query", "query:read"),
        ("feature_flags", "feature_flag:read"),
        ("event_definitions", "event_definition:read"),
    ],
)
async def test_a_missing_scope_is_named(room: Room, name: str, scope: str) -> None:
    scopes = {"query:read", "project:read", "feature_flag:read", "event_definition:read"} - {scope}
    answer = await examined(room, **room.keys(personal_api_key=room.us.add_key(scopes=sorted(scopes))))
    found = verdict(answer, name)
    assert (found["ok"], found["code"]) == (False, "scope_missing")
    assert scope in found["detail"]
    assert answer.json()["ok"] is (scope != "query:read")


async def test_the_zone_is_read_by_query_where_the_project_may_not_be_read(room: Room) -> None:
    answer = await examined(room, **room.keys(personal_api_key=room.us.add_key(scopes=["query:read"])))
    assert (answer.json()["ok"], answer.json()["timezone"]) == (True, "Europe/Berlin")
    assert "Europe/Berlin, was read by query" in verdict(answer, "project")["detail"]


async def test_a_token_that_the_key_cannot_prove_is_not_used(room: Room) -> None:
    key = room.us.add_key(scopes=["query:read"])
    answer = await examined(room, **room.keys(personal_api_key=key, project_token=room.us.project_token))
    found = verdict(answer, "capture")
    assert (answer.json()["ok"], found["ok"], found["code"]) == (True, False, "project_token_unproved")
    assert "project:read" in found["hint"]


async def test_a_token_of_another_project_is_refused(room: Room) -> None:
    other = room.us.add_project("Other")
    answer = await examined(room, **room.keys(project_token=other.token))
    assert answer.json()["ok"] is False
    assert verdict(answer, "capture")["code"] == "project_token_of_other_project"


async def test_one_project_in_sight_needs_no_id_and_several_are_listed(room: Room) -> None:
    body = {"host": US, "personal_api_key": room.us.personal_api_key}
    assert (await examined(room, **body)).json()["project_id"] == room.us.project_id
    other = room.us.add_project("Second one")
    answer = await examined(room, **body)
    found = verdict(answer, "project")
    assert (answer.json()["ok"], found["code"]) == (False, "project_ambiguous")
    assert f"{other.id} (Second one)" in found["detail"]
    assert {one["id"] for one in answer.json()["projects"]} == {room.us.project_id, str(other.id)}
    by_token = await examined(room, **body, project_token=other.token)
    assert (by_token.json()["ok"], by_token.json()["project_id"]) == (True, str(other.id))


async def test_a_key_that_may_not_list_projects_is_asked_for_the_id(room: Room) -> None:
    answer = await examined(room, host=US, personal_api_key=room.us.add_key(scopes=["query:read"]))
    assert verdict(answer, "project")["code"] == "project_unknown"
    assert "/project/12345" in verdict(answer, "project")["hint"]


async def test_an_organisation_that_forbids_personal_keys_is_named(room: Room) -> None:
    room.us.add_project("Other", organization="Other")
    room.us.forbid_personal_keys()
    answer = await examined(room, **room.keys())
    assert answer.json()["ok"] is False
    assert verdict(answer, "authenticate")["code"] == "personal_keys_forbidden"


async def test_a_project_that_does_not_exist_is_said(room: Room) -> None:
    found = verdict(await examined(room, **room.keys(project_id=999)), "query")
    assert found["code"] in {"project_missing", "project_forbidden"}


async def test_capture_only_says_which_key_adds_metrics(room: Room) -> None:
    answer = await examined(room, host=US, project_token=room.us.project_token)
    assert answer.json()["ok"] is True
    assert [one["name"] for one in answer.json()["capabilities"] if one["required"]] == ["reach", "capture"]
    found = verdict(answer, "query")
    assert found["code"] == "personal_key_not_given"
    assert "query:read" in found["hint"]
    assert not any("/e" in path.split(" ")[-1] and "i/v0" not in path for path in room.us.requests)


async def test_a_token_of_nobody_is_found_out_without_an_event(room: Room) -> None:
    answer = await examined(room, host=OWN, project_token="phc_0123456789abcdef")
    assert answer.json()["ok"] is False
    assert verdict(answer, "capture")["code"] == "project_token_unknown"
    assert verdict(answer, "reach")["ok"] is True


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (Fault(kind="cloudflare"), "blocked_before_posthog", "User-Agent"),
        (Fault(kind="status", status=502, body="<html>"), "gateway", "down or restarting"),
        (
            Fault(kind="status", status=301, headers={"location": "https://elsewhere.example/"}),
            "redirected",
            "redirect",
        ),
    ],
)
async def test_what_stands_before_posthog_is_not_taken_for_posthog(
    room: Room, fault: Fault, code: str, said: str
) -> None:
    room.own.faults.set(fault)
    answer = await examined(room, host=OWN, personal_api_key=room.own.personal_api_key, project_id=room.own.project_id)
    found = verdict(answer, "reach")
    assert (answer.json()["ok"], found["ok"], found["code"]) == (False, False, code)
    assert said in found["hint"]


async def test_a_host_that_cannot_be_reached_gets_the_line_to_try(room: Room) -> None:
    answer = await examined(room, host="https://10.0.0.7", personal_api_key="phx_0123456789abcdef")
    found = verdict(answer, "reach")
    assert found["code"] == "address_refused"
    assert "HEDGEROW_ALLOWED_PRIVATE_HOSTS" in found["hint"]
    assert {one["code"] for one in answer.json()["capabilities"] if one["name"] != "reach"} == {"not_tested"}
    insecure = await examined(room, host="http://posthog.example.net", personal_api_key="phx_0123456789abcdef")
    assert verdict(insecure, "reach")["code"] == "address_refused"


async def test_an_answer_of_another_shape_is_named_as_such(room: Room) -> None:
    room.us.faults.set(Fault(kind="wrong_type", path="/api/projects"))
    answer = await examined(room, **room.keys())
    assert answer.json()["ok"] is False
    assert verdict(answer, "query")["code"] == "malformed_answer"


async def test_a_project_without_events_is_told_where_to_look(room: Room) -> None:
    answer = await examined(room, host=OWN, personal_api_key=room.own.personal_api_key, project_id=room.own.project_id)
    found = verdict(answer, "project")
    assert (found["ok"], found["code"]) == (True, "no_events_yet")
    assert "sends events" in found["hint"]


async def test_a_host_that_knows_the_token_and_takes_no_events_is_no_capture(room: Room) -> None:
    room.own.faults.set(Fault(kind="status", status=404, body="<html>", path="/i/v0"))
    answer = await examined(room, host=OWN, project_token=room.own.project_token)
    assert answer.json()["ok"] is False
    assert verdict(answer, "reach")["code"] == "not_posthog"
