"""The sync family's targets: its API, the scheduled ticks, one connection's sync.

Each imports its own work when it is called: the cloud starts one target a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.app import App
from hedgerow.entrypoint import api_from, on_message, on_tick
from hedgerow.messages import SyncRequested

if TYPE_CHECKING:
    from fastapi import APIRouter


def _routes() -> APIRouter:
    from functions.sync.routes import router

    return router


sync = api_from("sync", _routes)


@on_tick
async def sync_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every five minutes and tier."""
    from functions.sync import ticking

    tier = ticking.tier_of(body.get("tier", ""))
    return {"tier": tier, "due": await ticking.tick(app, tier)}


@on_tick
async def retention_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every hour."""
    from functions.sync import retention

    return dict(await retention.retain(app))


@on_message(SyncRequested)
async def sync_connection(app: App, message: SyncRequested) -> None:
    """One connection's sync."""
    from functions.sync import syncing

    await syncing.sync(app, message)
