"""What a PostHog says of itself reaches users in one line, without control characters and halves of characters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from functions.connect.main import connect
from hedgerow.foreign import printable
from tests.functions.connect.room import OWN, Room, ToLocalPostHogs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

KEY = "phx_0123456789abcdef"


def saying(status: int, body: bytes) -> ASGIApp:
    """Answers everything with this."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


async def connecting(room: Room, far: ASGIApp) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=far)) as http:
        room.stage.app = replace(room.stage.app, outbound=ToLocalPostHogs(http, room.stage.app.outbound))
        key = await room.stage.key(await room.stage.tenant())
        async with room.stage.calling(connect, key) as client:
            return await client.post("/v1/connections", json={"host": OWN, "personal_api_key": KEY, "project_id": 1})


async def test_half_a_character_in_a_refusal_is_no_crash(room: Room) -> None:
    far = saying(401, rb'{"type": "authentication_error", "detail": "No\ud800 such\u001b[31m\nkey"}')
    answer = await connecting(room, far)
    assert (answer.status_code, answer.json()["code"]) == (422, "connection_test_failed")
    assert answer.json()["detail"].endswith(": No  such [31m key")


async def test_a_projects_name_is_cleaned_before_it_names_the_connection(room: Room) -> None:
    name = rb'"\u001b[2JShop\r\n\u2028\ud800"'
    far = saying(200, b'{"id": 1, "name": %s, "results": [[1]], "columns": ["a"]}' % name)
    answer = await connecting(room, far)
    assert (answer.status_code, answer.json()["name"]) == (201, "[2JShop")


@pytest.mark.parametrize(("text", "plain"), [("Läden 🎉", "Läden 🎉"), ("a\tb\x00c\x9b", "a b c"), ("\udc80", "")])
def test_only_what_cannot_be_shown_is_cut(text: str, plain: str) -> None:
    assert printable(text) == plain
