"""What a run's end sets going. Apart from the judging, which a message about a purged connection need not load."""

from __future__ import annotations

from hedgerow.app import App
from hedgerow.messages import RunEnded
from hedgerow.models import Connection


async def evaluate(app: App, message: RunEnded) -> None:
    """Judge the rules of the run's connection; nothing when it is gone."""
    connection = await app.store.get(Connection, message.connection_id)
    if connection is not None:
        from functions.alerts.incidents.evaluating import evaluate_connection

        await evaluate_connection(app, connection)
