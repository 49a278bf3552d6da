"""The sync family's targets: its API, the scheduled ticks, one connection's sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.sync import retention, syncing, ticking
from hedgerow.app import App
from hedgerow.entrypoint import api_from, on_message, on_tick
from hedgerow.messages import SyncRequested

if TYPE_CHECKING:
    from fastapi import APIRouter


def _routes() -> APIRouter:
    # The ticks and the topic share this file and start twice as fast without FastAPI.
    from functions.sync.routes import router

    return router


sync = api_from("sync", _routes)


@on_tick
async def sync_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every five minutes and tier."""
    tier = ticking.tier_of(body.get("tier", ""))
    return {"tier": tier, "due": await ticking.tick(app, tier)}


@on_tick
async def retention_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every hour."""
    return dict(await retention.retain(app))


@on_message(SyncRequested)
async def sync_connection(app: App, message: SyncRequested) -> None:
    """One connection's sync."""
    await syncing.sync(app, message)
