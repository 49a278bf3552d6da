"""Flags: evaluation, the token check, definitions with ETag, the private list, remote config."""

from typing import Any

import pytest

from local.posthog import LocalPostHog
from tests.unit.local_posthog.conftest import Caller

VARIANTS: dict[str, Any] = {
    "groups": [{"properties": [], "rollout_percentage": 100}],
    "multivariate": {
        "variants": [{"key": "control", "rollout_percentage": 50}, {"key": "test", "rollout_percentage": 50}]
    },
    "payloads": {"test": '{"a": 1}'},
}


async def evaluated(caller: Caller, distinct_id: str = "u1", **body: Any) -> dict[str, Any]:
    token = caller.posthog.project_token
    answer = await caller.client.post("/flags/?v=2", json={"token": token, "distinct_id": distinct_id, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["flags"]
    return found


def rolled_out(percentage: int, *properties: dict[str, Any]) -> dict[str, Any]:
    return {"groups": [{"properties": list(properties), "rollout_percentage": percentage}]}


async def test_rollout_by_hash_is_stable_and_near_its_share(caller: Caller) -> None:
    caller.posthog.put_flag("half", filters=rolled_out(50))
    on = [(await evaluated(caller, f"user{n}"))["half"]["enabled"] for n in range(300)]
    again = [(await evaluated(caller, f"user{n}"))["half"]["enabled"] for n in range(300)]
    assert on == again
    assert 110 < sum(on) < 190


async def test_variants_and_their_payloads(caller: Caller) -> None:
    caller.posthog.put_flag("exp", filters=VARIANTS)
    found = [(await evaluated(caller, f"user{n}"))["exp"] for n in range(60)]
    assert {flag["variant"] for flag in found} == {"control", "test"}
    assert {flag["metadata"]["payload"] for flag in found if flag["variant"] == "test"} == {'{"a": 1}'}


@pytest.mark.parametrize(
    ("operator", "value", "plan", "on"),
    [
        ("exact", ["pro"], "pro", True),
        ("exact", ["pro"], "free", False),
        ("exact", ["pro"], None, False),
        ("is_not", "pro", "free", True),
        ("icontains", "RO", "pro", True),
        ("regex", "^p", "pro", True),
        ("gt", 5, 6, True),
        ("gt", 5, "x", False),
        ("is_set", None, "pro", True),
        ("is_not_set", None, None, True),
        ("invented", "pro", "pro", False),
    ],
)
async def test_property_conditions(caller: Caller, operator: str, value: Any, plan: Any, on: bool) -> None:
    condition = {"key": "plan", "type": "person", "operator": operator, "value": value}
    caller.posthog.put_flag("f", filters=rolled_out(100, condition))
    properties = {} if plan is None else {"plan": plan}
    assert (await evaluated(caller, person_properties=properties))["f"]["enabled"] is on


async def test_stored_person_properties_count(caller: Caller) -> None:
    caller.posthog.put_flag("f", filters=rolled_out(100, {"key": "plan", "value": ["pro"], "type": "person"}))
    await caller.capture({"event": "$set", "distinct_id": "u1", "$set": {"plan": "pro"}})
    assert (await evaluated(caller))["f"]["enabled"] is True
    assert (await evaluated(caller, "u2"))["f"]["enabled"] is False


@pytest.mark.parametrize("path", ["/flags", "/flags/", "/decide/?v=3"])
async def test_token_and_id_are_checked(caller: Caller, path: str) -> None:
    unknown = await caller.client.post(path, json={"token": "phc_nobody", "distinct_id": "u"})
    assert (unknown.status_code, unknown.json()["code"]) == (401, "authentication_failed")
    missing = await caller.client.post(path, json={"distinct_id": "u"})
    assert (missing.status_code, missing.json()["code"]) == (401, "not_authenticated")
    nobody = await caller.client.post(path, json={"token": caller.posthog.project_token})
    assert nobody.status_code == 400
    assert nobody.headers["content-type"].startswith("text/plain")


async def test_decide_keeps_its_old_shape(caller: Caller) -> None:
    caller.posthog.put_flag("on")
    caller.posthog.put_flag("off", active=False)
    body = {"api_key": caller.posthog.project_token, "distinct_id": "u"}
    answer = (await caller.client.post("/decide/?v=3", json=body)).json()
    assert answer["featureFlags"] == {"on": True, "off": False}


async def test_definitions_have_an_etag_that_saves_repeating(caller: Caller) -> None:
    caller.posthog.put_flag("on")
    for path in ("/flags/definitions?token={}&send_cohorts", "/api/feature_flag/local_evaluation?token={}"):
        address = path.format(caller.posthog.project_token)
        first = await caller.client.get(address)
        assert [flag["key"] for flag in first.json()["flags"]] == ["on"]
        assert set(first.json()) == {"flags", "group_type_mapping", "cohorts"}
        tag = first.headers["etag"]
        for form in (tag, tag.removeprefix("W/"), tag.removeprefix("W/").strip('"')):
            again = await caller.client.get(address, headers={"If-None-Match": form})
            assert (again.status_code, again.content) == (304, b"")
        assert (await caller.client.post(address)).status_code == 405
    caller.posthog.put_flag("on", active=False)
    assert (await caller.client.get(address, headers={"If-None-Match": tag})).status_code == 200


async def test_the_private_list_hides_deleted_flags_and_pages(caller: Caller) -> None:
    for number in range(5):
        caller.posthog.put_flag(f"flag-{number}", active=number % 2 == 0)
    caller.posthog.put_flag("gone", deleted=True)
    path = f"/api/projects/{caller.posthog.project_id}/feature_flags/"
    everything = (await caller.client.get(path)).json()
    assert everything["count"] == 5
    keys, address = [], path + "?limit=2"
    while address:
        page = (await caller.client.get(address)).json()
        keys += [flag["key"] for flag in page["results"]]
        address = page["next"]
    assert sorted(keys) == [f"flag-{number}" for number in range(5)]
    active = (await caller.client.get(path + "?active=true&search=FLAG")).json()
    assert active["count"] == 3
    assert (await caller.client.get(path + "6/")).json()["deleted"] is True


async def test_remote_config_and_lists_for_sdks(caller: Caller, posthog: LocalPostHog) -> None:
    client, token = caller.client, posthog.project_token
    assert (await client.get(f"/array/{token}/config")).json()["token"] == token
    script = await client.get(f"/array/{token}/config.js", headers={"Origin": "https://a.test"})
    assert token in script.text
    assert script.headers["access-control-allow-origin"] == "https://a.test"
    assert (await client.get("/array/phc_nobody/config")).status_code == 404
    assert (await client.get(f"/api/surveys/?token={token}")).json()["surveys"] == []
    assert (await client.get("/api/surveys/?token=phc_nobody")).json()["code"] == "invalid_api_key"
    assert (await client.get("/_readiness")).text == "capture"
    assert (await client.get("/_preflight")).json()["cloud"] is False
