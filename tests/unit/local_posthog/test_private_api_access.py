"""The private API's doors: errors in PostHog's shape, scopes, projects of a key, organisations, rates."""

from typing import Any

import httpx
import pytest

from local.posthog.limits import Rate
from tests.unit.local_posthog.conftest import Caller


async def get(caller: Caller, path: str, key: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    transport = httpx.ASGITransport(app=caller.posthog.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://posthog.test") as client:
        return await client.get(path, headers=headers)


def error(kind: str, code: str, detail: str) -> dict[str, Any]:
    return {"type": kind, "code": code, "detail": detail, "attr": None}


async def test_no_key_and_wrong_keys(caller: Caller) -> None:
    project = f"/api/projects/{caller.posthog.project_id}/"
    missing = await get(caller, project, None)
    assert (missing.status_code, missing.json()) == (
        401,
        error("authentication_error", "not_authenticated", "Authentication credentials were not provided."),
    )
    for wrong in ("phx_nobody", caller.posthog.project_token):
        refused = await get(caller, project, wrong)
        assert (refused.status_code, refused.json()) == (
            401,
            error(
                "authentication_error",
                "authentication_failed",
                "Personal API key found in request Authorization header is invalid.",
            ),
        )
    in_query = await get(caller, project + "?personal_api_key=phx_x", None)
    assert in_query.json()["detail"] == "Personal API key found in request query string is invalid."


async def test_a_revoked_key_is_invalid(caller: Caller) -> None:
    key = caller.posthog.add_key()
    project = f"/api/projects/{caller.posthog.project_id}/"
    assert (await get(caller, project, key)).status_code == 200
    caller.posthog.revoke_key(key)
    assert (await get(caller, project, key)).status_code == 401


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/api/projects/{id}/", "project:read"),
        ("/api/environments/{id}/", "project:read"),
        ("/api/projects/", "project:read"),
        ("/api/users/@me/", "user:read"),
        ("/api/organizations/@current/", "organization:read"),
        ("/api/projects/{id}/feature_flags/", "feature_flag:read"),
        ("/api/projects/{id}/event_definitions/", "event_definition:read"),
        ("/api/projects/{id}/property_definitions/", "property_definition:read"),
        ("/api/projects/{id}/persons/", "person:read"),
        ("/api/projects/@current/cohorts/", "cohort:read"),
    ],
)
async def test_each_call_needs_its_scope(caller: Caller, path: str, scope: str) -> None:
    path = path.format(id=caller.posthog.project_id)
    refused = await get(caller, path, caller.posthog.add_key(scopes=["other:read"]))
    assert (refused.status_code, refused.json()) == (
        403,
        error("authentication_error", "permission_denied", f"API key missing required scope '{scope}'"),
    )
    for scopes in ([scope], [scope.replace("read", "write")], ["*"]):
        key = caller.posthog.add_key(scopes=scopes)
        assert (await get(caller, path, key)).status_code == 200
        assert (await get(caller, path.rstrip("/"), key)).status_code == 200


async def test_a_query_needs_query_read(caller: Caller) -> None:
    caller.client.headers["Authorization"] = f"Bearer {caller.posthog.add_key(scopes=['project:read'])}"
    answer = await caller.ask("select 1")
    assert (answer.status_code, answer.json()["detail"]) == (403, "API key missing required scope 'query:read'")


async def test_keys_held_to_projects(caller: Caller) -> None:
    first, second = caller.posthog.project, caller.posthog.add_project("Second")
    key = caller.posthog.add_key(scoped_teams=[first.id])
    assert (await get(caller, f"/api/projects/{first.id}/", key)).status_code == 200
    refused = await get(caller, f"/api/projects/{second.id}/", key)
    assert refused.status_code == 403
    assert refused.json()["detail"] == (f"API key does not have access to the requested project: ID {second.id}.")
    refused = await get(caller, "/api/organizations/@current/", key)
    assert refused.json()["detail"] == ("API keys with scoped projects are only supported on project-based endpoints.")
    assert (await get(caller, "/api/users/@me/", key)).status_code == 200


