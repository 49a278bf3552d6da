"""Where every call enters: decode, authenticate, bind the log context, turn errors into answers.

`api` makes the HTTP target of a family from its routes, `on_message` a topic target,
`on_tick` a schedule target. All are plain functions of functions-framework, and all answer
`/health` and `/ready` before anything of theirs is loaded.
"""

from __future__ import annotations

from hedgerow import collecting  # noqa: F401 - before everything else

# isort: split
import functools
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import functions_framework.aio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hedgerow import health, identity, problems, telemetry, traces, wiring
from hedgerow.app import App
from hedgerow.errors import (
    ForbiddenError,
    HedgerowError,
    MethodError,
    RefusedError,
    RejectedError,
    TooLargeError,
    UnauthorizedError,
)
from hedgerow.logs import bound, log
from hedgerow.messages import Message
from hedgerow.problems import Guard
from hedgerow.pushes import Push, unwrap

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hedgerow.keys import Caller
    from hedgerow.models import Role

M = TypeVar("M", bound=Message)
Target = Callable[[Request], Awaitable[object]]
KNOWN = ("connection_id", "run_id", "notification_id")
"""What a message may name that its log lines carry."""


def api(name: str, router: APIRouter) -> Target:
    """The HTTP target of a family: its routes behind authentication, limits and problem answers."""
    return api_from(name, lambda: router)


def api_from(name: str, routes: Callable[[], APIRouter]) -> Target:
    """As `api`, for a family whose other targets should start without FastAPI: `routes` imports them."""

    @functools.cache
    def built() -> ASGIApp:
        from hedgerow.problems import application

        return Guard(application(name, routes()))

    async def family(request: Request) -> ASGIApp:
        return built()

    return on_request(name, family)


def on_request(name: str, family: Callable[[Request], Awaitable[ASGIApp]]) -> Target:
    """An HTTP target that answers as the ASGI application `family` gives, in the trace of the call, counted."""

    async def target(request: Request) -> ASGIApp:
        return _Followed(name, await family(request))

    return probed(name, target)


def on_message(kind: type[M]) -> Callable[[Callable[[App, M], Awaitable[None]]], Target]:
    """A topic target: takes Pub/Sub's push envelope; 204 acknowledges, 503 asks for it again."""

    def decorate(work: Callable[[App, M], Awaitable[None]]) -> Target:
        async def take(app: App, push: Push, body: bytes) -> Response:
            try:
                message = kind.model_validate_json(push.data)
            except ValueError as error:
                return await _bury(app, kind.topic, body, error)
            known = {name: getattr(message, name, None) for name in KNOWN}
            with bound(key=message.key, **known):
                return await _work(_done_or_buried(app, kind.topic, body, work(app, message)))

        return _of_topic(work.__name__, kind.topic, take)

    return decorate


def on_push(topic: str) -> Callable[[Callable[[App, Push], Awaitable[None]]], Target]:
    """As `on_message`, for messages of any class, with all that travels with them."""

    def decorate(work: Callable[[App, Push], Awaitable[None]]) -> Target:
        async def take(app: App, push: Push, body: bytes) -> Response:
            return await _work(work(app, push))

        return _of_topic(work.__name__, topic, take)

    return decorate


def on_tick(work: Callable[[App, dict[str, str]], Awaitable[dict[str, object]]]) -> Target:
    """A schedule target: a JSON object of strings in, what was done out."""

    async def tick(app: App, request: Request) -> Response:
        try:
            body = {str(name): str(value) for name, value in dict(json.loads(await request.body() or b"{}")).items()}
        except (ValueError, TypeError, RecursionError):
            return problems.answer(HedgerowError("The tick's body is not a JSON object."), 400)
        answers: list[dict[str, object]] = []

        async def keep() -> None:
            answers.append(await work(app, body))

        with bound(key=" ".join(body.values())):
            response = await _work(keep())
        return JSONResponse(answers[0]) if answers else response

    return _private(work.__name__, tick)


def probed(name: str, target: Callable[[Request], Awaitable[object]]) -> Target:
    """The function of this name that functions-framework calls: `/health` and `/ready`, then `target`."""

    async def entered(request: Request) -> object:
        if request.scope["path"] in health.PATHS:
            return await _probe(request)
        try:
            return await target(request)
        except HedgerowError as error:
            return _unready(error)

    entered.__name__ = entered.__qualname__ = name
    # The framework awaits whatever ASGI application comes back; its own annotation leaves that out.
    return cast("Target", functions_framework.aio.http(cast("Any", entered)))


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


