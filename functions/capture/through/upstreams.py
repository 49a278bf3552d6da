"""Which host a question goes to: the project's own, PostHog's assets hosts for scripts and configuration, or one found out.

A request chooses no host. Its token does, through the connection somebody made for it; where
there is no token only scripts and pictures are fetched, from hosts this installation knows.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.capture.through.asking import Asked, page_of
from hedgerow.errors import TransientError
from hedgerow.models import Connection
from hedgerow.ports import Where
from hedgerow.posthog.hosts import ingestion_of

if TYPE_CHECKING:
    from hedgerow.app import App

_ASSETS = {
    "https://us.i.posthog.com": "https://us-assets.i.posthog.com",
    "https://us.posthog.com": "https://us-assets.i.posthog.com",
    "https://app.posthog.com": "https://us-assets.i.posthog.com",
    "https://eu.i.posthog.com": "https://eu-assets.i.posthog.com",
    "https://eu.posthog.com": "https://eu-assets.i.posthog.com",
}
_FROM_ASSETS = ("/static/", "/array/")
_WITHOUT_TOKEN = ("/static/", "/site_app/", "/site_function/", "/uploaded_media/")
"""What pages load by an address that names no token."""
_LIVE = ("connected", "needs_attention", "paused")
MOST_PAGES = 10_000
KNOWN_SECONDS = 60.0
PAGE_OF_CONNECTIONS = 500
MOST_CONNECTIONS = 2_000


@dataclass(frozen=True, slots=True)
class Installation:
    """The ingestion origins of every live connection, and whether all belong to one tenant."""

    origins: frozenset[str] = frozenset()
    has_one_tenant: bool = False


class Upstreams:
    """The hosts that pages used last in this process, and the installation's, looked up once a minute."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._by_page: OrderedDict[str, str] = OrderedDict()
        self._installation = Installation()
        self._known_until = 0.0

    async def of(self, asked: Asked, project_origin: str | None) -> str | None:
        """The origin to ask; None when the request names no project and is for nothing that needs none."""
        page = page_of(asked)
        if project_origin is not None:
            if page is not None:
                self._remember(page, project_origin)
            return _assets(asked, project_origin)
        if asked.method not in {"GET", "HEAD"} or not asked.path.startswith(_WITHOUT_TOKEN):
            return None
        origin = await self._guessed(page)
        if origin is None:
            return _assets(asked, self._app.settings.static_host) if asked.path.startswith("/static/") else None
        return _assets(asked, origin)

    async def _guessed(self, page: str | None) -> str | None:
        """Where a request without a token belongs.

        Anybody may write another's page into a request that names his own project, so a page
        tells a tenant's own host only where there is no other tenant: else one could put scripts
        into the pages of another.
        """
        installation = await self._known()
        used = self._by_page.get(page) if page is not None else None
        if used is not None and (used in _ASSETS or (installation.has_one_tenant and used in installation.origins)):
            return used
        return next(iter(installation.origins)) if len(installation.origins) == 1 else None

    def _remember(self, page: str, origin: str) -> None:
        self._by_page[page] = origin
        self._by_page.move_to_end(page)
        if len(self._by_page) > MOST_PAGES:
            self._by_page.popitem(last=False)

    async def _known(self) -> Installation:
        if self._known_until > time.monotonic():
            return self._installation
        self._known_until = time.monotonic() + KNOWN_SECONDS
        try:
            self._installation = await self._looked_up()
        except TransientError:
            # What was known before still stands; at first nothing is, and PostHog's own scripts serve.
            self._known_until = time.monotonic() + KNOWN_SECONDS / 10
        return self._installation

    async def _looked_up(self) -> Installation:
        origins: set[str] = set()
        tenants: set[str] = set()
        seen = 0
        for state in _LIVE:
            cursor: str | None = None
            while True:
                page = await self._app.store.find(
                    Connection, Where("state", "==", state), limit=PAGE_OF_CONNECTIONS, cursor=cursor
                )
                origins |= {each.ingestion_host or ingestion_of(each.host) for each in page.items}
                tenants |= {each.tenant_id for each in page.items}
                seen, cursor = seen + len(page.items), page.next_cursor
                if seen > MOST_CONNECTIONS or (len(origins) > 1 and len(tenants) > 1):
                    return Installation()
                if cursor is None:
                    break
        return Installation(frozenset(origins), len(tenants) == 1)


def _assets(asked: Asked, origin: str) -> str:
    return _ASSETS.get(origin, origin) if asked.path.startswith(_FROM_ASSETS) else origin
