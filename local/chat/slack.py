"""Slack's two ways in: the incoming webhook, which answers in plain words, and the Web API's chat methods.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.chat.faults import FaultKind
from local.chat.keeping import Body, Posted
from local.chat.slack_blocks import MOST_CHARACTERS, characters, complaints
from local.chat.taking import Desk, json_object

MOST_TEXT = 40_000
MOST_ATTACHMENTS = 100
CHANNEL = re.compile(r"[CGD][A-Z0-9]+|#[\w-]{1,80}")
TS = re.compile(r"\d{10}\.\d{6}")


@dataclass(frozen=True, slots=True)
class Slack:
    """The stand-in. A channel that is not there yet is made by the first message; so is a webhook."""

    desk: Desk

    def routes(self, base: str) -> list[Route]:
        """Its addresses below `base`."""
        return [
            Route(f"{base}/api/{{method}}", self.call, methods=["POST"]),
            Route(f"{base}/{{team}}/{{hook}}/{{token}}", self.incoming, methods=["POST"]),
        ]

    async def incoming(self, request: Request) -> Response:
        """An incoming webhook: `ok`, or a word and a status."""
        team, hook, token = (request.path_params[name] for name in ("team", "hook", "token"))
        room = f"{team}/{hook}"

        async def work(body: bytes) -> Response:
            if not re.fullmatch(r"T[A-Z0-9]+", team):
                return PlainTextResponse("no_team", 404)
            if not re.fullmatch(r"B[A-Z0-9]+", hook):
                return PlainTextResponse("no_service", 404)
            if not self.desk.kept.admits("slack", room, token):
                return PlainTextResponse("invalid_token", 403)
            said = _webhook_body(request, body)
            if said is None:
                return PlainTextResponse("invalid_payload", 400)
            wrong = _wrong(said)
            if wrong is not None:
                return PlainTextResponse(wrong.error, 400)
            self._keep(room, said)
            return PlainTextResponse("ok")

        return await self.desk.take(request, "slack", room, _in_words, work)

    async def call(self, request: Request) -> Response:
        """A method of the Web API: 200 whatever happens, and `ok` says which."""
        said, unread = _api_body(request, await request.body())
        channel = str(said.get("channel", ""))

        async def work(_: bytes) -> Response:
            refused = unread or self._stranger(request, said)
            if refused:
                return _not_ok(refused)
            method = request.path_params["method"]
            if method == "auth.test":
                return JSONResponse({"ok": True, "team": "Local", "user": "hedgerow", "bot_id": "B0LOCAL"})
            if method not in ("chat.postMessage", "chat.update"):
                return _not_ok("unknown_method", req_method=method)
            if not CHANNEL.fullmatch(channel):
                return _not_ok("channel_not_found")
            wrong = _wrong(said)
            if wrong is not None:
                return wrong.answer()
            return self._update(channel, said) if method == "chat.update" else self._post(channel, said)

        return await self.desk.take(request, "slack", channel, _in_json, work)

    def _post(self, channel: str, said: Body) -> Response:
        thread = said.get("thread_ts")
        if thread is not None and not (isinstance(thread, str) and TS.fullmatch(thread)):
            return _not_ok("invalid_thread_ts")
        message = self._keep(channel, said)
        return JSONResponse({"ok": True, "channel": channel, "ts": message.id, "message": _shown(message)})

    def _update(self, channel: str, said: Body) -> Response:
        message = self.desk.kept.find("slack", channel, str(said.get("ts", "")))
        if message is None:
            return _not_ok("message_not_found")
        message.edit(said, self.desk.kept.now())
        answer = {"ok": True, "channel": channel, "ts": message.id, "text": said.get("text", "")}
        return JSONResponse({**answer, "message": _shown(message)})

    def _keep(self, room: str, said: Body) -> Posted:
        number = self.desk.kept.number()
        ts = f"{number // 1_000_000}.{number % 1_000_000:06}"
        thread = said.get("thread_ts")
        author = said.get("username")
        return self.desk.kept.keep(
            Posted(
                "slack",
                room,
                ts,
                said,
                self.desk.kept.now(),
                author=author if isinstance(author, str) else "Hedgerow",
                thread=thread if isinstance(thread, str) else "",
            )
        )

    def _stranger(self, request: Request, said: Body) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = str(said.get("token", ""))
        if not token:
            return "not_authed"
        return "" if re.fullmatch(r"xoxb-[\w-]{3,}", token) else "invalid_auth"


@dataclass(frozen=True, slots=True)
class _Wrong:
    error: str
    messages: tuple[str, ...] = ()

    def answer(self) -> Response:
        if not self.messages:
            return _not_ok(self.error)
        return _not_ok(self.error, errors=list(self.messages), response_metadata={"messages": list(self.messages)})


def _wrong(said: Body) -> _Wrong | None:
    """What Slack would not take of a message, whichever way it came."""
    text, blocks, attachments = said.get("text"), said.get("blocks"), said.get("attachments")
    if not text and not blocks and not attachments:
        return _Wrong("no_text")
    if text is not None and not isinstance(text, str):
        return _Wrong("invalid_payload")
    if text is not None and len(text) > MOST_TEXT:
        return _Wrong("msg_too_long")
    if isinstance(attachments, list) and len(attachments) > MOST_ATTACHMENTS:
        return _Wrong("too_many_attachments")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        return _Wrong("invalid_blocks_format")
    found = complaints(blocks)
    if found:
        return _Wrong("invalid_blocks", tuple(found))
    return _Wrong("msg_blocks_too_long") if characters(blocks) > MOST_CHARACTERS else None


def _webhook_body(request: Request, body: bytes) -> Body | None:
    """JSON, or a form whose `payload` is JSON."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        return json_object(form.get("payload", "").encode())
    return json_object(body)


