"""An operator's Google identity token in place of the admin key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from functions.connect.main import connect
from tests.google_tokens import Issued, certificates
from tests.loopback import Loopback, answering, http
from tests.stage import Stage, staged

PUBLIC_URL = "https://hedgerow.example.com"
OPERATOR = "anna@example.com"


@dataclass
class Room:
    stage: Stage
    certs: Loopback

    def token(self, **claims: object) -> Issued:
        return Issued(self.stage.clock(), claims={"aud": PUBLIC_URL, "email": OPERATOR, **claims})

    async def call(self, bearer: str, **settings: object) -> tuple[int, str]:
        """The status and code of a call that only an operator may make."""
        wanted = {"public_url": PUBLIC_URL, "operator_emails": (OPERATOR,), **settings}
        wanted["google_certs"] = f"http://127.0.0.1:{self.certs.port}/certs"
        stage = replace(
            self.stage, app=replace(self.stage.app, settings=self.stage.app.settings.model_copy(update=wanted))
        )
        async with stage.calling(connect, bearer) as client:
            answer = await client.get("/v1/tenants")
        return answer.status_code, str(answer.json().get("code", ""))


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with answering(http(certificates("first"))) as certs, staged([f"127.0.0.1:{certs.port}"]) as stage:
        yield Room(stage, certs)


async def test_an_operator_shows_a_token_of_google_for_this_address(room: Room) -> None:
    assert await room.call(room.token().signed()) == (200, "")
    assert await room.call(
        room.token(aud="https://api-abc.a.run.app").signed(), audience="https://api-abc.a.run.app"
    ) == (
        200,
        "",
    )


@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        ({"aud": "https://elsewhere.example.com"}, 403, "wrong_audience"),
        ({"email": "eve@example.com"}, 403, "wrong_caller"),
        ({"email_verified": False}, 403, "wrong_caller"),
        ({"iss": "https://example.com"}, 403, "wrong_issuer"),
        ({"exp": 1}, 401, "token_expired"),
    ],
)
async def test_whatever_else_google_signed_is_refused(
    room: Room, claims: dict[str, object], status: int, code: str
) -> None:
    assert await room.call(room.token(**claims).signed()) == (status, code)


async def test_who_may_call_the_private_functions_is_no_operator(room: Room) -> None:
    scheduler = "hedgerow-by-scheduler@my-project.iam.gserviceaccount.com"
    token = room.token(email=scheduler).signed()
    assert await room.call(token, identity="claims", invoker_emails=(scheduler,)) == (403, "wrong_caller")


async def test_a_forged_token_learns_nothing_of_who_is_an_operator(room: Room) -> None:
    assert await room.call(room.token().signed(by="another")) == (401, "bad_signature")
    assert await room.call(room.token(email="eve@example.com").signed(by="another")) == (401, "bad_signature")
    assert await room.call(room.token().cut()) == (401, "bad_signature")


async def test_without_operators_a_token_is_an_unknown_key_and_nobody_is_asked(room: Room) -> None:
    assert await room.call(room.token().signed(), operator_emails=()) == (401, "key_unknown")
    assert not room.certs.seen


async def test_without_an_audience_no_token_is_taken(room: Room, capfd: pytest.CaptureFixture[str]) -> None:
    assert await room.call(room.token().signed(), public_url="") == (503, "identity_misconfigured")
    assert "HEDGEROW_PUBLIC_URL" in capfd.readouterr().err


async def test_keys_of_ours_still_open_the_door_while_google_is_away(room: Room) -> None:
    room.certs.answer = http(b"", "503 Service Unavailable")
    assert await room.call("the-operators-key") == (200, "")
    assert await room.call(room.token().signed()) == (503, "keys_unavailable")
