"""The disconnect family's targets: its API, and the purge of one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.app import App
from hedgerow.entrypoint import api_from, on_message
from hedgerow.messages import PurgeRequested

if TYPE_CHECKING:
    from fastapi import APIRouter


def _routes() -> APIRouter:
    # The topic shares this file and starts twice as fast without FastAPI.
    from functions.disconnect.routes import router

    return router


disconnect = api_from("disconnect", _routes)


@on_message(PurgeRequested)
async def purge_connection(app: App, message: PurgeRequested) -> None:
    """Finish one ending and purge what it left; with a tenant's last connection the tenant goes."""
    from functions.disconnect import carrying_out

    await carrying_out.carry_out(app, message)
