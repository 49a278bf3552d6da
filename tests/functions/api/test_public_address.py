"""The public address: which family a call goes to, and what a path of nobody answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from functions.api import routes
from functions.api.main import address, api
from tests.stage import ADMIN_KEY, staged

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "There is no manifest.json."),
        ('{"connect": ', "manifest.json is not JSON"),
        ('{"connect": {}}', "`connect` in manifest.json lacks"),
    ],
)
async def test_a_manifest_that_cannot_be_read_is_not_ready_for_the_caller_and_a_line_in_the_log(
    written: str | None, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "manifest.json"
    if written is not None:
        file.write_text(written, encoding="utf-8")
    async with staged() as stage, stage.calling(address(file), ADMIN_KEY) as client:
        answers = [await client.get(path) for path in ("/v1/tenants", "/v1/nothing/here")]
        alive = await client.get("/health")
        file.write_bytes(routes.MANIFEST.read_bytes())
        mended = await client.get("/v1/tenants")
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "manifest" not in answer.text
    assert (alive.status_code, mended.status_code) == (200, 200)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    failed = [line for line in lines if line["event"] == "request.failed"]
    assert len(failed) == 2
    assert {(line["severity"], line["code"]) for line in failed} == {("ERROR", "bad_manifest")}
    assert said in failed[0]["detail"]
    assert failed[0]["hint"]
