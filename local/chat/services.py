"""All stand-ins as one ASGI application under /inbox: the services, the faults, what they hold, and the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from pydantic import JsonValue, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from hedgerow.wiring import utc_now
from local.chat.discord import Discord
from local.chat.faults import Fault, Faults
from local.chat.google_chat import GoogleChat
from local.chat.inbox import page
from local.chat.keeping import Kept, Posted, ServiceName
from local.chat.slack import Slack
from local.chat.taking import Desk
from local.chat.teams import Teams
from local.chat.webhook import Webhook

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)
# The page shows what strangers sent: it may run its own one script, and speak to nobody but its own server.
# `data:` is its icon, which is none: no picture of a message has such an address.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src http: https: data:; connect-src 'self'; base-uri 'none'; form-action 'none'"


class ChatServices:
    """ASGI. Mount it at the root of a server, or hand it every request below /inbox, with the path unchanged."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self.kept = Kept(now)
        self.faults = Faults()
        desk = Desk(self.kept, self.faults)
        at = "/inbox/services"
        self._app = Starlette(
            routes=[
                Route("/inbox", self._page),
                Route("/inbox/", self._page),
                Route("/inbox/messages", self._messages, methods=["GET", "DELETE"]),
                # Before the services: a path of three parts is a webhook of Slack's.
                Route(f"{at}/{{service}}/faults", self._fault, methods=["POST", "DELETE"]),
                *Slack(desk).routes(f"{at}/slack"),
                *Discord(desk).routes(f"{at}/discord"),
                *Teams(desk).routes(f"{at}/teams"),
                *GoogleChat(desk).routes(f"{at}/google-chat"),
                *Webhook(desk).routes(f"{at}/webhook"),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    async def _page(self, request: Request) -> Response:
        wanted = request.query_params.get("service", "")
        only = wanted if wanted in SERVICES else ""
        html = page(self.kept.messages, only, self.kept.now())
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})

    async def _messages(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.kept.clear()
            return Response(status_code=204)
        room, service = request.query_params.get("room"), request.query_params.get("service")
        found = [m for m in self.kept.messages if service in (None, m.service) and room in (None, m.room)]
        return JSONResponse({"messages": [_as_json(message) for message in found]})

    async def _fault(self, request: Request) -> Response:
        service = request.path_params["service"]
        if service not in SERVICES:
            return JSONResponse({"error": f"service is one of {', '.join(SERVICES)}"}, 404)
        if request.method == "DELETE":
            self.faults.clear(service)
            return Response(status_code=204)
        try:
            fault = Fault.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": str(error.errors()[0]["msg"])}, 422)
        self.faults.set(service, fault)
        return JSONResponse(fault.model_dump(), 201)


def _as_json(message: Posted) -> dict[str, JsonValue]:
    return {
        "service": message.service,
        "room": message.room,
        "id": message.id,
        "at": message.at.isoformat(),
        "author": message.author,
        "thread": message.thread,
        "note": message.note,
        "failed": message.failed,
        "repeats": message.repeats,
        "headers": dict(message.headers),
        "body": dict(message.body),
        "edits": [dict(edit.body) for edit in message.edits],
    }
