"""The inbox in a real Chromium: a message shows, an edit shows by itself, and no name breaks out of its place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import uvicorn
from pydantic import JsonValue

from hedgerow.channels import discord
from hedgerow.channels.notice import Notice
from local.chat import ChatServices
from tests.sdk.browsing import chromium

EVIL = '<img src=x onerror="document.title=\'broken\'"></script><script>document.title="broken"</script>\'"&amp; Ω 🧨'
BOT = {"Authorization": "Bearer xoxb-123-abc"}
WAIT = 10_000


@asynccontextmanager
async def served() -> AsyncIterator[httpx.AsyncClient]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(ChatServices(), log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=address) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


def slack(channel: str, text: str) -> dict[str, JsonValue]:
    words: JsonValue = {"type": "mrkdwn", "text": text}
    open_it: JsonValue = {
        "type": "button",
        "text": {"type": "plain_text", "text": "Acknowledge"},
        "url": "https://x.test/v1/pages/abc",
    }
    blocks: JsonValue = [{"type": "section", "text": words}, {"type": "actions", "elements": [open_it]}]
    return {"channel": channel, "text": text, "blocks": blocks}


async def test_a_message_shows_then_its_edit_and_its_thread_without_a_reload(browser: str) -> None:
    async with served() as client, chromium(browser) as context:
        page = await context.new_page()
        await page.goto(f"{client.base_url}/inbox")
        await page.get_by_text("Nothing here yet").wait_for(timeout=WAIT)
        api = "/inbox/services/slack/api"
        said = slack("C1", "*Payment failure rate* 7.8 %")
        posted = (await client.post(f"{api}/chat.postMessage", json=said, headers=BOT)).json()
        await page.locator("article.slack b", has_text="Payment failure rate").wait_for(timeout=WAIT)
        button = page.get_by_role("link", name="Acknowledge")
        assert await button.get_attribute("href") == "https://x.test/v1/pages/abc"
        edit = {**slack("C1", "Resolved after 2 h"), "ts": posted["ts"]}
        await client.post(f"{api}/chat.update", json=edit, headers=BOT)
        await page.get_by_text("Resolved after 2 h").wait_for(timeout=WAIT)
        await page.get_by_text("(edited)").wait_for(timeout=WAIT)
        await page.get_by_text("1 earlier version").click()
        await page.locator("details b", has_text="Payment failure rate").wait_for(timeout=WAIT)
        reply = {"channel": "C1", "text": "All is well", "thread_ts": posted["ts"]}
        await client.post(f"{api}/chat.postMessage", json=reply, headers=BOT)
        await page.locator(".thread", has_text="All is well").wait_for(timeout=WAIT)
        assert await page.locator("article").count() == 1
        assert await page.locator("details[open]").count() == 1


async def test_no_name_breaks_out_of_any_services_message(browser: str) -> None:
    card: JsonValue = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": EVIL},
            {"type": "FactSet", "facts": [{"title": EVIL, "value": EVIL}]},
            {"type": EVIL},
        ],
    }
    widgets: JsonValue = [{"textParagraph": {"text": EVIL}}, {"decoratedText": {"topLabel": EVIL, "text": EVIL}}]
    bodies: list[tuple[str, dict[str, JsonValue]]] = [
        ("slack/T1/B1/x", {**slack("C1", EVIL), "username": EVIL}),
        (
            "discord/api/webhooks/1/t",
            {"content": EVIL, "embeds": [{"title": EVIL, "fields": [{"name": EVIL, "value": EVIL}]}]},
        ),
        (
            "teams/workflows/f/triggers/manual/paths/invoke?sig=s",
            {
                "type": "message",
                "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
            },
        ),
        (
            "google-chat/v1/spaces/S/messages?key=k&token=t",
            {"text": EVIL, "cardsV2": [{"card": {"header": {"title": EVIL}, "sections": [{"widgets": widgets}]}}]},
        ),
        ("webhook/shop", {"type": EVIL, "data": {EVIL: EVIL}}),
    ]
    async with served() as client, chromium(browser) as context:
        for address, body in bodies:
            answer = await client.post(f"/inbox/services/{address}", json=body)
            assert answer.is_success, answer.text
        page = await context.new_page()
        await page.goto(f"{client.base_url}/inbox")
        assert await page.locator("article").count() == 5
        assert await page.locator("img").count() == 0
        assert await page.locator("script").count() == 1
        assert await page.title() == "Inbox · Hedgerow"
        # What each service shows as text, letter for letter; Google Chat drops tags it does not know.
        for service in ("slack", "discord", "teams", "webhook"):
            assert "Ω 🧨" in await page.locator(f"article.{service}").inner_text()


async def test_the_page_is_no_wider_than_a_phone_and_filters_by_service(browser: str) -> None:
    async with served() as client, chromium(browser) as context:
        await client.post("/inbox/services/slack/T1/B1/x", json={"text": "x" * 400})
        await client.post("/inbox/services/webhook/shop", json={"type": "run.failed", "key": "y" * 400})
        page = await context.new_page()
        await page.set_viewport_size({"width": 360, "height": 700})
        await page.goto(f"{client.base_url}/inbox")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.get_by_role("link", name="Webhook").click()
        await page.locator("article.webhook").wait_for(timeout=WAIT)
        assert await page.locator("article").count() == 1


async def test_discords_escapes_are_taken_off_and_the_console_stays_silent(browser: str) -> None:
    notice = Notice("k", "firing", "warning", "add_to_cart *495*, above 300", datetime(2026, 11, 20, tzinfo=UTC))
    async with served() as client, chromium(browser) as context:
        await client.post("/inbox/services/discord/api/webhooks/1/t", json=discord.render(notice, None))
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"{client.base_url}/inbox")
        shown = await page.locator("article.discord").inner_text()
        assert "add_to_cart *495*, above 300" in shown
        assert "\\" not in shown
        assert complaints == []
