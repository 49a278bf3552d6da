"""Whatever goes wrong in a family, the answer is a problem document, and the reason stays in the log."""

from __future__ import annotations

import pytest
from fastapi import APIRouter

from hedgerow.entrypoint import api
from hedgerow.errors import ConflictError, InvalidError, OutboundError, TransientError
from tests.stage import staged


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("the secret reason"), 500, "internal"),
        (ConflictError("the secret reason"), 409, "write_conflict"),
        (TransientError("The store cannot be reached."), 503, "unavailable"),
        (OutboundError("PostHog said no."), 502, "outbound_failed"),
        (InvalidError("Half a character: \ud800", members={"projects": ["\udfff"]}), 422, "invalid"),
    ],
)
async def test_an_error_nobody_expected_is_a_problem_too(error: Exception, status: int, code: str) -> None:
    router = APIRouter()

    @router.get("/v1/fails")
    async def fails() -> None:
        raise error

    async with staged() as stage:
        key = await stage.key(await stage.tenant())
        async with stage.calling(api(f"fails_{code}", router), key) as client:
            answer = await client.get("/v1/fails")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["hint"] or code == "outbound_failed"
    assert "the secret reason" not in answer.text
