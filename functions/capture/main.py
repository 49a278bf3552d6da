"""The capture family's targets: the SDKs' host with the five operations, the outbox API, redelivery's tick.

Each imports its own work when it is called: the cloud starts one target a process.
"""

from __future__ import annotations

from hedgerow import collecting  # noqa: F401 - before everything else

# isort: split
from typing import TYPE_CHECKING

from hedgerow import traces, wiring
from hedgerow.app import App
from hedgerow.entrypoint import api_from, on_tick, probed

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.types import ASGIApp


async def _capture(request: Request) -> ASGIApp:
    from functions.capture.door import door

    # Read only if something is logged or published: an event on its way through pays nothing for it.
    traces.begin_unread(dict(request.scope["headers"]), wiring.current().settings.project)
    return door


capture = probed("capture", _capture)


def _routes() -> APIRouter:
    from functions.capture.routes import router

    return router


outbox = api_from("outbox", _routes)


@on_tick
async def redeliver_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every minute."""
    from functions.capture.redelivery import redelivering

    return dict(await redelivering.redeliver(app))
