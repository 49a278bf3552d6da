"""The public address: which family a call goes to, and what a path of nobody answers."""

from __future__ import annotations

import pytest

from functions.api import routes
from functions.api.main import api
from tests.stage import ADMIN_KEY, staged


@pytest.mark.parametrize(
    ("method", "path", "family"),
    [
        ("POST", "/v1/tenants", "connect"),
        ("PATCH", "/v1/tenants/ten_1", "connect"),
        ("DELETE", "/v1/tenants/ten_1", "disconnect"),
        ("DELETE", "/v1/tenants/ten_1/keys/key_1", "connect"),
        ("POST", "/v1/connections/test", "connect"),
        ("GET", "/v1/connections/con_1", "connect"),
        ("GET", "/v1/connections/con_1/runs/run_1", "sync"),
        ("POST", "/v1/ticks/pro", "sync"),
        ("GET", "/v1/metrics/catalog", "metrics"),
        ("GET", "/v1/connections/con_1/metrics", "metrics"),
        ("POST", "/v1/connections/con_1/disconnect", "disconnect"),
    ],
)
def test_each_call_goes_to_the_family_the_manifest_names(method: str, path: str, family: str) -> None:
    target = routes.match(method, path)
    assert target is not None
    assert target.name == family


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/connections/", "/v1/connections/a/b/c", "/sync_tick", "/v1/tenants/a/b"]
)
def test_a_path_of_nobody_matches_no_family(path: str) -> None:
    assert routes.match("GET", path) is None


def test_private_targets_have_no_public_path() -> None:
    assert all(not target.paths for target in routes.targets().values() if target.trigger != "http")


async def test_a_path_of_nobody_tells_a_stranger_only_that_a_key_is_missing() -> None:
    async with staged() as stage, stage.calling(api, None) as client:
        answer = await client.get("/v1/nothing/here")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")


async def test_a_path_of_nobody_is_a_problem_document_for_who_has_a_key() -> None:
    async with staged() as stage, stage.calling(api, ADMIN_KEY) as client:
        answer = await client.get("/v1/nothing/here")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"code", "detail", "hint"}


async def test_a_call_reaches_its_family() -> None:
    async with staged() as stage:
        key = await stage.key(await stage.tenant())
        async with stage.calling(api, key) as client:
            answer = await client.get("/v1/metrics/catalog")
    assert answer.status_code == 200
    assert "posthog_dau" in {entry["name"] for entry in answer.json()["items"]}


async def test_a_known_path_with_another_method_is_405() -> None:
    async with staged() as stage:
        key = await stage.key(await stage.tenant())
        async with stage.calling(api, key) as client:
            answer = await client.put("/v1/metrics/catalog")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
