"""Google Chat's incoming webhook: creates messages in a space, in threads by key; edits nothing. Errors are google.rpc's.

https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.chat.faults import FaultKind
from local.chat.google_cards import wrong_cards
from local.chat.keeping import Body, Posted
from local.chat.taking import Desk, json_object

MOST_BYTES = 32_000
MOST_THREAD_KEY = 4_000
FIELDS = frozenset(["text", "cardsV2", "thread", "fallbackText", "accessoryWidgets", "name", "clientAssignedMessageId"])
REPLIES = frozenset(
    ["MESSAGE_REPLY_OPTION_UNSPECIFIED", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", "REPLY_MESSAGE_OR_FAIL"]
)


@dataclass(frozen=True, slots=True)
class GoogleChat:
    """The stand-in. A space is there from its first use on, with the key and token it was first used with."""

    desk: Desk

    def routes(self, base: str) -> list[Route]:
        """Its addresses below `base`."""
        return [
            Route(f"{base}/v1/spaces/{{space}}/messages", self.create, methods=["POST"]),
            Route(f"{base}/v1/spaces/{{space}}/messages/{{message}}", self.unable, methods=["PATCH", "PUT", "DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Create a message; 200 and the message."""
        space = request.path_params["space"]

        async def work(body: bytes) -> Response:
            refused = self._stranger(request, space)
            if refused is not None:
                return refused
            said = json_object(body)
            if said is None:
                return _error(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Expected an object key or }.")
            wrong = _wrong(said, request, space, len(body))
            if wrong is not None:
                return wrong
            return self._created(said, request, space)

        return await self.desk.take(request, "google-chat", space, _words, work)

    async def unable(self, request: Request) -> Response:
        """A webhook only creates."""
        words = "Request is missing required authentication credential. Expected OAuth 2 access token."
        return _error(401, "UNAUTHENTICATED", words)

    def _created(self, said: Body, request: Request, space: str) -> Response:
        asked = request.query_params.get("requestId", "")
        for earlier in self.desk.kept.messages if asked else []:
            if (earlier.service, earlier.room, earlier.headers.get("requestId")) == ("google-chat", space, asked):
                earlier.repeats += 1
                return JSONResponse(_shown(earlier))
        option = request.query_params.get("messageReplyOption", "")
        thread = said.get("thread")
        given = thread if isinstance(thread, dict) else {}
        key = str(given.get("threadKey") or request.query_params.get("threadKey") or "")
        name = str(given.get("name") or "")
        replies = option.startswith("REPLY_MESSAGE")
        found = self._thread(space, key, name) if replies else ""
        if option == "REPLY_MESSAGE_OR_FAIL" and (key or name) and not found:
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        id = secrets.token_urlsafe(8)
        message = Posted("google-chat", space, id, said, self.desk.kept.now(), author="Hedgerow", thread=found)
        message.headers = {"requestId": asked, "threadKey": key}
        return JSONResponse(_shown(self.desk.kept.keep(message)))

    def _thread(self, space: str, key: str, name: str) -> str:
        """The first message of the thread that is meant, "" when there is none."""
        for message in self.desk.kept.messages:
            if (message.service, message.room, message.thread) != ("google-chat", space, ""):
                continue
            if (key and message.headers.get("threadKey") == key) or name == f"spaces/{space}/threads/{message.id}":
                return message.id
        return ""

    def _stranger(self, request: Request, space: str) -> Response | None:
        key, token = request.query_params.get("key", ""), request.query_params.get("token", "")
        if not key:
            words = "Method doesn't allow unregistered callers (callers without established identity)."
            return _error(403, "PERMISSION_DENIED", words)
        if not self.desk.kept.admits("google-chat", f"{space} key", key):
            return _error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
        if not token or not self.desk.kept.admits("google-chat", space, token):
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        return None


def _wrong(said: Body, request: Request, space: str, size: int) -> Response | None:
    unknown = [name for name in said if name not in FIELDS]
    if unknown:
        words = f'Invalid JSON payload received. Unknown name "{unknown[0][:80]}": Cannot find field.'
        violation: JsonValue = {"description": words}
        details: JsonValue = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
        return _error(400, "INVALID_ARGUMENT", words, details)
    option = request.query_params.get("messageReplyOption", "")
    if option and option not in REPLIES:
        return _error(400, "INVALID_ARGUMENT", f"Invalid value at 'message_reply_option': \"{option[:80]}\"")
    text = said.get("text")
    if text is not None and not isinstance(text, str):
        return _error(400, "INVALID_ARGUMENT", "Invalid value at 'message.text' (TYPE_STRING)")
    if not text and not said.get("cardsV2"):
        words = f"Message cannot be empty. Discarding empty create message request in spaces/{space}."
        return _error(400, "INVALID_ARGUMENT", words)
    if size > MOST_BYTES:
        return _error(400, "INVALID_ARGUMENT", f"Message is too long: {size} bytes; the most is {MOST_BYTES}.")
    thread = said.get("thread")
    if isinstance(thread, dict) and len(str(thread.get("threadKey") or "")) > MOST_THREAD_KEY:
        return _error(400, "INVALID_ARGUMENT", f"Thread key is longer than {MOST_THREAD_KEY} characters.")
    wrong = wrong_cards(said.get("cardsV2"))
    return _error(400, "INVALID_ARGUMENT", wrong) if wrong else None


def _shown(message: Posted) -> dict[str, JsonValue]:
    space = f"spaces/{message.room}"
    thread: dict[str, JsonValue] = {"name": f"{space}/threads/{message.thread or message.id}"}
    if message.headers.get("threadKey"):
        thread["threadKey"] = message.headers["threadKey"]
    shown: dict[str, JsonValue] = {
        "name": f"{space}/messages/{message.thread or message.id}.{message.id}",
        "sender": {"name": "users/1", "displayName": message.author, "type": "BOT"},
        "createTime": message.at.isoformat(),
        "thread": thread,
        "space": {"name": space},
        "threadReply": bool(message.thread),
    }
    return {**shown, **{name: message.body[name] for name in ("text", "cardsV2") if name in message.body}}


def _error(status: int, name: str, message: str, details: JsonValue = None) -> JSONResponse:
    error: dict[str, JsonValue] = {"code": status, "message": message, "status": name}
    if details is not None:
        error["details"] = details
    return JSONResponse({"error": error}, status)


def _words(kind: FaultKind, seconds: float) -> Response:
    if kind == "429":
        answer = _error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
        answer.headers["Retry-After"] = str(max(1, round(seconds)))
        return answer
    if kind == "410":
        return _error(404, "NOT_FOUND", "Requested entity was not found.")
    if kind == "revoked":
        return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    return _error(500, "INTERNAL", "Internal error encountered.")
