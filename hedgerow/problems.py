"""How API answers refuse: problem+json with code, detail and hint, whatever went wrong.

`Guard` stands before a family's routes: key, rate, body size, then the routes; no
exception passes it. `application` turns FastAPI's own refusals into the same form.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from hedgerow import wiring
from hedgerow.errors import (
    ConflictError,
    HedgerowError,
    InvalidError,
    MalformedError,
    OversizedError,
    RefusedError,
    TooManyError,
)
from hedgerow.health import NotReadyError
from hedgerow.key_shapes import without_keys
from hedgerow.logs import bind, log

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CONNECTION = re.compile(r"/connections/(con_[0-9a-f]{24})(?:/|$)")


class _Problem(JSONResponse):
    """JSON that can always be sent: half a surrogate pair becomes a question mark."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def answer(error: HedgerowError, status: int) -> JSONResponse:
    """The problem document of an error. Never holds a key: errors never do."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyError) else {}
    members = error.members if isinstance(error, RefusedError) else {}
    return _Problem(
        {
            "type": "about:blank",
            "status": status,
            "code": error.code,
            "detail": error.detail,
            "hint": error.hint,
            **members,
        },
        status,
        headers,
    )


def application(name: str, router: APIRouter) -> FastAPI:
    """A family's routes as an application whose every refusal is a problem document."""
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    family = FastAPI(title=f"Hedgerow {name}", openapi_url=None, redirect_slashes=False)
    family.include_router(router)
    family.add_exception_handler(HedgerowError, _ours)  # type: ignore[arg-type]
    family.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    family.add_exception_handler(HTTPException, _unrouted)  # type: ignore[arg-type]
    # Starlette answers a crash itself, in plain text, before it passes it on; `Guard` then logs it.
    family.add_exception_handler(Exception, _crashed)
    return family


async def _ours(_: Request, error: HedgerowError) -> Response:
    if isinstance(error, RefusedError):
        return answer(error, error.status)
    if isinstance(error, ConflictError):
        return answer(
            HedgerowError(
                "Somebody else changed this at the same moment.", code=error.code, hint="Send the call again."
            ),
            409,
        )
    log().warning("request.failed", code=error.code, detail=error.detail)
    return answer(error, 503 if error.transient else 502)


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return answer(MalformedError("The body is not valid JSON."), 400)
    # The refused value itself is left out: it may be a key.
    said = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
    # A field's name is foreign too, and people paste keys anywhere.
    where = without_keys(said)[:200]
    if not where and first["type"] == "value_error":
        return answer(InvalidError(f"The body {_why(dict(first)).removeprefix('cannot be used: ')}."), 422)
    if not where:
        return answer(InvalidError("The body is not a JSON object.", hint="Send an object, such as {}."), 422)
    return answer(InvalidError(f"`{where}` {_why(dict(first))}.", members={"field": where}), 422)


def _why(error: dict[str, Any]) -> str:
    """What is wrong with a field, in words of ours: the validator's own speak of Python."""
    expected = error.get("ctx", {})
    words = {
        "missing": "is missing",
        "extra_forbidden": "is no field of this call",
        "string_type": "must be text",
        "string_too_short": "is too short",
        "string_too_long": f"is longer than {expected.get('max_length')} characters",
        "string_pattern_mismatch": "does not have the form asked for",
        "bool_type": "must be true or false",
        "bool_parsing": "must be true or false",
        "int_type": "must be a whole number",
        "int_parsing": "must be a whole number",
        "int_from_float": "must be a whole number",
        "literal_error": f"must be one of {expected.get('expected')}",
        "greater_than_equal": f"must be {expected.get('ge')} or more",
        "less_than_equal": f"must be {expected.get('le')} or less",
        "list_type": "must be a list",
        "tuple_type": "must be a list",
        "dict_type": "must be an object",
        "too_long": f"has more than {expected.get('max_length')} entries",
    }
    kind = str(error["type"])
    if kind.startswith(("date_", "datetime_")):
        return "must be a date, written YYYY-MM-DD"
    return words.get(kind) or f"cannot be used: {error['msg'].removeprefix('Value error, ')}"