def _api_body(request: Request, body: bytes) -> tuple[Body, str]:
    """The arguments of a call, and the error when they cannot be read."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        said = json_object(body)
        return (said, "") if said is not None else ({}, "invalid_json")
    if not kind.startswith("application/x-www-form-urlencoded"):
        return {}, "invalid_post_type"
    arguments: dict[str, JsonValue] = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        arguments[name] = value
        if name in ("blocks", "attachments"):
            try:
                arguments[name] = json.loads(value)
            except ValueError:
                return {}, f"invalid_{name}_format"
    return arguments, ""


def _shown(message: Posted) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {"type": "message", "subtype": "bot_message", "ts": message.id, "bot_id": "B0LOCAL"}
    for name in ("text", "blocks"):
        if name in message.body:
            shown[name] = message.body[name]
    if message.thread:
        shown["thread_ts"] = message.thread
    if message.edits:
        shown["edited"] = {"user": "B0LOCAL", "ts": message.id}
    return shown


def _not_ok(error: str, **more: JsonValue) -> Response:
    answer: Mapping[str, JsonValue] = {"ok": False, "error": error, **more}
    return JSONResponse(answer)


def _in_words(kind: FaultKind, seconds: float) -> Response:
    if kind == "429":
        return PlainTextResponse("rate_limited", 429, {"Retry-After": _whole(seconds)})
    if kind == "410":
        return PlainTextResponse("channel_is_archived", 410)
    return PlainTextResponse("invalid_token", 403) if kind == "revoked" else PlainTextResponse("rollup_error", 500)


def _in_json(kind: FaultKind, seconds: float) -> Response:
    if kind == "429":
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": _whole(seconds)})
    if kind == "500":
        return JSONResponse({"ok": False, "error": "internal_error"}, 500)
    return _not_ok("is_archived" if kind == "410" else "token_revoked")


def _whole(seconds: float) -> str:
    return str(max(1, round(seconds)))
