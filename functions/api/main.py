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
from hedgerow.entrypoint import Target, probed
from hedgerow.errors import MissingError
from hedgerow.problems import Guard


def address(manifest: Path) -> Target:
    """The function that hands calls on as this manifest says; 503 for every call while it cannot be read."""

    async def answered(request: Request) -> ASGIApp:
        target = routes.match(request.method, request.url.path, manifest)
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
