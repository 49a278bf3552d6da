"""Discord's webhooks: execute, edit, get. Its refusals name the field, as code 50035 does.

https://discord.com/developers/docs/resources/webhook and .../resources/message#embed-object
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.chat.discord_form import wrong_fields
from local.chat.faults import FaultKind
from local.chat.keeping import Body, Posted
from local.chat.taking import Desk, json_object

EPOCH_MILLISECONDS = 1_420_070_400_000


@dataclass(frozen=True, slots=True)
class Discord:
    """The stand-in. A webhook is there from its first use on, with the token it was first used with."""

    desk: Desk

    def routes(self, base: str) -> list[Route]:
        """Its addresses below `base`."""
        hook = f"{base}/api/{{version:path}}webhooks/{{id}}/{{token}}"
        plain = f"{base}/api/webhooks/{{id}}/{{token}}"
        found = []
        for address in (plain, hook):
            found.append(Route(address, self.execute, methods=["POST"]))
            found.append(Route(address, self.about, methods=["GET"]))
            found.append(Route(f"{address}/messages/{{message}}", self.one, methods=["GET", "PATCH"]))
        return found

    async def execute(self, request: Request) -> Response:
        """Post a message: 204, or with `?wait=true` 200 and the message."""

        async def work(body: bytes) -> Response:
            refused, said = self._read(request, body)
            if said is None:
                return refused
            if not any(said.get(name) for name in ("content", "embeds", "components", "poll")):
                return _error(400, 50006, "Cannot send an empty message")
            message = self._keep(request.path_params["id"], said)
            waits = request.query_params.get("wait", "").lower() in ("true", "1")
            return JSONResponse(_shown(message)) if waits else Response(status_code=204)

        return await self.desk.take(request, "discord", request.path_params["id"], _words, work)

    async def one(self, request: Request) -> Response:
        """Get or edit a message of this webhook."""

        async def work(body: bytes) -> Response:
            refused = self._stranger(request)
            if refused is not None:
                return refused
            message = self.desk.kept.find("discord", request.path_params["id"], request.path_params["message"])
            if message is None:
                return _error(404, 10008, "Unknown Message")
            if request.method == "GET":
                return JSONResponse(_shown(message))
            answer, said = self._read(request, body)
            if said is None:
                return answer
            # Fields that an edit leaves out stay.
            changed: Body = {**message.body, **said}
            if not any(changed.get(name) for name in ("content", "embeds", "components")):
                return _error(400, 50006, "Cannot send an empty message")
            message.edit(changed, self.desk.kept.now())
            return JSONResponse(_shown(message))

        return await self.desk.take(request, "discord", request.path_params["id"], _words, work)

    async def about(self, request: Request) -> Response:
        """The webhook itself."""
        refused = self._stranger(request)
        id = request.path_params["id"]
        return refused or JSONResponse({"id": id, "type": 1, "name": "Hedgerow", "channel_id": id, "guild_id": "1"})

    def _read(self, request: Request, body: bytes) -> tuple[Response, Body | None]:
        """The message a request holds; where it holds none, the first is the refusal."""
        refused = self._stranger(request)
        if refused is not None:
            return refused, None
        said = json_object(body)
        if said is None:
            return _error(400, 50109, "The request body contains invalid JSON."), None
        wrong = wrong_fields(said)
        if wrong:
            return _error(400, 50035, "Invalid Form Body", errors=wrong), None
        return Response(), said

    def _stranger(self, request: Request) -> Response | None:
        id, token = request.path_params["id"], request.path_params["token"]
        if not re.fullmatch(r"\d{1,20}", id):
            said: JsonValue = {"code": "NUMBER_TYPE_COERCE", "message": f'Value "{id[:80]}" is not snowflake.'}
            return _error(400, 50035, "Invalid Form Body", errors={"webhook_id": {"_errors": [said]}})
        if not self.desk.kept.admits("discord", id, token):
            return _error(401, 50027, "Invalid Webhook Token")
        return None

    def _keep(self, room: str, said: Body) -> Posted:
        number = self.desk.kept.number()
        snowflake = str((number // 1_000 - EPOCH_MILLISECONDS << 22) + number % 1_000)
        name = said.get("username")
        author = name if isinstance(name, str) and name else "Hedgerow"
        return self.desk.kept.keep(Posted("discord", room, snowflake, said, self.desk.kept.now(), author=author))


def _shown(message: Posted) -> dict[str, JsonValue]:
    edited: datetime | None = message.edits[-1].until if message.edits else None
    return {
        "id": message.id,
        "type": 0,
        "content": message.body.get("content") or "",
        "embeds": message.body.get("embeds") or [],
        "components": message.body.get("components") or [],
        "channel_id": message.room,
        "webhook_id": message.room,
        "author": {"id": message.room, "username": message.author, "bot": True},
        "timestamp": message.at.isoformat(),
        "edited_timestamp": edited.isoformat() if edited else None,
    }


def _error(status: int, code: int, words: str, **more: JsonValue) -> JSONResponse:
    return JSONResponse({"message": words, "code": code, **more}, status)


def _words(kind: FaultKind, seconds: float) -> Response:
    if kind == "429":
        body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
        headers = {"Retry-After": str(max(1, round(seconds))), "X-RateLimit-Scope": "shared"}
        return JSONResponse(body, 429, headers)
    if kind == "410":
        return _error(404, 10015, "Unknown Webhook")
    if kind == "revoked":
        return _error(401, 50027, "Invalid Webhook Token")
    return _error(500, 0, "500: Internal Server Error")
