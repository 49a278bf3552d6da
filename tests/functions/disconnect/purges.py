"""The purge that was asked for, delivered as its message."""

from __future__ import annotations

from functions.disconnect.main import purge_connection
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection
from tests.stage import Stage


async def purge(stage: Stage, connection: Connection) -> None:
    """Deliver the purge that was asked for."""
    assert connection.id in await stage.published(PurgeRequested.topic)
    status = await stage.deliver(purge_connection, PurgeRequested(connection_id=connection.id))
    assert status == 204
