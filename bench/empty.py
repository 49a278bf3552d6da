"""The floor of `bench.starts`: an async function of the framework that does nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request


@functions_framework.aio.http
async def empty(request: Request) -> str:
    """Answer "ok"."""
    return "ok"
