"""A bad hour on command: what a service does wrong with its next requests. Each service words its own refusals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from local.chat.keeping import ServiceName

FaultKind = Literal["hang", "slow", "429", "500", "410", "revoked", "lost"]
MOST_HANG_SECONDS = 60.0


class Fault(BaseModel):
    """`times` requests meet it. `room` "" means any room of the service.

    `hang` never answers and keeps nothing; `slow` waits `seconds`, then does as asked;
    `lost` does as asked and answers 502; `410` is "this is gone" and `revoked` "this
    credential is no more", each in the service's own words; `429` says `seconds` as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    times: int = Field(default=1, ge=1, le=1_000_000)
    seconds: float = Field(default=1.0, ge=0, le=MOST_HANG_SECONDS)
    room: str = ""


@dataclass(slots=True)
class _InForce:
    service: ServiceName
    fault: Fault
    left: int


@dataclass(slots=True)
class Faults:
    """The faults in force, met in the order they were set."""

    _in_force: list[_InForce] = field(default_factory=list)

    def set(self, service: ServiceName, fault: Fault) -> None:
        """From now on, for the next `fault.times` requests."""
        self._in_force.append(_InForce(service, fault, fault.times))

    def clear(self, service: ServiceName) -> None:
        """All is well again there."""
        self._in_force[:] = [held for held in self._in_force if held.service != service]

    def met(self, service: ServiceName, room: str) -> Fault | None:
        """The fault this request meets, counted."""
        for held in self._in_force:
            if held.service == service and held.fault.room in ("", room):
                held.left -= 1
                if held.left == 0:
                    self._in_force.remove(held)
                return held.fault
        return None


async def hung(request: Request) -> Response:
    """Until the client gives up, or a minute: nothing."""
    try:
        async with asyncio.timeout(MOST_HANG_SECONDS):
            while (await request.receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        pass
    return Response(status_code=504)
