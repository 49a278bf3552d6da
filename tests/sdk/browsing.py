"""A visitor with a real Chromium: opens the shop's page, lets it run, and closes it as a person does.

The page is served from an origin of its own, so that every request to the host crosses origins.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from tests.sdk.hosts import Site

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

SCRIPTS = Path(__file__).resolve().parent / "scripts"
CLOCK = """(() => {
  const Real = Date, shift = %d
  globalThis.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + shift) }
    static now() { return Real.now() + shift }
  }
})()"""


@dataclass
class Visit:
    """A page, and the requests it made to the host: method, path and status."""

    page: Page
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, method: str, url: str, status: int) -> None:
        """A request to the host, or for the page itself, was answered."""
        self.requests.append((method, "/" + url.split("/", 3)[3], status))
        self._news.set()

    async def heard(self) -> dict[str, Any]:
        """What the page was answered."""
        found: dict[str, Any] = await self.page.evaluate("window.heard")
        return found

    async def saw(self, path: str, seconds: float = 15) -> None:
        """Wait until a request to this path was answered."""
        async with asyncio.timeout(seconds):
            while not any(path in asked for _, asked, _ in self.requests):
                self._news.clear()
                await self._news.wait()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[BrowserContext]:
    """A browser for the length of a block."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield await browser.new_context()
        finally:
            await browser.close()


@contextmanager
def shop() -> Iterator[str]:
    """The address of the shop's page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SCRIPTS))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/shop.html"
        server.shutdown()


@asynccontextmanager
async def visit(
    context: BrowserContext, shop: str, site: Site, *, skew_seconds: int = 0, **asked: Any
) -> AsyncIterator[Visit]:
    """The shop's page with the SDK pointed at a site; closed at the end, its last beacon sent."""
    page = await context.new_page()
    seen = Visit(page)
    page.on("response", lambda answer: seen.note(answer.request.method, answer.url, answer.status))
    page.on("requestfailed", lambda request: seen.complaints.append(f"{request.url}: {request.failure}"))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    if skew_seconds:
        await page.add_init_script(CLOCK % (skew_seconds * 1000))
    given = {"token": site.token, "host": site.host, **asked}
    await page.add_init_script(f"window.asked = {json.dumps(given)}")
    await page.goto(shop)
    yield seen
    await page.close(run_before_unload=True)