async def test_another_organisations_project_and_one_that_is_none(caller: Caller) -> None:
    foreign = caller.posthog.add_project("Foreign", organization="Elsewhere")
    key = caller.posthog.personal_api_key
    refused = await get(caller, f"/api/projects/{foreign.id}/", key)
    assert (refused.status_code, refused.json()["detail"]) == (403, "You don't have access to the project.")
    for absent in ("999", "x", "1.5", "99999999999999999999999"):
        missing = await get(caller, f"/api/projects/{absent}/", key)
        assert (missing.status_code, missing.json()) == (
            404,
            error("invalid_request", "not_found", "Project not found."),
        )
    caller.posthog.change_project(is_deleted=True)
    assert (await get(caller, f"/api/projects/{caller.posthog.project_id}/", key)).status_code == 404


async def test_an_organisation_may_forbid_personal_keys(caller: Caller) -> None:
    caller.posthog.forbid_personal_keys()
    refused = await caller.ask("select 1")
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        (
            "Organization 'Local organisation' does not allow using personal API keys. "
            "Contact an admin to enable personal API keys for this organization."
        ),
    )


async def test_a_project_token_in_the_query_overrides_the_path(caller: Caller) -> None:
    second = caller.posthog.add_project("Second")
    key = caller.posthog.personal_api_key
    answer = await get(caller, f"/api/projects/{caller.posthog.project_id}/?token={second.token}", key)
    assert answer.json()["id"] == second.id
    assert (await get(caller, "/api/projects/1/?token=phc_nobody", key)).status_code == 401


async def test_unknown_paths_and_methods(caller: Caller) -> None:
    client = caller.client
    missing = await client.get("/api/nothing/")
    assert (missing.status_code, missing.json()) == (
        404,
        error("invalid_request", "not_found", "Endpoint not found."),
    )
    page = await client.get("/insights/new")
    assert page.headers["content-type"].startswith("text/html")
    wrong = await client.put(f"/api/projects/{caller.posthog.project_id}/")
    assert (wrong.status_code, wrong.json()) == (
        405,
        error("invalid_request", "method_not_allowed", 'Method "PUT" not allowed.'),
    )
    broken = await client.post(f"/api/projects/{caller.posthog.project_id}/query/", content=b"{")
    assert (broken.status_code, broken.json()["code"]) == (400, "parse_error")


async def test_rate_limits_slide_and_say_how_long(caller: Caller) -> None:
    from datetime import timedelta

    caller.posthog.limits.shrink("query", Rate(2, 60))
    assert (await caller.ask("select 1")).status_code == 200
    caller.posthog.clock.advance(timedelta(seconds=20))
    assert (await caller.ask("select 1")).status_code == 200
    caller.posthog.clock.advance(timedelta(seconds=10))
    refused = await caller.ask("select 1")
    assert (refused.status_code, refused.headers["retry-after"], refused.json()) == (
        429,
        "30",
        error("throttled_error", "throttled", "Request was throttled. Expected available in 30 seconds."),
    )
    caller.posthog.clock.advance(timedelta(seconds=30))
    assert (await caller.ask("select 1")).status_code == 200
    assert (await caller.ask("select 1")).headers["retry-after"] == "20"


async def test_posthogs_own_numbers_hold_by_default(caller: Caller) -> None:
    answers = [await caller.ask("select 1", refresh="blocking") for _ in range(241)]
    assert [answer.status_code for answer in answers] == [200] * 240 + [429]
    caller.posthog.limits.lift()
    assert (await caller.ask("select 1")).status_code == 200


async def test_the_fourth_query_waits_and_is_then_refused_without_a_time(caller: Caller) -> None:
    import asyncio

    limits = caller.posthog.limits
    limits.query_seconds, limits.longest_wait = 1.0, 0.2
    answers = await asyncio.gather(*(caller.ask(f"select {n}") for n in range(4)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 1
    assert "retry-after" not in refused[0].headers
    assert refused[0].json()["detail"].startswith("Exceeded maximum concurrency limit: 3 for key: api:query:per-org:")
    limits.longest_wait = 30.0
    answers = await asyncio.gather(*(caller.ask(f"select {n}") for n in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4


async def test_secret_keys_open_little(caller: Caller) -> None:
    secret = caller.posthog.installation.directory.add_secret_key(caller.posthog.project.id).token
    refused = await get(caller, f"/api/projects/{caller.posthog.project_id}/", secret)
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "This action does not support project secret API key access",
    )
    assert (await get(caller, "/api/feature_flag/local_evaluation", secret)).status_code == 200
