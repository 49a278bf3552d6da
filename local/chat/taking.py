"""How every stand-in takes a request: read it, meet a fault if one is set, then do as asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from local.chat.faults import Fault, FaultKind, Faults, hung
from local.chat.keeping import Body, Kept, ServiceName

MOST_BYTES = 1_048_576


Words = Callable[[FaultKind, float], Response]
"""A service's own way to refuse by fault: `429`, `500`, `410` or `revoked`, and the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the stand-ins share: what is kept, and the faults in force."""

    kept: Kept
    faults: Faults

    async def take(
        self,
        request: Request,
        service: ServiceName,
        room: str,
        words: Words,
        work: Callable[[bytes], Awaitable[Response]],
    ) -> Response:
        """Answer by `work`, unless a fault is set for this room."""
        body = await request.body()
        fault = self.faults.met(service, room)
        if fault is None:
            return await work(body)
        return await self._faulty(request, fault, words, work, body)

    async def _faulty(
        self,
        request: Request,
        fault: Fault,
        words: Words,
        work: Callable[[bytes], Awaitable[Response]],
        body: bytes,
    ) -> Response:
        if fault.kind == "hang":
            return await hung(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return await work(body)
        if fault.kind == "lost":
            await work(body)
            return Response("Bad Gateway", 502, media_type="text/plain")
        return words(fault.kind, fault.seconds)


def json_object(body: bytes) -> Body | None:
    """The JSON object of a body, None when it is none, or holds what JSON has no numbers for."""
    try:
        found: JsonValue = json.loads(body, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return cast("Body", found) if isinstance(found, dict) else None


def _refused(constant: str) -> JsonValue:
    raise ValueError(constant)
