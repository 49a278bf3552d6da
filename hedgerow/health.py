"""`GET /health` and `GET /ready`, which every target answers before anything else of it is loaded.

The first says that the process answers, and touches nothing. The second asks the store and
the queue. Neither tells a stranger more than that: the log has the reason. (Cloud Run keeps
paths that end in z for itself.)
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from hedgerow.errors import HedgerowError
from hedgerow.logs import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hedgerow.app import App, Outbound

PATHS = frozenset({"/health", "/ready"})
LOOK_SECONDS = 2.0
FRESH_SECONDS = 1.0
_NEVER = float("-inf")


class NotReadyError(HedgerowError):
    """The store or the queue does not answer."""

    code = "not_ready"
    hint = "Try again in a moment; the operator sees the reason in the log and by `hedgerow doctor`."


@dataclass(slots=True)
class Look:
    """The last look at the store and the queue: shared by whoever asks within a second of it."""

    at: float = _NEVER
    is_ready: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ready(self, app: App) -> bool:
        """Do both answer? One look at a time, at most one a second, however many strangers ask."""
        async with self.turn:
            if time.monotonic() - self.at >= FRESH_SECONDS:
                answers = await asyncio.gather(_answers("store", _store(app)), _answers("queue", app.queue.reach()))
                self.is_ready, self.at = all(answers), time.monotonic()
        return self.is_ready


_looks: WeakKeyDictionary[Outbound, Look] = WeakKeyDictionary()


async def check(path: str, app_of: Callable[[], App]) -> str:
    """The state that one of `PATHS` tells: `alive`, or `ready`; `NotReadyError` when it is not."""
    if path == "/health":
        return "alive"
    app = app_of()
    if not await _looks.setdefault(app.outbound, Look()).ready(app):
        raise NotReadyError("Hedgerow is not ready.")
    return "ready"


async def _answers(part: str, asked: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await asked
    except (HedgerowError, TimeoutError) as error:
        detail = error.detail if isinstance(error, HedgerowError) else f"no answer in {LOOK_SECONDS:.0f} s"
        log().error("ready.failed", part=part, detail=detail)
        return False
    return True


async def _store(app: App) -> None:
    """One record that is not there, by its id: the cheapest question a store has."""
    from hedgerow.models import Tenant

    await app.store.get(Tenant, "ready")
