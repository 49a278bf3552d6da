"""Hosts that never come to an end: pages upon pages, and answers that take for ever."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from functions.connect import testing
from functions.connect.testing import Asked
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import PostHogError
from hedgerow.posthog.hosts import Host
from tests.functions.connect.room import OWN, Room, ToLocalPostHogs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

KEY = SecretStr("phx_0123456789abcdef")


def endless(asked: list[str], delay: float = 0.0) -> ASGIApp:
    """Answers everything with a page and the address of the next one."""
    page = {"results": [{"id": 1}], "next": f"{OWN}/api/projects/1/feature_flags/?offset=1", "id": 1}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await asyncio.sleep(delay)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(page).encode()})

    return app


async def test_a_test_asks_little_of_a_host_whose_pages_do_not_end(room: Room) -> None:
    asked: list[str] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=endless(asked))) as http:
        app = replace(room.stage.app, outbound=ToLocalPostHogs(http, room.stage.app.outbound))
        await testing.examine(app, Asked(Host(OWN), KEY, project_id="1"))
    assert len(asked) == 5


async def test_a_count_of_flags_ends_though_the_pages_do_not() -> None:
    asked: list[str] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=endless(asked))) as http:
        with pytest.raises(PostHogError, match="do not end"):
            await PostHog(http, OWN, KEY, seconds=5.0).active_flags("1")
    assert len(asked) == 21


@pytest.mark.parametrize("capture_only", [True, False])
async def test_a_test_ends_though_each_call_would_still_be_in_time(room: Room, *, capture_only: bool) -> None:
    asked: list[str] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=endless(asked, 0.2))) as http:
        app = replace(room.stage.app, outbound=ToLocalPostHogs(http, room.stage.app.outbound))
        wanted = Asked(Host(OWN), token="phc_0123456789") if capture_only else Asked(Host(OWN), KEY, project_id="1")
        findings = await testing.examine(app, wanted, seconds=0.3)
    reach = findings.capabilities[0]
    assert (findings.ok, reach.name, reach.code) == (False, "reach", "timed_out")
    assert "0.3 seconds" in reach.detail
