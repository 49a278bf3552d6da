"""A setting that cannot be used: every target says so in one line of its log, and to strangers only that it is not ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SECRET = "c2VjcmV0"
CALLS = """
import asyncio, sys
import httpx
from starlette.requests import Request
from functions.api.routes import function, targets

async def call(name, path):
    async def served(scope, receive, send):
        await (await function(targets()[name])(Request(scope, receive)))(scope, receive, send)
    transport = httpx.ASGITransport(app=served)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.post(path, json={}) if path != "/ready" else await client.get(path)
        print(answer.status_code, answer.json()["code"], answer.json()["detail"])

for name, path in zip(sys.argv[1::2], sys.argv[2::2]):
    asyncio.run(call(name, path))
"""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEDGEROW_IDENTITY", "calims"),
        ("HEDGEROW_SEALING_KEY", SECRET),
        ("HEDGEROW_ALLOWED_PRIVATE_HOSTS", "nowhere"),
    ],
)
def test_the_log_names_the_variable_and_the_caller_hears_that_it_is_not_ready(variable: str, value: str) -> None:
    calls = [
        ("api", "/v1/tenants"),
        ("api", "/v1/nowhere"),
        ("connect", "/v1/tenants"),
        ("capture", "/batch/"),
        ("sync_tick", "/"),
    ]
    calls += [("sync_connection", "/"), ("sync_tick", "/ready")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}

    done = subprocess.run(
        [sys.executable, "-c", CALLS, *(word for call in calls for word in call)],
        env={**clean, variable: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.splitlines() == ["503 not_ready Hedgerow is not ready."] * len(calls), done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["code"] for line in lines] == ["bad_setting"] * len(calls)
    assert all(variable in line["detail"] and line["hint"] for line in lines)
    assert SECRET not in done.stderr
