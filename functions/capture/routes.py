"""The routes of the `outbox` API: what waits, where an event is, the catalogue, the guards."""

from __future__ import annotations

from fastapi import APIRouter

from functions.capture.catalogue import catalog_routes
from functions.capture.guards import guard_routes
from functions.capture.outbox import outbox_routes

router = APIRouter()
for part in (outbox_routes, catalog_routes, guard_routes):
    router.include_router(part.router)