async def _crashed(_: Request, __: Exception) -> Response:
    return answer(_oops(), 500)


def _oops() -> HedgerowError:
    hint = "Try again; if it stays, the log has the reason."
    return HedgerowError("Hedgerow failed on this request.", code="internal", hint=hint)


async def _unrouted(_: Request, error: HTTPException) -> Response:
    if error.status_code == 400:
        return answer(MalformedError("The body cannot be read as JSON."), 400)
    hints = {404: "Check the path; README lists the calls.", 405: "Check the method; README lists the calls."}
    codes = {404: "not_found", 405: "method_not_allowed"}
    problem = HedgerowError(
        str(error.detail), code=codes.get(error.status_code, "refused"), hint=hints.get(error.status_code, "")
    )
    response = answer(problem, error.status_code)
    response.headers.update(error.headers or {})
    return response


class Guard:
    """ASGI: recognises the key, holds rate and size, and lets no exception through."""

    def __init__(self, family: ASGIApp) -> None:
        self.family = family
        self.calls: dict[str, tuple[float, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.family(scope, receive, send)
            return
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            app = wiring.current()
        except HedgerowError as error:
            # Nobody is recognised yet: which setting it is, is the log's alone.
            log().error("request.failed", code=error.code, detail=error.detail, hint=error.hint)
            await answer(NotReadyError("Hedgerow is not ready."), 503)(scope, receive, send)
            return
        try:
            # A schedule's target and a topic's never ask who calls, and start without the records of who may.
            from hedgerow.keys import recognise

            scope["hedgerow.caller"] = caller = await recognise(app, bearer_of(scope))
            # Till the end of the call, which the entry point closes.
            bind(tenant_id=caller.tenant_id, connection_id=_connection_in(scope["path"]))
            self._count(caller.key_id or caller.role)
            body = await _whole_body(scope, receive)
            _refuse_half_characters(body)
            await self.family(_as_json(scope), _replay(body, receive), watched)
        except RefusedError as error:
            await answer(error, error.status)(scope, receive, watched)
        except HedgerowError as error:
            log().warning("request.failed", code=error.code, detail=error.detail)
            await answer(error, 503)(scope, receive, watched)
        except Exception:
            log().exception("request.crashed", path=scope["path"])
            if not began:
                await answer(_oops(), 500)(scope, receive, watched)

    def _count(self, who: str) -> None:
        """A fixed window of one minute per key and instance: crude, cheap, and enough to stop a loop."""
        limit = wiring.current().settings.requests_per_minute
        clock = wiring.current().now().timestamp()
        began, calls = self.calls.get(who, (clock, 0))
        if clock - began >= 60:
            began, calls = clock, 0
        if len(self.calls) > 10_000:
            self.calls.clear()
        self.calls[who] = (began, calls + 1)
        if calls >= limit:
            raise TooManyError(
                f"More than {limit} calls in a minute.", retry_after=max(1, int(60 - (clock - began)) + 1)
            )


def _connection_in(path: str) -> str | None:
    """The connection a path is about, as far as its form tells; what else stands there never gets into a log."""
    found = _CONNECTION.search(path)
    return found[1] if found is not None else None


def _as_json(scope: Scope) -> Scope:
    """Every body is JSON here, whatever it is called: `curl -d` calls it a form."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}


def bearer_of(scope: Scope) -> str | None:
    """The key after `Authorization: Bearer`, None where there is none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            return key.strip() if scheme.lower() == "bearer" else None
    return None


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    limit = wiring.current().settings.body_bytes
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MalformedError("The request ended before its body did.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise OversizedError(f"The body is over {limit} bytes.")
        if not message.get("more_body", False):
            return b"".join(chunks)


def _refuse_half_characters(body: bytes) -> None:
    """JSON can write half of a surrogate pair; no store and no answer can hold one."""
    if b"\\ud" not in body.lower():
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidError("The body holds half of a surrogate pair, which is no character.") from None
    except (ValueError, RecursionError):
        return  # The family says what is wrong with it.


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
