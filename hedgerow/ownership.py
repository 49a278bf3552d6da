"""Whose connection it is, and whether it may ask PostHog. Another tenant's id and an id of nothing get the same answer."""

from __future__ import annotations

from hedgerow.app import App
from hedgerow.errors import MissingError, StateConflictError
from hedgerow.keys import Caller
from hedgerow.models import Connection


async def connection_of(app: App, caller: Caller, connection_id: str) -> Connection:
    """The caller's own connection; `MissingError` for anybody else's and for none."""
    connection = await app.store.get(Connection, connection_id)
    if connection is None or connection.tenant_id != caller.tenant_id:
        raise no_connection()
    return connection


def no_connection() -> MissingError:
    """The one refusal of a connection that is not the caller's."""
    return MissingError(
        "There is no such connection.",
        hint="Check the id; `hedgerow connections`, or GET /v1/connections, lists yours.",
    )


def may_ask(connection: Connection) -> None:
    """Refuse a connection on whose behalf PostHog may not be asked now, with what to do about it."""
    if not connection.activity_tracking:
        raise StateConflictError(
            "Activity tracking is off for this tenant: PostHog is asked nothing.",
            code="activity_off",
            hint='The operator switches it on with PATCH /v1/tenants/{id} {"activity_tracking": true}.',
        )
    if connection.state != "connected":
        hints = {
            "paused": "Resume it: `hedgerow connections resume`, or POST /v1/connections/{id}/resume.",
            "needs_attention": "Give a working personal API key: `hedgerow connections rotate`, or PATCH /v1/connections/{id}.",
        }
        raise StateConflictError(
            f"The connection is {connection.state}.",
            code=f"connection_{connection.state}",
            hint=hints.get(connection.state, "Connect the project again."),
        )
    if connection.secret_ref is None or connection.project_id is None:
        raise StateConflictError(
            "The connection is capture-only: without a personal API key PostHog answers no questions.",
            code="capture_only",
            hint="Add a personal API key (phx_…): `hedgerow connections rotate`, or PATCH /v1/connections/{id}.",
        )
