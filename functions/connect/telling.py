"""What connecting and changing keys are told as, in the activity of the tenant. Pure.

Each is committed with the swap it tells of, and named after the version that swap takes the
place of: what can happen once is told once.
"""

from __future__ import annotations

from datetime import datetime

from hedgerow.activity import Activity, Scalar, entry
from hedgerow.models import Connection


def connected(connection: Connection, at: datetime, reference: str | None) -> Activity:
    """The connection stands, for the first time or again; `reference` is that of its key, another at every attempt."""
    key = (str(connection.version), at.isoformat(), reference or "")
    return entry("connection.connected", connection.tenant_id, connection.id, at, _known(connection), *key)


def needs_attention(connection: Connection, at: datetime) -> Activity:
    """The connection waits for a person."""
    trouble = connection.trouble
    said: dict[str, Scalar | list[str]] = (
        {"code": trouble.code, "detail": trouble.detail, "hint": trouble.hint} if trouble else {}
    )
    key = (str(connection.version), at.isoformat())
    return entry("connection.needs_attention", connection.tenant_id, connection.id, at, _known(connection) | said, *key)


def _known(connection: Connection) -> dict[str, Scalar | list[str]]:
    return {"name": connection.name, "host": connection.host, "project_id": connection.project_id}
