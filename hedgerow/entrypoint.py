"""Where every call enters: decode, authenticate, bind the log context, turn errors into answers.

`api` makes the HTTP target of a family from its routes, `on_message` a topic target,
`on_tick` a schedule target. All are plain functions of functions-framework.
"""

from __future__ import annotations

import base64
import functools
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hedgerow import dead_letters, problems, wiring
from hedgerow.app import App
from hedgerow.errors import ForbiddenError, HedgerowError, UnauthorizedError
from hedgerow.keys import Caller
from hedgerow.logs import log
from hedgerow.messages import Message
from hedgerow.models import Role
from hedgerow.problems import Guard
from hedgerow.pushes import Push, unwrap

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.types import ASGIApp

M = TypeVar("M", bound=Message)
Target = Callable[[Request], Awaitable[object]]


def api(name: str, router: APIRouter) -> Target:
    """The HTTP target of a family: its routes behind authentication, limits and problem answers."""
    return api_from(name, lambda: router)


def api_from(name: str, routes: Callable[[], APIRouter]) -> Target:
    """As `api`, for a family whose other targets should start without FastAPI: `routes` imports them."""

    @functools.cache
    def built() -> ASGIApp:
        from hedgerow.problems import application

        return Guard(application(name, routes()))

    async def target(request: Request) -> ASGIApp:
        return built()

    return _registered(target, name)


def on_message(kind: type[M]) -> Callable[[Callable[[App, M], Awaitable[None]]], Target]:
    """A topic target: takes Pub/Sub's push envelope; 204 acknowledges, 503 asks for it again."""

    def decorate(work: Callable[[App, M], Awaitable[None]]) -> Target:
        async def target(request: Request) -> Response:
            app = wiring.current()
            refused = _strangers(app, request)
            if refused is not None:
                return refused
            body = await request.body()
            try:
                message = kind.model_validate_json(unwrap(body).data)
            except ValueError as error:
                return await _bury(app, kind.topic, body, error)
            return await _work(kind.topic, message.key, work(app, message))

        return _registered(target, work.__name__)

    return decorate


def on_push(topic: str) -> Callable[[Callable[[App, Push], Awaitable[None]]], Target]:
    """As `on_message`, for messages of any class, with all that travels with them."""

    def decorate(work: Callable[[App, Push], Awaitable[None]]) -> Target:
        async def target(request: Request) -> Response:
            app = wiring.current()
            refused = _strangers(app, request)
            if refused is not None:
                return refused
            body = await request.body()
            try:
                push = unwrap(body)
            except ValueError as error:
                return await _bury(app, topic, body, error)
            return await _work(topic, push.attributes.get("key", ""), work(app, push))

        return _registered(target, work.__name__)

    return decorate


def on_tick(work: Callable[[App, dict[str, str]], Awaitable[dict[str, object]]]) -> Target:
    """A schedule target: a JSON object of strings in, what was done out."""

    async def target(request: Request) -> Response:
        app = wiring.current()
        refused = _strangers(app, request)
        if refused is not None:
            return refused
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            return problems.answer(HedgerowError("The tick's body is not JSON."), 400)
        answers: list[dict[str, object]] = []

        async def keep() -> None:
            answers.append(await work(app, {str(name): str(value) for name, value in dict(body).items()}))

        response = await _work(work.__name__, str(body), keep())
        return JSONResponse(answers[0]) if answers else response

    return _registered(target, work.__name__)


def needs(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: a tenant's key whose role covers `role` (`write` covers `read`)."""

    async def dependency(request: Request) -> Caller:
        caller: Caller = request.scope["hedgerow.caller"]
        if caller.role == role or (caller.role == "write" and role == "read"):
            return caller
        if caller.role == "admin":
            raise ForbiddenError(
                "This call belongs to a tenant; the admin key opens tenants and ticks.", hint="Use a key of the tenant."
            )
        raise ForbiddenError(f"This key's role is `{caller.role}`; the call needs `{role}`.")

    return dependency


async def needs_admin(request: Request) -> Caller:
    """A dependency: the operator's key."""
    caller: Caller = request.scope["hedgerow.caller"]
    if caller.role != "admin":
        raise ForbiddenError("This call needs the admin key.", hint="Use HEDGEROW_ADMIN_KEY.")
    return caller


async def app_of() -> App:
    """A dependency: the App of this request."""
    return wiring.current()


def _registered(target: Callable[[Request], Awaitable[object]], name: str) -> Target:
    target.__name__ = target.__qualname__ = name
    # The framework awaits whatever ASGI application comes back; its own annotation leaves that out.
    registered = functions_framework.aio.http(cast("Any", target))
    return cast("Target", registered)


def _strangers(app: App, request: Request) -> Response | None:
    """The platform keeps strangers out; this looks at the caller again where it can."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    expected = app.settings.invoker
    if expected is not None and not (
        scheme.lower() == "bearer" and hmac.compare_digest(bearer.encode(), expected.get_secret_value().encode())
    ):
        return problems.answer(UnauthorizedError("This target is private."), 401)
    if app.settings.invoker_emails and _email(bearer) not in app.settings.invoker_emails:
        return problems.answer(ForbiddenError("This account may not call this target."), 403)
    return None


def _email(token: str) -> str:
    """The `email` claim. Not verified here: the platform has done it and cut the signature."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims.get("email", ""))
    except (IndexError, ValueError, AttributeError):
        return ""


async def _bury(app: App, topic: str, body: bytes, error: ValueError) -> Response:
    async def keep() -> None:
        await dead_letters.keep(app, dead_letters.unreadable(topic, body, error, app.now()))

    return await _work(topic, "", keep())


async def _work(name: str, key: str, work: Awaitable[None]) -> Response:
    """Only our own store, vault or queue failing, or a bug, is a 503: the sender then slows down."""
    import structlog

    began = time.perf_counter()
    with structlog.contextvars.bound_contextvars(target=name, key=key):
        try:
            await work
        except HedgerowError as error:
            log().warning("target.failed", code=error.code, detail=error.detail)
            return problems.answer(error, 503)
        except Exception:
            log().exception("target.crashed")
            return problems.answer(HedgerowError("The target failed; its log has the reason."), 503)
        log().info("target.done", seconds=round(time.perf_counter() - began, 4))
    return Response(status_code=204)
