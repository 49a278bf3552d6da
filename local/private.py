"""The schedule and topic targets of the manifest, reachable only with the invoker's bearer.

What Cloud Scheduler and Pub/Sub do in the cloud arrives here as the same requests, made
inside the process; the emulator's pushes come in by a path nobody can guess.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import httpx
from starlette.requests import Request
from starlette.responses import Response

from functions.api.manifest import Target
from functions.api.routes import function, targets
from hedgerow import wiring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from hedgerow.app import App

# Longer than any target's timeout in the manifest.
TARGET_SECONDS = 600.0


class PrivateTargets:
    """ASGI: `/<target>` calls that target, which itself looks at the bearer."""

    def __init__(self, app: App) -> None:
        invoker = app.settings.invoker
        if invoker is None:
            raise ValueError("the private targets need an invoker's bearer")
        self._app = app
        self._bearer = f"Bearer {invoker.get_secret_value()}"
        self.push_path = f"/push-{secrets.token_urlsafe(24)}"
        self._by_name = {name: each for name, each in targets().items() if each.trigger != "http"}
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self),
            base_url="http://private",
            headers={"Authorization": self._bearer, "Content-Type": "application/json"},
            timeout=TARGET_SECONDS,
        )

    @property
    def subscribers(self) -> dict[str, Target]:
        """Who hears of each topic."""
        return {each.topic: each for each in self._by_name.values() if each.topic}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to `/<target>`."""
        target = self._by_name[scope["path"].removeprefix("/")]
        with wiring.override(self._app):
            answer = await function(target)(Request(scope, receive))
            await answer(scope, receive, send)

    async def push(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a push that came from outside; False when the path is not the secret one."""
        prefix, _, name = str(scope["path"]).rpartition("/")
        if not secrets.compare_digest(prefix.encode(), self.push_path.encode()):
            return False
        if name not in self._by_name:
            # A topic that nobody subscribes to yet.
            await Response(status_code=204)(scope, receive, send)
            return True
        headers = [(key, value) for key, value in scope["headers"] if key != b"authorization"]
        headers.append((b"authorization", self._bearer.encode()))
        await self({**scope, "path": f"/{name}", "headers": headers}, receive, send)
        return True

    async def deliver(self, topic: str, envelope: bytes) -> int:
        """Push one message to the subscriber of its topic; the answer's HTTP status."""
        answer = await self._client.post(f"/{self.subscribers[topic].name}", content=envelope)
        return answer.status_code

    async def call(self, name: str, body: Mapping[str, str]) -> int:
        """Call a schedule target now; the answer's HTTP status."""
        answer = await self._client.post(f"/{name}", content=json.dumps(dict(body)))
        return answer.status_code

    async def close(self) -> None:
        """Let go of the client."""
        await self._client.aclose()
