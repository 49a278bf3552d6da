"""The alerts family's targets: its API, the evaluation after a run, the tick, the sending, the signed pages.

Each imports its own work when it is called: the cloud starts one target a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from hedgerow.app import App
from hedgerow.entrypoint import api_from, on_message, on_request, on_tick
from hedgerow.messages import NotificationDue, RunEnded

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.types import ASGIApp


def _routes() -> APIRouter:
    from functions.alerts.routes import router

    return router


alerts = api_from("alerts", _routes)


async def _pages(request: Request) -> ASGIApp:
    """What a signed address shows and does: an incident's page, its chart. The signature is the right."""
    from functions.alerts.pages.routes import application

    return application


alert_pages = on_request("alert_pages", _pages)


@on_message(RunEnded)
async def evaluate_alerts(app: App, message: RunEnded) -> None:
    """A run ended: judge its connection's rules."""
    from functions.alerts.incidents import after_runs

    await after_runs.evaluate(app, message)


@on_message(NotificationDue)
async def notify(app: App, message: NotificationDue) -> None:
    """Tell one channel one thing."""
    from functions.alerts.notifying import notifying

    await notifying.notify(app, message)


@on_tick
async def alerts_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every minute: what only time decides, what a crash left, what is too old."""
    from functions.alerts.incidents import ticking

    return dict(await ticking.tick(app))
