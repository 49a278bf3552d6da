"""A self-hosted PostHog over real sockets: its certificate, its address, what else may answer there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.connect.main import connect
from tests.loopback import Loopback, answering, http, self_signed
from tests.stage import staged

KEY = "phx_0123456789abcdef"


async def reach(far: Loopback, host: str) -> dict[str, Any]:
    """The verdict on reaching a host through the real guard, which lets this one through."""
    async with staged([f"127.0.0.1:{far.port}", f"localhost:{far.port}"]) as stage:
        key = await stage.key(await stage.tenant())
        async with stage.calling(connect, key) as client:
            body = {"host": host, "personal_api_key": KEY, "project_id": 1}
            answer = await client.post("/v1/connections/test", json=body)
    assert answer.status_code == 200, answer.text
    assert KEY not in answer.text
    found: dict[str, Any] = answer.json()["capabilities"][0]
    assert (answer.json()["ok"], found["name"]) == (False, "reach")
    return found


async def test_a_bad_certificate_comes_with_the_line_to_try(tmp_path: Path) -> None:
    async with answering(http(b"{}"), tls=self_signed(tmp_path)) as far:
        found = await reach(far, f"https://localhost:{far.port}/login")
    assert found["code"] == "certificate_invalid"
    assert f"https://localhost:{far.port}/api/projects/@current/" in found["hint"]
    assert far.seen == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http(b"<!DOCTYPE html><html></html>"), "not_posthog"),
        (http(b"<html>login</html>", "401 Unauthorized"), "blocked_before_posthog"),
        (http(b"", "301 Moved", "Location: https://posthog.example.com/"), "redirected"),
        (http(b"<html>", "502 Bad Gateway"), "gateway"),
    ],
)
async def test_what_else_answers_there_is_named(answer: bytes, code: str) -> None:
    async with answering(answer) as far:
        found = await reach(far, f"http://127.0.0.1:{far.port}")
    assert (found["ok"], found["code"]) == (False, code)
    # One question is enough to know.
    assert len(far.seen) == 1


async def test_nobody_there_is_said_with_the_firewall_and_the_line_to_try() -> None:
    async with answering(b"") as far:
        pass
    found = await reach(far, f"http://127.0.0.1:{far.port}")
    assert found["code"] == "unreachable"
    assert "firewall" in found["hint"]
    assert "curl" in found["hint"]
