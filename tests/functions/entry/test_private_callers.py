"""Who may call a schedule or topic target: the claims of its token, or its signature too."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.sync.main import sync_tick
from hedgerow import wiring
from hedgerow.identity import misconfigured
from hedgerow.settings import Settings
from tests.google_tokens import AUDIENCE, EMAIL, Issued, certificates, encoded
from tests.loopback import Loopback, answering, http
from tests.stage import Stage, staged

HOST = AUDIENCE.removeprefix("https://")


@pytest.fixture
async def certs() -> AsyncIterator[Loopback]:
    async with answering(http(certificates("first"), "200 OK", "Cache-Control: public, max-age=3600")) as server:
        yield server


@dataclass
class Room:
    stage: Stage
    certs: Loopback

    def token(self, **claims: object) -> Issued:
        return Issued(self.stage.clock(), claims=claims)

    async def call(
        self, token: str | None, header: str = "Authorization", *, host: str = HOST, **settings: object
    ) -> tuple[int, str]:
        """The status and code of a call to a private target, with `claims` unless told otherwise."""
        wanted = {"identity": "claims", "invoker_emails": (EMAIL,), **settings}
        wanted["google_certs"] = f"http://127.0.0.1:{self.certs.port}/certs"
        app = replace(self.stage.app, settings=self.stage.app.settings.model_copy(update=wanted))

        async def target(scope: Scope, receive: Receive, send: Send) -> None:
            answer = cast("ASGIApp", await sync_tick(Request(scope, receive)))
            await answer(scope, receive, send)

        headers = {b"Host": host.encode()}
        if token is not None:
            headers[header.encode()] = f"Bearer {token}".encode("latin-1")
        transport = httpx.ASGITransport(app=target)
        with wiring.override(app):
            async with httpx.AsyncClient(transport=transport, base_url=AUDIENCE, headers=headers) as client:
                answer = await client.post("/", json={"tier": "pro"})
        return answer.status_code, str(answer.json().get("code", ""))


@pytest.fixture
async def room(certs: Loopback) -> AsyncIterator[Room]:
    async with staged([f"127.0.0.1:{certs.port}"]) as stage:
        yield Room(stage, certs)


async def test_a_token_whose_signature_the_platform_cut_is_let_in_by_its_claims(room: Room) -> None:
    assert await room.call(room.token().cut()) == (200, "")
    assert not room.certs.seen


@pytest.mark.parametrize("issuer", ["accounts.google.com", "https://accounts.google.com"])
async def test_google_spells_its_name_in_two_ways(room: Room, issuer: str) -> None:
    assert await room.call(room.token(iss=issuer).cut()) == (200, "")


async def test_the_header_that_the_platform_checks_instead_is_the_one_looked_at(room: Room) -> None:
    assert await room.call(room.token().cut(), "X-Serverless-Authorization") == (200, "")


CLAIMS: list[tuple[dict[str, object], int, str]] = [
    ({"iss": "https://accounts.example.com"}, 403, "wrong_issuer"),
    ({"iss": "https://accounts.google.com.example.com"}, 403, "wrong_issuer"),
    ({"aud": "https://another-abc.a.run.app"}, 403, "wrong_audience"),
    ({"aud": f"http://{HOST}"}, 403, "wrong_audience"),
    ({"aud": f"{AUDIENCE}.example.com"}, 403, "wrong_audience"),
    ({"aud": "https://["}, 403, "wrong_audience"),
    ({"aud": [AUDIENCE]}, 401, "token_malformed"),
    ({"email": "stranger@project.iam.gserviceaccount.com"}, 403, "wrong_caller"),
    ({"email": f"{EMAIL}.example.com"}, 403, "wrong_caller"),
    ({"email": f"a-{EMAIL}"}, 403, "wrong_caller"),
    ({"email": ...}, 403, "wrong_caller"),
    ({"email_verified": False}, 403, "wrong_caller"),
    ({"email_verified": "true"}, 403, "wrong_caller"),
    ({"exp": ...}, 401, "token_malformed"),
    ({"exp": True}, 401, "token_malformed"),
    ({"exp": float("nan")}, 401, "token_malformed"),
    ({"iat": "now"}, 401, "token_malformed"),
]


@pytest.mark.parametrize(("claims", "status", "code"), CLAIMS)
async def test_each_wrong_claim_has_its_own_code(room: Room, claims: dict[str, object], status: int, code: str) -> None:
    assert await room.call(room.token(**claims).cut()) == (status, code)
    assert await room.call(room.token(**claims).signed(), identity="signature", audience=AUDIENCE) == (status, code)


async def test_the_path_of_an_audience_is_passed_over_only_where_none_is_set(room: Room) -> None:
    token = room.token(aud=f"{AUDIENCE}/some/path").cut()
    assert await room.call(token) == (200, "")
    assert await room.call(token, audience=AUDIENCE) == (403, "wrong_audience")
    assert await room.call(room.token(aud="my-audience").cut(), audience="my-audience") == (200, "")


async def test_a_call_to_no_address_is_not_for_a_token_to_none(room: Room) -> None:
    for audience in ("", "https://", "no address"):
        assert await room.call(room.token(aud=audience).cut(), host="") == (403, "wrong_audience"), audience


async def test_clocks_may_be_a_minute_apart_and_no_more(room: Room) -> None:
    token = room.token().cut()
    room.stage.clock.forward(timedelta(minutes=60, seconds=59))
    assert await room.call(token) == (200, "")
    room.stage.clock.forward(timedelta(seconds=1))
    assert await room.call(token) == (401, "token_expired")
    room.stage.clock.forward(-timedelta(minutes=62))
    assert await room.call(token) == (200, "")
    room.stage.clock.forward(-timedelta(seconds=1))
    assert await room.call(token) == (401, "token_from_the_future")


async def test_what_is_no_token_is_refused_before_it_is_taken_apart(room: Room) -> None:
    deep = encoded(b"[" * 5_000)
    for text in (
        "x",
        "a.b",
        "a.b.c.d",
        "....",
        f"{deep}.{deep}.x",
        "e30.e30.é",
        f"{encoded(b'[]')}.{encoded(b'[]')}.x",
    ):
        assert await room.call(text.encode().decode("latin-1")) == (401, "token_malformed"), text[:20]
    huge = room.token(padding="x" * 9_000).cut()
    assert await room.call(huge) == (401, "token_malformed")
    assert await room.call(None) == (401, "token_missing")
    assert await room.call("") == (401, "token_missing")


async def test_a_signature_is_checked_against_the_key_it_names(room: Room) -> None:
    wanted: dict[str, Any] = {"identity": "signature", "audience": AUDIENCE}
    assert await room.call(room.token().signed(), **wanted) == (200, "")
    assert await room.call(room.token().signed(by="another"), **wanted) == (401, "bad_signature")
    assert await room.call(room.token().cut(), **wanted) == (401, "bad_signature")
    changed = room.token(email=EMAIL, more=1).body().decode() + "." + room.token().signed().rpartition(".")[2]
    assert await room.call(changed, **wanted) == (401, "bad_signature")
    assert len(room.certs.seen) == 1


async def test_the_algorithm_a_token_names_decides_nothing(room: Room) -> None:
    wanted: dict[str, Any] = {"identity": "signature", "audience": AUDIENCE}
    none = Issued(room.stage.clock(), header={"alg": "none"})
    assert await room.call(f"{none.body().decode()}.", **wanted) == (401, "bad_signature")
    assert await room.call(none.signed(), **wanted) == (401, "bad_signature")
    confused = Issued(room.stage.clock(), header={"alg": "HS256"})
    public = json.loads(certificates("first"))["first"].encode()
    forged = encoded(hmac.digest(public, confused.body(), hashlib.sha256))
    assert await room.call(f"{confused.body().decode()}.{forged}", **wanted) == (401, "bad_signature")
    plain = Issued(room.stage.clock())
    forged = encoded(hmac.digest(public, plain.body(), hashlib.sha256))
    assert await room.call(f"{plain.body().decode()}.{forged}", **wanted) == (401, "bad_signature")


async def test_no_part_of_a_refused_token_is_answered_or_logged(room: Room, capfd: pytest.CaptureFixture[str]) -> None:
    token = room.token(email="secret@example.com").cut()
    assert (await room.call(token))[1] == "wrong_caller"
    said = capfd.readouterr()
    assert "wrong_caller" in said.err
    assert not any(part in said.out + said.err for part in (*token.split(".")[:2], "secret@"))


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"identity": "claims", "invoker_emails": ()}, "HEDGEROW_INVOKER_EMAILS"),
        ({"identity": "signature"}, "HEDGEROW_AUDIENCE"),
        ({"identity": "off"}, "HEDGEROW_IDENTITY"),
        ({"pubsub_emulator": "127.0.0.1:1"}, "PUBSUB_EMULATOR_HOST"),
    ],
)
async def test_settings_that_name_nobody_let_nobody_in_and_say_which(
    room: Room, settings: dict[str, Any], variable: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await room.call(room.token().signed(), **settings) == (503, "identity_misconfigured")
    assert variable in capfd.readouterr().err
    known: dict[str, object] = {"identity": "claims", "invoker_emails": (EMAIL,), **settings}
    (wrong,) = misconfigured(Settings().model_copy(update=known))
    assert variable in wrong


def test_an_installation_without_identity_is_not_misconfigured() -> None:
    assert misconfigured(Settings()) == []


@pytest.mark.parametrize("audience", ["/", "//"])
async def test_an_audience_of_slashes_lets_no_token_for_nobody_in(room: Room, audience: str) -> None:
    assert await room.call(room.token(aud="").cut(), audience=audience) == (403, "wrong_audience")
    assert await room.call(room.token(aud="/").cut(), audience=audience) == (403, "wrong_audience")
