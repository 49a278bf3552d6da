"""Asks PostHog, with the keys that stand, whose a project token given alone is among the tenant's own projects.

A connection made without its token does not know it: only its personal API key can tell.
Whoever cannot tell, or not in time, is taken for another project.
"""

from __future__ import annotations

import asyncio

from functions.connect import recognising
from functions.connect.recognising import Sought
from hedgerow.app import App
from hedgerow.errors import SecretGoneError
from hedgerow.models import Connection
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import PostHogError

MOST = 20
SECONDS = 10.0


class Shown:
    """The tokens that projects showed in one attempt to connect, each asked for once."""

    def __init__(self) -> None:
        self._tokens: dict[str, str | None] = {}

    async def owner(self, app: App, sought: Sought) -> Connection | None:
        """The tenant's active connection, made without a token, whose project has one of those sought."""
        silent = [one for one in await recognising.of_tenant(app, sought.tenant_id) if _is_silent(sought, one)][:MOST]
        shown = await asyncio.gather(*(self._token_of(app, one) for one in silent))
        return next((one for one, token in zip(silent, shown, strict=True) if token in sought.tokens), None)

    async def _token_of(self, app: App, connection: Connection) -> str | None:
        if connection.id not in self._tokens:
            self._tokens[connection.id] = await _asked(app, connection)
        return self._tokens[connection.id]


def _is_silent(sought: Sought, one: Connection) -> bool:
    active = one.state in recognising.ACTIVE and one.host == sought.origin
    return active and one.project_token is None and one.project_id is not None and one.secret_ref is not None


async def _asked(app: App, connection: Connection) -> str | None:
    try:
        async with asyncio.timeout(SECONDS):
            key = await app.vault.read(connection.secret_ref or "")
            posthog = PostHog(app.http, connection.host, key, seconds=SECONDS)
            return (await posthog.project(connection.project_id or "")).api_token
    except (PostHogError, SecretGoneError, TimeoutError):
        return None
