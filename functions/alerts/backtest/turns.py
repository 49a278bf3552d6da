"""Who back-tests at the moment: one call of a tenant at a time, and few of a process, so that other calls are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hedgerow.errors import TooManyError

MOST_AT_ONCE = 2
RETRY_AFTER = 5

T = TypeVar("T")


@dataclass(slots=True)
class Turns:
    """The tenants whose back-tests are under way; of one event loop."""

    running: set[str] = field(default_factory=set)

    def take(self, tenant_id: str) -> None:
        """Begin; `TooManyError` while the tenant has one under way, or the process as many as it can take."""
        if tenant_id in self.running:
            raise TooManyError("A back-test of this tenant is under way.", retry_after=RETRY_AFTER)
        if len(self.running) >= MOST_AT_ONCE:
            raise TooManyError("Other back-tests are under way.", retry_after=RETRY_AFTER)
        self.running.add(tenant_id)

    def give_back(self, tenant_id: str) -> None:
        """It is over."""
        self.running.discard(tenant_id)

    async def calculate(self, tenant_id: str, work: Callable[[], T]) -> T:
        """The work's answer, made beside the event loop, and the turn given back when it is over.

        A caller that goes away does not stop the arithmetic: its turn ends with that.
        """
        calculation = asyncio.ensure_future(asyncio.to_thread(work))
        calculation.add_done_callback(lambda _: self.give_back(tenant_id))
        return await asyncio.shield(calculation)
