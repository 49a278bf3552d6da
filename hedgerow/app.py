"""App: the seams a function works through, in one frozen value. No behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import aiohttp
    import httpx

    from hedgerow.ports import Queue, Store, Vault
    from hedgerow.settings import Settings


class Outbound(Protocol):
    """The only ways out of Hedgerow; both are opened at their first use."""

    @property
    def http(self) -> httpx.AsyncClient:
        """An httpx client over the guarded session."""
        ...

    @property
    def session(self) -> aiohttp.ClientSession:
        """The guarded session itself, for capture and delivery."""
        ...


@dataclass(frozen=True)
class App:
    """Everything a function may touch outside itself."""

    settings: Settings
    store: Store
    vault: Vault
    queue: Queue
    outbound: Outbound
    now: Callable[[], datetime]

    @property
    def http(self) -> httpx.AsyncClient:
        """The way out for everything but capture and delivery."""
        return self.outbound.http
