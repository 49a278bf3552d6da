"""Which connection a project token belongs to, and what is asked of its events: read once, kept for seconds.

When the store does not answer, what was read last still stands: an outage of ours must not
turn known projects into strangers.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hedgerow.capture_rules import CaptureRules
from hedgerow.errors import TransientError
from hedgerow.models import Connection, TokenClaim
from hedgerow.posthog.hosts import ingestion_of
from hedgerow.posthog.keys import claim_id

if TYPE_CHECKING:
    from functions.capture.events import Guard, Judge, Scrub
    from hedgerow.app import App

KNOWN_SECONDS = 10.0
PATIENCE_SECONDS = 1.0
"""How long a project that is known waits for the store's news of it."""
LONGEST_SECONDS = 8.0
"""How long one that is not known waits; its SDK gives up after ten."""
UNKNOWN_SECONDS = 10.0
MOST = 10_000
LONGEST_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Project:
    """A project as capture needs it. `passes`: disconnected, so traffic goes straight through and nothing is kept."""

    connection: Connection
    token: str
    origin: str
    rules: CaptureRules
    guards: tuple[Guard, ...] = ()
    scrub: Scrub | None = None
    passes: bool = False

    @property
    def judges(self) -> tuple[Judge, ...]:
        """The guards' judges, in their order."""
        return tuple(guard.judge for guard in self.guards)


class Projects:
    """Projects by token, the least used forgotten first."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._kept: OrderedDict[str, tuple[Project | None, float]] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Project | None]] = {}

    async def by_token(self, token: str) -> Project | None:
        """The project of a token; None when it belongs to nobody here. `TransientError` when that cannot be told."""
        kept = self._kept.get(token)
        if kept is not None and kept[1] > time.monotonic():
            return kept[0]
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        reading = self._reading.get(token)
        if reading is None:
            reading = self._reading[token] = asyncio.create_task(self._read(token))
            reading.add_done_callback(lambda done: self._is_read(token, done))
        known = kept[0] if kept is not None else None
        try:
            async with asyncio.timeout(LONGEST_SECONDS if known is None else PATIENCE_SECONDS):
                project = await asyncio.shield(reading)
        except (TransientError, TimeoutError) as error:
            if known is None:
                raise TransientError(f"Whose token it is cannot be read just now ({type(error).__name__}).") from error
            project = known
        self._keep(token, project)
        return project

    async def of(self, connection: Connection) -> Project:
        """The project behind a connection that was read already."""
        found = await self._app.store.get(CaptureRules, connection.id)
        return await self._made(connection, found)

    def forget(self, connection_id: str) -> None:
        """Read this connection anew at its next event: its rules changed."""
        for token, (project, _) in list(self._kept.items()):
            if project is not None and project.connection.id == connection_id:
                del self._kept[token]

    def _is_read(self, token: str, done: asyncio.Task[Project | None]) -> None:
        self._reading.pop(token, None)
        if not done.cancelled():
            # Everybody may have stopped waiting; then nobody else asks what went wrong.
            done.exception()

    async def _read(self, token: str) -> Project | None:
        claim = await self._app.store.get(TokenClaim, claim_id(token))
        if claim is None:
            return None
        connection, rules = await asyncio.gather(
            self._app.store.get(Connection, claim.connection_id),
            self._app.store.get(CaptureRules, claim.connection_id),
        )
        if connection is None or connection.project_token != token or connection.refuse_traffic:
            return None
        if connection.state == "disconnecting" and connection.disconnect_purge:
            return None
        return await self._made(connection, rules)

    async def _made(self, connection: Connection, found: CaptureRules | None) -> Project:
        from functions.capture.guards.judging import guards_of

        rules = found or CaptureRules(id=connection.id, tenant_id=connection.tenant_id, connection_id=connection.id)
        guards, scrub = await guards_of(self._app, rules)
        passes = connection.state in {"disconnecting", "disconnected"}
        return Project(
            connection=connection,
            token=connection.project_token or "",
            origin=connection.ingestion_host or ingestion_of(connection.host),
            rules=rules,
            guards=() if passes else guards,
            scrub=scrub,
            passes=passes,
        )

    def _keep(self, token: str, project: Project | None) -> None:
        seconds = KNOWN_SECONDS if project is not None else UNKNOWN_SECONDS
        self._kept[token] = (project, time.monotonic() + seconds)
        self._kept.move_to_end(token)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
