"""A signed page in a real Chromium: it is read on a phone, its button works, its chart is there, nothing is refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn

from functions.alerts.pages.routes import application
from hedgerow import wiring
from tests.functions.alerts.pages_stage import Open, opened
from tests.sdk.browsing import chromium

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

WAIT = 10_000


@asynccontextmanager
async def served(it: Open) -> AsyncIterator[str]:
    async def with_app(scope: Scope, receive: Receive, send: Send) -> None:
        with wiring.override(it.stage.app):
            await application(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(with_app, log_level="error", lifespan="off", ws="none"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def test_somebody_acknowledges_on_a_phone(browser: str) -> None:
    async with opened() as it, served(it) as base, chromium(browser) as context:
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        await page.set_viewport_size({"width": 360, "height": 740})
        await page.goto(base + await it.path("acknowledge"))
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert await page.get_by_role("heading", name="DAU 12, usually 80 to 120").is_visible()
        chart = page.get_by_role("img", name="Chart")
        assert await chart.evaluate("each => each.decode().then(() => each.naturalWidth)") == 800
        assert (await it.now()).acknowledged_at is None
        await page.get_by_role("button", name="Acknowledge").click()
        await page.get_by_role("status").get_by_text("Acknowledged").wait_for(timeout=WAIT)
        assert (await it.now()).acknowledged_by == "Slack #ops"
        await page.reload()
        await page.get_by_role("status").get_by_text("Acknowledged").wait_for(timeout=WAIT)
        assert await page.get_by_role("button").count() == 0
        assert complaints == []


async def test_somebody_snoozes_until_the_morning_with_the_keyboard(browser: str) -> None:
    async with opened() as it, served(it) as base, chromium(browser) as context:
        page = await context.new_page()
        await page.emulate_media(color_scheme="dark")
        await page.goto(base + await it.path("snooze"))
        await page.keyboard.press("Tab")
        for _ in range(3):
            await page.keyboard.press("ArrowDown")
        assert await page.get_by_label("Until tomorrow, 9:00").is_checked()
        await page.keyboard.press("Enter")
        await page.get_by_role("status").get_by_text("Snoozed until Sat 21 Nov, 09:00").wait_for(timeout=WAIT)
        assert (await it.now()).snoozed_until is not None
