"""What follows a first message, over real HTTP: edits, replies, doubled ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from hedgerow.channels import sending
from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import OutboundError
from tests.stage import NOW
from tests.unit.channels.notices import DROP
from tests.unit.channels.service import ARRIVED, SECRET, of, speaking, told

OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
LATER = replace(DROP, key="ntf_drop-2", mood="resolved", title="Back to 2.9 %")


async def test_a_bot_edits_its_first_message_and_replies_in_its_thread() -> None:
    async with speaking(ARRIVED["bot"]) as (app, service, url):
        first = await sending.send(app, of("bot", url), DROP, None)
        later = await sending.send(app, of("bot", url), LATER, first)
    posted, changed, reply = service.asked
    assert first == later == {"channel": "C01", "ts": "17.5"}
    assert [asked.target for asked in service.asked] == [
        "/api/chat.postMessage",
        "/api/chat.update",
        "/api/chat.postMessage",
    ]
    assert {asked.headers["authorization"] for asked in service.asked} == {f"Bearer xoxb-{SECRET}"}
    assert posted.form["channel"] == "#alerts"
    assert (changed.form["channel"], changed.form["ts"], changed.form["parse"]) == ("C01", "17.5", "none")
    assert "image" in {block["type"] for block in changed.form["blocks"]}
    assert (reply.form["channel"], reply.form["thread_ts"]) == ("C01", "17.5")
    assert "image" not in {block["type"] for block in reply.form["blocks"]}


async def test_a_bots_message_deleted_by_hand_is_posted_anew() -> None:
    gone, posted = told({"ok": False, "error": "message_not_found"}), told({"ok": True, "channel": "C01", "ts": "18.0"})
    async with speaking(gone, posted) as (app, service, url):
        assert await sending.send(app, of("bot", url), LATER, {"channel": "C01", "ts": "17.5"}) == {
            "channel": "C01",
            "ts": "18.0",
        }
    assert len(service.asked) == 2
    assert "thread_ts" not in service.asked[1].form


async def test_a_reference_of_the_channels_former_way_begins_anew() -> None:
    for kind in ("bot", "discord", "google_chat"):
        async with speaking(ARRIVED[kind]) as (app, service, url):
            await sending.send(app, of(kind, url), LATER, {"key": "ntf_drop-1", "ts": "17.5"})
        assert [asked.method for asked in service.asked] == ["POST"]


async def test_an_edit_answered_with_nonsense_is_tried_again_later() -> None:
    nonsense: list[object] = [{"deep": []}, [1], None, 7]
    for error in nonsense:
        async with speaking(told({"ok": False, "error": error})) as (app, _, url):
            with pytest.raises(OutboundError) as caught:
                await sending.send(app, of("bot", url), LATER, {"channel": "C01", "ts": "17.5"})
        assert caught.value.code == "channel_unreachable"


async def test_discord_edits_in_place_and_keeps_a_thread_of_its_address() -> None:
    async with speaking(ARRIVED["discord"]) as (app, service, url):
        settings = DiscordSettings(url=SecretStr(f"{url}?thread_id=9"))
        first = await sending.send(app, settings, DROP, None)
        assert await sending.send(app, settings, LATER, first) == first == {"message_id": "42"}
    assert [(asked.method, asked.target) for asked in service.asked] == [
        ("POST", f"/{SECRET}?thread_id=9&wait=true"),
        ("PATCH", f"/{SECRET}/messages/42?thread_id=9"),
    ]


async def test_discord_also_posts_what_got_worse_because_an_edit_tells_no_phone() -> None:
    async with speaking(ARRIVED["discord"]) as (app, service, url):
        await sending.send(app, of("discord", url), replace(LATER, mood="worse"), {"message_id": "42"})
    assert [asked.method for asked in service.asked] == ["PATCH", "POST"]


async def test_a_discord_message_deleted_by_hand_is_posted_anew_but_a_deleted_webhook_is_gone() -> None:
    lost = told({"message": "Unknown Message", "code": 10008}, "404 Not Found")
    gone = told({"message": "Unknown Webhook", "code": 10015}, "404 Not Found")
    async with speaking(lost, told({"id": "43"})) as (app, _, url):
        assert await sending.send(app, of("discord", url), LATER, {"message_id": "42"}) == {"message_id": "43"}
    async with speaking(gone) as (app, _, url):
        with pytest.raises(OutboundError) as caught:
            await sending.send(app, of("discord", url), LATER, {"message_id": "42"})
    assert caught.value.code == "channel_gone"


async def test_google_chat_replies_in_the_thread_and_knows_a_doubled_message() -> None:
    async with speaking(ARRIVED["google_chat"]) as (app, service, url):
        settings = GoogleChatSettings(url=SecretStr(f"{url}?key=k&token=t"))
        first = await sending.send(app, settings, DROP, None)
        assert await sending.send(app, settings, LATER, first) == first
    for asked, key in zip(service.asked, ("ntf_drop-1", "ntf_drop-2"), strict=True):
        assert asked.form["thread"] == {"threadKey": "ntf_drop-1"}
        assert asked.target.startswith(
            f"/{SECRET}?key=k&token=t&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        )
        assert asked.target.endswith(f"requestId={key}")


async def test_a_webhook_is_signed_by_every_secret_and_carries_the_notices_key() -> None:
    async with speaking(ARRIVED["webhook"]) as (app, service, url):
        settings = WebhookSettings(url=SecretStr(url), secrets=(SecretStr(OLD), SecretStr(NEW)))
        await sending.send(app, settings, DROP, None)
        await sending.send(replace(app, now=lambda: NOW + timedelta(minutes=1)), settings, DROP, None)
    first, again = service.asked
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == "ntf_drop-1"
    assert first.body == again.body
    for asked, at in ((first, NOW), (again, NOW + timedelta(minutes=1))):
        signatures = asked.headers["webhook-signature"].split(" ")
        assert asked.headers["webhook-timestamp"] == str(int(at.timestamp()))
        assert signatures == [Webhook(key).sign("ntf_drop-1", at, asked.body.decode()) for key in (OLD, NEW)]


async def test_a_webhook_without_a_secret_goes_unsigned() -> None:
    async with speaking(ARRIVED["webhook"]) as (app, service, url):
        await sending.send(app, of("webhook", url), DROP, None)
    assert "webhook-signature" not in service.asked[0].headers
    assert service.asked[0].headers["webhook-id"] == "ntf_drop-1"
