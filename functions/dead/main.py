"""The dead letters' target: what any subscription gave up, kept for a person."""

from __future__ import annotations

from hedgerow import dead_letters
from hedgerow.app import App
from hedgerow.entrypoint import on_push
from hedgerow.pushes import DEAD_TOPIC, Push


@on_push(DEAD_TOPIC)
async def bury_message(app: App, push: Push) -> None:
    """Keep one dead letter, once however often it comes."""
    await dead_letters.keep(app, dead_letters.given_up(push, app.settings.topic_prefix, app.now()))
