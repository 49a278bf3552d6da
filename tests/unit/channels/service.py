"""A service on this machine that gives the answers a test wrote down, in turn, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from hedgerow.app import App
from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.teams import TeamsSettings
from hedgerow.channels.webhook import WebhookSettings
from tests.loopback import http
from tests.stage import staged

SECRET = "T0nobodysSecret"


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """Gives its answers in turn, the last one for ever; keeps what it was asked."""

    answers: list[bytes]
    port: int = 0
    asked: list[Request] = field(default_factory=list)

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.asked.append(Request(method, target, headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def speaking(*answers: bytes) -> AsyncIterator[tuple[App, Service, str]]:
    """An app that may call the service, the service, and an address of it with a secret."""
    service = Service(list(answers))
    server = await asyncio.start_server(service.meet, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{service.port}"
    try:
        async with staged([f"127.0.0.1:{service.port}"]) as stage:
            config = stage.app.settings.model_copy(update={"slack_api": f"{base}/api"})
            yield replace(stage.app, settings=config), service, f"{base}/{SECRET}"
    finally:
        server.close()


def told(members: object, status: str = "200 OK", *headers: str) -> bytes:
    return http(json.dumps(members).encode(), status, "Content-Type: application/json", *headers)


def of(kind: str, url: str) -> ChannelSettings:
    address = SecretStr(url)
    match kind:
        case "slack":
            return SlackSettings(url=address)
        case "bot":
            return SlackSettings(token=SecretStr(f"xoxb-{SECRET}"), slack_channel="#alerts")
        case "discord":
            return DiscordSettings(url=address)
        case "teams":
            return TeamsSettings(url=address)
        case "google_chat":
            return GoogleChatSettings(url=address)
    return WebhookSettings(url=address)


KINDS = ("slack", "bot", "discord", "teams", "google_chat", "webhook")
ARRIVED = {
    "slack": http(b"ok"),
    "bot": told({"ok": True, "channel": "C01", "ts": "17.5"}),
    "discord": told({"id": "42"}),
    "teams": http(b"", "202 Accepted"),
    "google_chat": told({"name": "spaces/A/messages/B"}),
    "webhook": http(b"", "204 No Content"),
}
