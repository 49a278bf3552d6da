"""Whose connection it is. Another tenant's id and an id of nothing get the same answer, in every family."""

from __future__ import annotations

from hedgerow.app import App
from hedgerow.errors import MissingError
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
    return MissingError("There is no such connection.", hint="Check the id; `GET /v1/connections` lists yours.")