async def _probe(request: Request) -> Response:
    method, path = request.method, request.scope["path"]
    try:
        if method not in {"GET", "HEAD"}:
            raise MethodError(f"{path} is read by GET.", hint="Send a GET.")
        response: Response = JSONResponse({"status": await health.check(path, wiring.current)})
    except MethodError as error:
        response = problems.answer(error, error.status)
    except HedgerowError as error:
        response = problems.answer(error, 503) if isinstance(error, health.NotReadyError) else _unready(error)
    response.headers["Cache-Control"] = "no-store"
    return Response(None, response.status_code, {"Cache-Control": "no-store"}) if method == "HEAD" else response


def _unready(error: HedgerowError) -> Response:
    """The answer while the installation cannot be used. Nobody is recognised yet: what is wrong is the log's alone."""
    log().error("request.failed", code=error.code, detail=error.detail, hint=error.hint)
    return problems.answer(health.NotReadyError("Hedgerow is not ready."), 503)


class _Followed:
    """ASGI: a family in the trace of its call; how it answered is counted, before the answer goes out."""

    def __init__(self, name: str, family: ASGIApp) -> None:
        self.name = name
        self.family = family

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            app = wiring.current()
        except HedgerowError as error:
            await _unready(error)(scope, receive, send)
            return

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                telemetry.record(app, telemetry.REQUESTS, family=self.name, status=f"{message['status'] // 100}xx")
                # Once the answer is out, the platform takes the CPU away.
                await telemetry.send_if_due(app)
            await send(message)

        with traces.begun(Headers(scope=scope), app.settings.project), bound(target=self.name):
            await self.family(scope, receive, counted)


def _private(name: str, work: Callable[[App, Request], Awaitable[Response]]) -> Target:
    """A target behind IAM: the caller is looked at again, then the work is done in the trace of the call."""

    async def target(request: Request) -> Response:
        app = wiring.current()
        with traces.begun(request.headers, app.settings.project), bound(target=name):
            try:
                await _admit(app, request)
            except RefusedError as error:
                log().warning("request.refused", code=error.code)
                return problems.answer(error, error.status)
            except HedgerowError as error:
                log().error("request.failed", code=error.code, detail=error.detail)
                return problems.answer(error, 503)
            response = await work(app, request)
            telemetry.record(app, telemetry.REQUESTS, family=name, status=f"{response.status_code // 100}xx")
            await telemetry.send_if_due(app)
            return response

    return probed(name, target)


def _of_topic(name: str, topic: str, take: Callable[[App, Push, bytes], Awaitable[Response]]) -> Target:
    """A private target that takes pushes, in the trace that the message carries."""

    async def receive(app: App, request: Request) -> Response:
        body = await request.body()
        try:
            push = unwrap(body)
        except ValueError as error:
            return await _bury(app, topic, body, error)
        with traces.going_on(push.attributes.get("traceparent")), bound(key=push.attributes.get("key")):
            return await take(app, push, body)

    return _private(name, receive)


async def _admit(app: App, request: Request) -> None:
    """The platform keeps strangers out; this looks at the caller again where it can."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    expected = app.settings.invoker
    if expected is not None and not (
        scheme.lower() == "bearer" and hmac.compare_digest(bearer.encode(), expected.get_secret_value().encode())
    ):
        raise UnauthorizedError("This target is private.")
    await identity.admit_private(app, request.headers)


async def _bury(app: App, topic: str, body: bytes, error: ValueError) -> Response:
    from hedgerow import dead_letters

    return await _work(dead_letters.keep(app, dead_letters.unreadable(topic, body, error, app.now())))


async def _done_or_buried(app: App, topic: str, body: bytes, work: Awaitable[None]) -> None:
    """What can never succeed is put aside at once, rather than after ten deliveries that slow all others."""
    try:
        await work
    except (RejectedError, TooLargeError) as error:
        from hedgerow import dead_letters

        log().error("target.failed", code=error.code, detail=error.detail)
        await dead_letters.keep(app, dead_letters.rejected(topic, body, error, app.now()))


async def _work(work: Awaitable[object]) -> Response:
    """Only our own store, vault or queue failing, or a bug, is a 503: the sender then slows down."""
    began = time.perf_counter()
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
