"""Where a question goes, with a token and without; and that nobody can choose it."""

from __future__ import annotations

import pytest

from functions.capture.through.upstreams import Upstreams
from hedgerow.models import Connection
from tests.functions.capture.passing_room import furnished, get, json_answer
from tests.stage import Stage, staged

US, EU = "https://us.i.posthog.com", "https://eu.i.posthog.com"
US_ASSETS, EU_ASSETS = "https://us-assets.i.posthog.com", "https://eu-assets.i.posthog.com"
OWN = "https://posthog.example.com"
SHOP = ("origin", "https://shop.example")


@pytest.mark.parametrize(
    ("origin", "path", "expected"),
    [
        (US, "/static/array.js", US_ASSETS),
        (EU, "/static/array.js", EU_ASSETS),
        (EU, "/array/phc_a/config.js", EU_ASSETS),
        (EU, "/flags", EU),
        (US, "/flags/definitions", US),
        (US, "/api/surveys/", US),
        ("https://app.posthog.com", "/static/array.js", US_ASSETS),
        (OWN, "/static/array.js", OWN),
        (OWN, "/array/phc_a/config", OWN),
    ],
)
async def test_a_known_project_leads_to_its_own_hosts(origin: str, path: str, expected: str) -> None:
    async with staged() as stage:
        assert await Upstreams(stage.app).of(get(path), origin) == expected


async def _connect(stage: Stage, host: str, name: str = "Acme") -> Connection:
    return await stage.connection(await stage.tenant(name=name), host=host)


async def test_without_a_token_the_only_host_of_the_installation_serves() -> None:
    async with staged() as stage:
        await _connect(stage, "https://eu.posthog.com")
        await _connect(stage, "https://eu.posthog.com")
        assert await Upstreams(stage.app).of(get("/static/array.js", SHOP), None) == EU_ASSETS


async def test_without_a_token_the_host_the_page_used_last_serves() -> None:
    async with staged() as stage:
        await _connect(stage, "https://eu.posthog.com")
        await _connect(stage, "https://us.posthog.com")
        upstreams = Upstreams(stage.app)
        await upstreams.of(get("/flags", SHOP, method="POST"), EU)
        assert await upstreams.of(get("/static/array.js", SHOP), None) == EU_ASSETS
        from_page = get("/static/array.js", ("referer", "https://shop.example/cart?id=1"))
        assert await upstreams.of(from_page, None) == EU_ASSETS
        assert await upstreams.of(get("/static/array.js", ("origin", "https://other.example")), None) == US_ASSETS
        assert await upstreams.of(get("/site_app/1/2/3/", ("origin", "https://other.example")), None) is None


async def test_one_tenant_cannot_put_its_host_under_anothers_page() -> None:
    async with staged() as stage:
        await _connect(stage, "https://eu.posthog.com")
        await _connect(stage, OWN, "Mallory")
        upstreams = Upstreams(stage.app)
        await upstreams.of(get("/flags", SHOP, method="POST"), OWN)
        assert await upstreams.of(get("/static/array.js", SHOP), None) == US_ASSETS


async def test_a_tenant_alone_is_served_from_its_own_host() -> None:
    async with staged() as stage:
        tenant = await stage.tenant()
        await stage.connection(tenant, host="https://eu.posthog.com")
        await stage.connection(tenant, host=OWN)
        upstreams = Upstreams(stage.app)
        await upstreams.of(get("/flags", SHOP, method="POST"), OWN)
        assert await upstreams.of(get("/static/array.js", SHOP), None) == OWN


async def test_an_empty_installation_serves_posthogs_own_scripts() -> None:
    async with staged() as stage:
        assert await Upstreams(stage.app).of(get("/static/array.js"), None) == US_ASSETS


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/flags/definitions"),
        ("POST", "/flags"),
        ("GET", "/array/phc_unknown/config.js"),
        ("GET", "/api/surveys/"),
        ("GET", "/api/projects/@current/"),
        ("GET", "/login"),
        ("POST", "/static/array.js"),
        ("GET", "//static/array.js"),
        ("GET", "/@evil.example/static/"),
    ],
)
async def test_without_a_known_project_nothing_else_is_asked_for(method: str, path: str) -> None:
    async with furnished(json_answer("{}")) as room:
        stage = room.stage
        await _connect(stage, "https://eu.posthog.com")
        assert await room.passing.answer(get(path, SHOP, method=method), None) is None
        assert room.upstream.seen == []


async def test_the_guard_refuses_a_private_upstream() -> None:
    async with furnished(json_answer("{}")) as room:
        passed = await room.ask(get("/api/anything"), "https://169.254.169.254")
        other = await room.ask(get("/array/phc_ours/config"), "http://127.0.0.1:1")
    assert (passed.status, other.status) == (503, 503)
