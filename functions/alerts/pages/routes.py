"""The target of signed addresses: a GET shows and changes nothing, a POST acts, a chart is a picture.

No key is asked for: the signature is the right. Link previews fetch every address that
is posted, which is why only a POST does anything.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from functions.alerts.incidents import acting, health
from functions.alerts.pages import doing, links, showing
from functions.alerts.pages.links import Signed
from functions.alerts.pages.showing import Outcome, Shown
from functions.alerts.records import AlertRule, Incident
from hedgerow import problems, wiring
from hedgerow.app import App
from hedgerow.errors import ConflictError, HedgerowError, OversizedError, RefusedError
from hedgerow.logs import log
from hedgerow.models import Connection

FORM_BYTES = 4_096
FRESH_SECONDS = 60
SETTLED_SECONDS = 86_400
HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}


async def show(request: Request) -> Response:
    """The incident, and the button of what the link is for."""
    app = wiring.current()
    signed, incident = await _signed(app, request, *PAGES)
    return await _page(app, signed, incident, None)


async def act(request: Request) -> Response:
    """Do it, and say so on the same page."""
    app = wiring.current()
    signed, incident = await _signed(app, request, *PAGES)
    form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
    connection = await app.store.get(Connection, incident.connection_id)
    zone = connection.timezone if connection is not None else "UTC"
    incident, outcome = await doing.do(app, signed, incident, form.get("for", ""), zone)
    return await _page(app, signed, incident, outcome)


async def chart(request: Request) -> Response:
    """The PNG; `?theme=dark` for dark. A resolved incident's may be kept for a day."""
    app = wiring.current()
    signed, incident = await _signed(app, request, "chart")
    # Here, because a page needs neither arrays nor pictures, and people wait for its cold start.
    from functions.alerts.pages import charting

    is_dark = "dark" in (request.query_params.get("theme"), signed.extra)
    picture = await charting.chart_of(app, incident, "dark" if is_dark else "light")
    seconds = SETTLED_SECONDS if incident.state == "resolved" else FRESH_SECONDS
    tag = f'"{hashlib.sha256(picture).hexdigest()[:24]}"'
    headers = {
        "Cache-Control": f"public, max-age={seconds}",
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        # A chat that runs in a browser shows it on its own page.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(picture, media_type="image/png", headers=headers)


async def _signed(app: App, request: Request, *purposes: links.Purpose) -> tuple[Signed, Incident]:
    signed = await links.read(app, request.path_params["token"], *purposes)
    incident = await app.store.get(Incident, signed.subject_id)
    if incident is None:
        raise acting.missing()
    return signed, incident


async def _page(app: App, signed: Signed, incident: Incident, outcome: Outcome | None) -> Response:
    connection = await app.store.get(Connection, incident.connection_id)
    zone = connection.timezone if connection is not None else "UTC"
    picture = await links.sign(app, "chart", incident.id, signed.until)
    # A path, not an address: the page may be looked at under another name than the public one.
    chart = picture[picture.index("/v1/charts/") :] if picture else ""
    rule = await app.store.get(AlertRule, incident.rule_id)
    if rule is None and connection is not None and incident.rule_id == health.rule_id(connection.id):
        rule = health.health_rule(connection)
    html = showing.page(Shown(incident, signed.purpose, zone, chart, rule), outcome)
    return _html(html, 409 if outcome is not None and outcome.is_refused else 200)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            raise OversizedError(f"The form is over {FORM_BYTES} bytes.")
    return body


async def _refused(request: Request, error: Exception) -> Response:
    """A page for people, a problem document for programs."""
    status, refused = _as_refusal(error)
    accepts = request.headers.get("accept", "")
    if "json" in accepts and "text/html" not in accepts:
        answer: Response = problems.answer(refused, status)
        answer.headers.update(HEADERS)
        return answer
    return _html(showing.refusal(refused.detail, refused.hint), status)


def _as_refusal(error: Exception) -> tuple[int, HedgerowError]:
    if isinstance(error, RefusedError):
        return error.status, error
    if isinstance(error, ConflictError):
        words = "Somebody else changed this at the same moment."
        return 409, HedgerowError(words, code=error.code, hint="Go back and try again.")
    if isinstance(error, HTTPException):
        hint = "Open the link again from the message."
        return error.status_code, HedgerowError("There is nothing at this address.", code="not_found", hint=hint)
    code = error.code if isinstance(error, HedgerowError) else "internal"
    log().warning("page.failed", code=code, kind=type(error).__name__)
    failed = HedgerowError("Hedgerow cannot do this now.", code=code, hint="Try again in a moment; twice does no harm.")
    return 503 if isinstance(error, HedgerowError) else 500, failed


def _html(html: str, status: int) -> Response:
    return HTMLResponse(html, status, {**HEADERS, "Content-Security-Policy": showing.policy()})


PAGES: tuple[links.Purpose, ...] = ("acknowledge", "snooze", "useful", "useless", "incident")

application = Starlette(
    routes=[
        Route("/v1/pages/{token}", show, methods=["GET"]),
        Route("/v1/pages/{token}", act, methods=["POST"]),
        Route("/v1/charts/{token}.png", chart, methods=["GET"]),
    ],
    exception_handlers={HedgerowError: _refused, HTTPException: _refused, Exception: _refused},
)
