"""The public address of /v1: hands each call to the family whose path it is.

It decides nothing else; every family authenticates for itself, and a path of nobody is
refused behind the same guard, so that a stranger learns nothing from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, cast

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.api import routes
from hedgerow.errors import MissingError
from hedgerow.problems import Guard


async def _api(request: Request) -> ASGIApp:
    target = routes.match(request.method, request.url.path)
    if target is None:
        return _nowhere()
    return await routes.function(target)(request)


@cache
def _nowhere() -> ASGIApp:
    return Guard(_refuse)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    raise MissingError("There is no such path.", hint="Check the path; README lists the calls.")


def _registered() -> Callable[[Request], Awaitable[ASGIApp]]:
    # The framework awaits any ASGI application; its annotations forget that.
    _api.__name__ = _api.__qualname__ = "api"
    return cast("Callable[[Request], Awaitable[ASGIApp]]", functions_framework.aio.http(cast("Any", _api)))


api = _registered()
