"""Bodies are read as JSON whatever the content type says, and refused in words of ours."""

from __future__ import annotations

import pytest

from functions.connect.main import connect
from tests.stage import ADMIN_KEY, staged


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain", None])
async def test_a_body_is_json_whatever_it_is_called(kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    async with staged() as stage, stage.calling(connect, ADMIN_KEY) as client:
        made = await client.post("/v1/tenants", content=b'{"name":"Acme","tier":"pro"}', headers=headers)
        assert made.status_code == 201
        broken = await client.post("/v1/tenants", content=b"{bad", headers=headers)
        assert (broken.status_code, broken.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("[]", "The body is not a JSON object."),
        ('{"tier":"pro"}', "`name` is missing."),
        ('{"name":"Acme","tier":"gold"}', "`tier` must be one of 'starter', 'basic', 'pro' or 'scale'."),
        ('{"name":"Acme","tier":"pro","color":1}', "`color` is no field of this call."),
        ('{"name":7,"tier":"pro"}', "`name` must be text."),
    ],
)
async def test_a_refused_field_is_named_in_plain_words(body: str, detail: str) -> None:
    async with staged() as stage, stage.calling(connect, ADMIN_KEY) as client:
        answer = await client.post("/v1/tenants", content=body.encode(), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["detail"]) == (422, detail)
        assert answer.json()["hint"]


async def test_a_key_that_was_pasted_as_a_fields_name_is_not_repeated() -> None:
    async with staged() as stage, stage.calling(connect, ADMIN_KEY) as client:
        body = {"name": "Acme", "tier": "pro", "phx_SECRET0123456789": 1}
        answer = await client.post("/v1/tenants", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "phx_…")
    assert "SECRET" not in answer.text
