"""The routes of the `outbox` API: what waits, where an event is, the catalogue, the guards."""

from __future__ import annotations

from fastapi import APIRouter

from functions.capture import catalog_routes, guard_routes, outbox_routes

router = APIRouter()
for part in (outbox_routes, catalog_routes, guard_routes):
    router.include_router(part.router)
