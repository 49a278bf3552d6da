"""The public address of /v1: hands each call to the family whose path it is.

It decides nothing else; every family authenticates for itself, and a path of nobody is
refused behind the same guard, so that a stranger learns nothing from it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.api import routes
from hedgerow import problems
from hedgerow.entrypoint import Target, probed
from hedgerow.errors import HedgerowError, MissingError
from hedgerow.health import NotReadyError
from hedgerow.logs import log
from hedgerow.problems import Guard


def address(manifest: Path) -> Target:
    """The function that hands calls on as this manifest says; 503 for every call while it cannot be read."""

    async def answered(request: Request) -> ASGIApp:
        try:
            target = routes.match(request.method, request.url.path, manifest)
        except HedgerowError as error:
            # Nobody is recognised yet: what is wrong with the deployment is the log's alone.
            log().error("request.failed", code=error.code, detail=error.detail, hint=error.hint)
            return problems.answer(NotReadyError("Hedgerow is not ready."), 503)
        if target is None:
            return _nowhere()
        return await routes.function(target)(request)

    return probed("api", answered)


@cache
def _nowhere() -> ASGIApp:
    return Guard(_refuse)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    raise MissingError("There is no such path.", hint="Check the path; README lists the calls.")


api = address(routes.MANIFEST)
