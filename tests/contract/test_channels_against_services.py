"""The channels against the stand-in services of local/chat, which another hand wrote from the same documentation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from pydantic import SecretStr

from hedgerow.addresses import AddressRefusedError
from hedgerow.app import App
from hedgerow.channels import discord, google_chat, sending, slack, teams
from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.fitting import encoded
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.notice import Notice
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.teams import TeamsSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import OutboundError
from local.chat import ChatServices
from tests.stage import Clock, staged
from tests.unit.channels.notices import DROP, HOSTILE, notices

OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
RESOLVED = replace(DROP, key="ntf_drop-2", mood="resolved", title="Back to 2.9 %")
KINDS = ("slack", "bot", "discord", "teams", "google-chat", "webhook")
CHATS = KINDS[:-1]


@dataclass
class Inbox:
    """The stand-ins on a port, an app that may call them, and what they hold."""

    app: App
    services: ChatServices
    base: str

    def channel(self, kind: str) -> ChannelSettings:
        at = f"{self.base}/inbox/services"
        match kind:
            case "slack":
                return SlackSettings(url=SecretStr(f"{at}/slack/T01/B01/nobodys"))
            case "bot":
                return SlackSettings(token=SecretStr("xoxb-nobodys"), slack_channel="C01")
            case "discord":
                return DiscordSettings(url=SecretStr(f"{at}/discord/api/webhooks/17/nobodys"))
            case "teams":
                return TeamsSettings(url=SecretStr(f"{at}/teams/workflows/f/triggers/manual/paths/invoke?sig=nobodys"))
            case "google-chat":
                return GoogleChatSettings(url=SecretStr(f"{at}/google-chat/v1/spaces/AAA/messages?key=k&token=nobodys"))
        return WebhookSettings(url=SecretStr(f"{at}/webhook/shop"), secrets=(SecretStr(OLD), SecretStr(NEW)))

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(base_url=f"{self.base}/inbox") as client:
            answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.call("GET", "/messages"))["messages"]
        return found

    async def fault(self, kind: str, fault: str, seconds: float = 1.0) -> None:
        await self.call("POST", f"/services/{_service(kind)}/faults", {"kind": fault, "seconds": seconds})


def _service(kind: str) -> str:
    return "slack" if kind == "bot" else kind


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    clock = Clock()
    services = ChatServices(clock)
    server = uvicorn.Server(uvicorn.Config(services, port=0, log_level="error", lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 -- uvicorn has a flag and no event
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    async with staged([f"127.0.0.1:{port}"]) as stage:
        config = stage.app.settings.model_copy(update={"slack_api": f"{base}/inbox/services/slack/api"})
        yield Inbox(replace(stage.app, settings=config, now=clock), services, base)
    server.should_exit = True
    server.force_exit = True
    await serving


@pytest.mark.parametrize("kind", KINDS)
async def test_a_first_message_is_taken_and_shown(inbox: Inbox, kind: str) -> None:
    await sending.send(inbox.app, inbox.channel(kind), DROP, None)
    (message,) = await inbox.messages()
    assert (message["service"], message["failed"], message["thread"]) == (_service(kind), "", "")
    assert "7.8" in str(message["body"])
    assert kind == "webhook" or "c.sig.png" in str(message["body"])


async def told_and_resolved(inbox: Inbox, kind: str) -> list[dict[str, Any]]:
    first = await sending.send(inbox.app, inbox.channel(kind), DROP, None)
    await sending.send(inbox.app, inbox.channel(kind), RESOLVED, first)
    return await inbox.messages()


async def test_a_bots_message_is_edited_and_replied_to(inbox: Inbox) -> None:
    first, reply = await told_and_resolved(inbox, "bot")
    assert len(first["edits"]) == 1
    assert "Back to 2.9 %" in str(first["body"])
    assert reply["thread"] == first["id"]


async def test_discords_message_is_edited_and_nothing_is_added(inbox: Inbox) -> None:
    (message,) = await told_and_resolved(inbox, "discord")
    assert len(message["edits"]) == 1
    assert "Resolved" in message["body"]["content"]


async def test_google_chats_reply_is_in_the_thread(inbox: Inbox) -> None:
    first, reply = await told_and_resolved(inbox, "google-chat")
    assert reply["thread"] == first["id"]


@pytest.mark.parametrize("kind", ["slack", "teams", "webhook"])
async def test_where_nothing_can_be_edited_a_second_message_follows(inbox: Inbox, kind: str) -> None:
    first, second = await told_and_resolved(inbox, kind)
    assert first["edits"] == second["edits"] == []
    assert second["failed"] == ""


@pytest.mark.parametrize("kind", ["google-chat", "webhook"])
async def test_a_message_whose_answer_was_lost_is_known_when_it_comes_again(inbox: Inbox, kind: str) -> None:
    await inbox.fault(kind, "lost")
    with pytest.raises(OutboundError) as lost:
        await sending.send(inbox.app, inbox.channel(kind), DROP, None)
    await sending.send(inbox.app, inbox.channel(kind), DROP, None)
    (message,) = await inbox.messages()
    assert (lost.value.code, message["repeats"]) == ("channel_unreachable", 1)


async def test_a_lost_edit_comes_again_without_a_second_message(inbox: Inbox) -> None:
    first = await sending.send(inbox.app, inbox.channel("discord"), DROP, None)
    await inbox.fault("discord", "lost")
    with pytest.raises(OutboundError):
        await sending.send(inbox.app, inbox.channel("discord"), RESOLVED, first)
    assert await sending.send(inbox.app, inbox.channel("discord"), RESOLVED, first) == first
    assert len(await inbox.messages()) == 1


@pytest.mark.parametrize("known", [OLD, NEW])
async def test_a_webhook_is_verified_by_the_old_secret_and_by_the_new(inbox: Inbox, known: str) -> None:
    await inbox.call("PUT", "/services/webhook/shop/secrets", {"secrets": [known]})
    await sending.send(inbox.app, inbox.channel("webhook"), DROP, None)
    (message,) = await inbox.messages()
    assert (message["note"], message["id"]) == ("signature verified", "ntf_drop-1")
    assert message["body"]["data"] == dict(DROP.body)


async def test_a_webhook_that_knows_another_secret_refuses(inbox: Inbox) -> None:
    await inbox.call("PUT", "/services/webhook/shop/secrets", {"secrets": ["whsec_" + "b3Ro" * 8]})
    with pytest.raises(OutboundError) as caught:
        await sending.send(inbox.app, inbox.channel("webhook"), DROP, None)
    assert (caught.value.code, caught.value.status) == ("channel_refused", 401)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "code", "wait"),
    [("429", "channel_busy", 7.0), ("500", "channel_unreachable", None), ("410", "channel_gone", None)],
)
async def test_a_bad_hour_is_told_apart_and_passes(
    inbox: Inbox, kind: str, fault: str, code: str, wait: float | None
) -> None:
    await inbox.fault(kind, fault, seconds=7)
    with pytest.raises(OutboundError) as caught:
        await sending.send(inbox.app, inbox.channel(kind), DROP, None)
    assert (caught.value.code, caught.value.retry_after) == (code, wait)
    assert "nobodys" not in caught.value.detail
    await sending.send(inbox.app, inbox.channel(kind), DROP, None)


@pytest.mark.parametrize("kind", CHATS)
async def test_a_revoked_credential_is_gone_for_good(inbox: Inbox, kind: str) -> None:
    await inbox.fault(kind, "revoked")
    with pytest.raises(OutboundError) as caught:
        await sending.send(inbox.app, inbox.channel(kind), DROP, None)
    assert caught.value.code == "channel_gone"


async def test_a_hanging_service_is_given_up_after_ten_seconds(inbox: Inbox) -> None:
    await inbox.fault("discord", "hang")
    began = asyncio.get_running_loop().time()
    with pytest.raises(OutboundError) as caught:
        await sending.send(inbox.app, inbox.channel("discord"), DROP, None)
    assert 9 < asyncio.get_running_loop().time() - began < 13
    assert (caught.value.code, caught.value.transient) == ("channel_unreachable", True)
    assert await inbox.messages() == []


async def test_a_private_address_is_refused_unless_allowed(inbox: Inbox) -> None:
    async with staged() as stage:
        with pytest.raises(AddressRefusedError):
            await sending.send(stage.app, inbox.channel("slack"), DROP, None)
    assert await inbox.messages() == []


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
async def test_users_own_markup_is_taken_as_text(inbox: Inbox, kind: str, text: str) -> None:
    hostile = replace(DROP, title=text, facts=((text, text),) * 30)
    await sending.send(inbox.app, inbox.channel(kind), hostile, None)
    (message,) = await inbox.messages()
    assert message["failed"] == ""
    assert "c.sig.png" in str(message["body"])


@pytest.mark.parametrize("kind", CHATS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(notice=notices)
async def test_no_notice_is_refused(inbox: Inbox, kind: str, notice: Notice) -> None:
    """In its first form: `sending` would hide a refusal by trying a plainer one."""
    await inbox.call("DELETE", "/messages")
    form: ModuleType = {"slack": slack, "bot": slack, "discord": discord, "teams": teams, "google-chat": google_chat}[
        kind
    ]
    await form.send(inbox.app, inbox.channel(kind), notice, None)
    (message,) = await inbox.messages()
    assert message["failed"] == ""


@pytest.mark.parametrize(
    ("kind", "most", "form"),
    [
        ("teams", 28 * 1024, lambda text: {"type": "message", "attachments": [], "summary": text}),
        ("google-chat", 32_000, lambda text: {"text": text}),
        ("discord", 2_000, lambda text: {"content": text}),
        ("slack", 3_000, lambda text: {"blocks": [{"type": "section", "text": {"type": "plain_text", "text": text}}]}),
    ],
)
async def test_our_limits_are_theirs(inbox: Inbox, kind: str, most: int, form: Any) -> None:
    """The stand-in takes what is exactly as large as documented, and nothing larger."""
    channel = inbox.channel(kind)
    assert channel.url is not None
    frame = len(encoded(form(""))) if most > 3_000 else 0
    async with httpx.AsyncClient() as client:
        answers = [
            await client.post(channel.url.get_secret_value(), json=form("x" * (most - frame + over))) for over in (0, 1)
        ]
    assert answers[0].is_success, answers[0].text
    assert answers[1].is_client_error, answers[1].text
