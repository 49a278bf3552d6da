"""Recognises a project its tenant has connected before, by whichever road: id, project token, host and number.

Looks among the caller's own connections only. Chooses which one is meant; whether that one
may be connected now is said by whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.app import App
from hedgerow.models import Connection, ConnectionState, TokenClaim
from hedgerow.ports import Where
from hedgerow.posthog.keys import claim_id

ACTIVE: frozenset[ConnectionState] = frozenset({"connected", "paused", "needs_attention"})
PAGE = 500


@dataclass(frozen=True, slots=True)
class Sought:
    """A project as this connect knows it. `id` is the one it gets when it is new; `tokens` those it is known to have."""

    id: str
    tenant_id: str
    origin: str
    project_id: str | None
    tokens: frozenset[str]

    def may_be(self, one: Connection) -> bool:
        """Nothing speaks against it: the same host, and not another project of it."""
        numbers = {one.project_id, self.project_id} - {None}
        return one.host == self.origin and len(numbers) < 2

    def is_project_of(self, one: Connection) -> bool:
        """The same project by host and number."""
        return self.project_id is not None and (one.host, one.project_id) == (self.origin, self.project_id)


async def own(app: App, sought: Sought) -> Connection | None:
    """The tenant's connection of this project: an active one, else one on its way out, else the one to bring back.

    Of several that were disconnected it is the one that holds the token, whose guards were the
    last to see the project's events; else the one disconnected last.
    """
    holders = await _holders(app, sought)
    at_once = (await app.store.get(Connection, sought.id), *holders)
    for one in at_once:
        if one is not None and one.state in ACTIVE:
            return one
    held = frozenset(one.id for one in holders)
    same = [one for one in await of_tenant(app, sought.tenant_id) if _is_same(sought, one, held)]
    return max(same, key=lambda one: _rank(one, held), default=None)


async def other_of_project(app: App, mine: Connection) -> Connection | None:
    """Another active connection of the same tenant to the same project: one that began as capture-only."""
    if mine.project_id is None:
        return None
    for one in await of_tenant(app, mine.tenant_id):
        same = (one.host, one.project_id) == (mine.host, mine.project_id)
        if same and one.id != mine.id and one.state in ACTIVE:
            return one
    return None


async def of_tenant(app: App, tenant_id: str) -> list[Connection]:
    """Every connection of the tenant, in whatever state."""
    found: list[Connection] = []
    cursor: str | None = None
    while True:
        page = await app.store.find(Connection, Where("tenant_id", "==", tenant_id), limit=PAGE, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def _is_same(sought: Sought, one: Connection, held: frozenset[str]) -> bool:
    if one.id == sought.id or sought.is_project_of(one):
        return True
    if one.state in ACTIVE:
        # One that lost its token to somebody's proof stands in nobody's way.
        return one.id in held
    return sought.may_be(one) and (one.id in held or one.project_token in sought.tokens)


def _rank(one: Connection, held: frozenset[str]) -> tuple[bool, bool, bool, float]:
    return one.state in ACTIVE, one.state == "disconnecting", one.id in held, one.state_since.timestamp()


async def _holders(app: App, sought: Sought) -> list[Connection]:
    """The tenant's connections, in any state, that hold a token of the project."""
    if not sought.tokens:
        return []
    claims = await app.store.get_many(TokenClaim, [claim_id(token) for token in sorted(sought.tokens)])
    ids = [claim.connection_id for claim in claims if claim is not None]
    found = await app.store.get_many(Connection, ids) if ids else []
    return [one for one in found if one is not None and one.tenant_id == sought.tenant_id]
