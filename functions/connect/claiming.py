"""Whose a project token is: the changes a commit needs so that a connection holds its claim, or the refusal.

A proof is what a host of the claimant's own choosing says, so it is worth what that host
is: one of PostHog's clouds speaks for every token, any other host only against claims made
through itself. The refusal never says whose the token is.
"""

from __future__ import annotations

from functions.connect import telling, testing
from functions.connect.recognising import ACTIVE
from hedgerow.app import App
from hedgerow.errors import StateConflictError
from hedgerow.models import Connection, TokenClaim, Trouble
from hedgerow.ports import Add, Change, Delete, Swap
from hedgerow.posthog.keys import claim_id

LOST = Trouble(
    code="project_token_lost",
    detail="Somebody showed, with a personal API key of the project, that the project token is theirs; this connection only knew it.",
    hint="If the project is yours, give a personal API key with project:read; else disconnect.",
)


async def changes_for(app: App, mine: Connection, token: str | None, *, proved: bool) -> list[Change]:
    """What gives `mine` the claim on `token`, and lets go of the one it had on another."""
    changes: list[Change] = []
    if mine.project_token is not None and mine.project_token != token:
        old = await app.store.get(TokenClaim, claim_id(mine.project_token))
        if old is not None and old.connection_id == mine.id:
            changes.append(Delete(TokenClaim, old.id, old.version))
    return changes if token is None else [*changes, *await _taking(app, mine, token, proved=proved)]


async def _taking(app: App, mine: Connection, token: str, *, proved: bool) -> list[Change]:
    proved_at = mine.host if proved else ""
    claim = await app.store.get(TokenClaim, claim_id(token))
    if claim is None:
        return [Add(TokenClaim(id=claim_id(token), connection_id=mine.id, proved=proved, proved_at=proved_at))]
    holder = None if claim.connection_id == mine.id else await app.store.get(Connection, claim.connection_id)
    taken = Swap(claim.model_copy(update={"connection_id": mine.id, "proved": proved, "proved_at": proved_at}))
    if claim.connection_id == mine.id:
        # What was proved once stays proved: the token did not change.
        return [] if claim.proved or not proved else [taken]
    if holder is None or holder.state not in ACTIVE:
        return [taken]
    if holder.tenant_id == mine.tenant_id:
        raise already_connected(holder)
    if not proved or not _outweighs(app, mine.host, claim, holder):
        raise StateConflictError(
            "The project token belongs to a connection of this installation already.",
            code="project_token_taken",
            hint="Connect without `project_token` to read metrics; or, if the project is yours, give a personal API key with project:read.",
        )
    lost = holder.model_copy(
        update={"state": "needs_attention", "state_since": app.now(), "trouble": LOST, "due_at": None}
    )
    told = [Add(telling.needs_attention(lost, app.now()))] if holder.state != "needs_attention" else []
    return [taken, Swap(lost), *told]


def _outweighs(app: App, origin: str, claim: TokenClaim, holder: Connection) -> bool:
    """Does a proof from this origin displace the claim of another tenant's active connection?"""
    clouds = testing.clouds_of(app)
    if clouds.has(origin):
        return not (claim.proved and clouds.has(claim.proved_at or holder.host))
    return holder.host == origin and not claim.proved


async def holds(app: App, connection: Connection) -> bool:
    """Does the claim on its project token still belong to this connection?"""
    if connection.project_token is None:
        return False
    claim = await app.store.get(TokenClaim, claim_id(connection.project_token))
    return claim is not None and claim.connection_id == connection.id


def already_connected(existing: Connection) -> StateConflictError:
    """The refusal of a second connection to one project, with the first one's id."""
    return StateConflictError(
        "This project is connected already.",
        code="already_connected",
        hint="Change the connection that is there (`hedgerow connections rotate`, or PATCH /v1/connections/{id}), or disconnect it first.",
        members={"id": existing.id},
    )
