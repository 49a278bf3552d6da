"""The other stand-ins refuse what the services refuse, in their words, and keep nothing of it."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest
from pydantic import JsonValue
from standardwebhooks.webhooks import Webhook

from local.chat import ChatServices
from tests.stage import NOW

SLACK = "/inbox/services/slack/T1/B1/xyz"
DISCORD = "/inbox/services/discord/api/webhooks/1017/tok"
TEAMS = "/inbox/services/teams/workflows/f1/triggers/manual/paths/invoke?api-version=1&sig=s"
GOOGLE = "/inbox/services/google-chat/v1/spaces/S1/messages?key=k&token=t"
WEBHOOK = "/inbox/services/webhook/shop"

Chat = tuple[ChatServices, httpx.AsyncClient]


def embed(**fields: JsonValue) -> JsonValue:
    return {"embeds": [fields]}


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"content": "x" * 2001}, ["content"], "BASE_TYPE_MAX_LENGTH"),
        ({"username": "My Discord bot", "content": "x"}, ["username"], "USERNAME_INVALID_CONTAINS"),
        ({"embeds": [{"title": "x"}] * 11}, ["embeds"], "BASE_TYPE_BAD_LENGTH"),
        (embed(title="x" * 257), ["embeds", "0", "title"], "BASE_TYPE_MAX_LENGTH"),
        (embed(description="x" * 4097), ["embeds", "0", "description"], "BASE_TYPE_MAX_LENGTH"),
        (embed(title="x", url="ftp://x.test"), ["embeds", "0", "url"], "URL_TYPE_INVALID_SCHEME"),
        (embed(title="x", color=16_777_216), ["embeds", "0", "color"], "NUMBER_TYPE_MAX"),
        (embed(title="x", timestamp="noon"), ["embeds", "0", "timestamp"], "DATE_TIME_TYPE_PARSE"),
        (embed(fields=[{"name": "a", "value": "b"}] * 26), ["embeds", "0", "fields"], "BASE_TYPE_BAD_LENGTH"),
        (
            embed(fields=[{"name": "a", "value": "x" * 1025}]),
            ["embeds", "0", "fields", "0", "value"],
            "BASE_TYPE_MAX_LENGTH",
        ),
        (embed(fields=[{"name": "", "value": "x"}]), ["embeds", "0", "fields", "0", "name"], "BASE_TYPE_REQUIRED"),
        (embed(footer={"text": "x" * 2049}), ["embeds", "0", "footer", "text"], "BASE_TYPE_MAX_LENGTH"),
        (embed(image={"url": "javascript:1"}), ["embeds", "0", "image", "url"], "URL_TYPE_INVALID_SCHEME"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, ["embeds"], "MAX_EMBED_SIZE_EXCEEDED"),
        (
            {"components": [{"type": 1, "components": [{"type": 2, "style": 5, "label": "x", "url": "javascript:1"}]}]},
            ["components", "0", "components", "0", "url"],
            "URL_TYPE_INVALID_SCHEME",
        ),
    ],
)
async def test_discord_names_the_field(chat: Chat, body: JsonValue, path: list[str], code: str) -> None:
    services, client = chat
    answer = await client.post(DISCORD, json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (400, 50035, "Invalid Form Body")
    errors = answer.json()["errors"]
    for step in path:
        errors = errors[step]
    assert errors["_errors"][0]["code"] == code
    assert services.kept.messages == []


async def test_discord_waits_edits_and_knows_its_messages(chat: Chat) -> None:
    services, client = chat
    assert (await client.post(DISCORD, json={"content": "a"})).status_code == 204
    posted = (await client.post(f"{DISCORD}?wait=true", json={"content": "b", "embeds": [{"title": "t"}]})).json()
    edited = await client.patch(f"{DISCORD}/messages/{posted['id']}", json={"content": "c"})
    assert (edited.json()["content"], edited.json()["embeds"]) == ("c", [{"title": "t"}])
    assert edited.json()["edited_timestamp"]
    assert (await client.get(f"{DISCORD}/messages/{posted['id']}")).json()["content"] == "c"
    unknown = await client.patch(f"{DISCORD}/messages/1", json={"content": "c"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, 10008)
    stranger = await client.post("/inbox/services/discord/api/webhooks/1017/other", json={"content": "a"})
    assert (stranger.status_code, stranger.json()["code"]) == (401, 50027)
    assert (await client.post(DISCORD, json={})).json()["code"] == 50006
    assert (await client.post(DISCORD, content=b"{")).json()["code"] == 50109
    assert [len(message.edits) for message in services.kept.messages] == [0, 1]


def card(*body: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    content: JsonValue = {"type": "AdaptiveCard", "version": "1.4", "body": list(body), **more}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": content}]}


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (card({"type": "TextBlock", "text": "hello"}), ""),
        (card({"type": "TextBlok", "text": "hello"}), "element type TextBlok is unknown"),
        (card({"type": "TextBlock"}), "a TextBlock has no text"),
        (card({"type": "FactSet", "facts": [{"title": "a"}]}), "a fact needs a title and a value"),
        (card({"type": "Image", "url": "chart.png"}), "an Image's url is no web address"),
        (card(actions=[{"type": "Action.OpenUrl", "url": "javascript:1"}]), "an action's url is no web address"),
        (card(actions=[{"type": "Action.OpenUrl", "url": "https://x.test"}] * 7), "more than 6 actions"),
        (card(), "the card is empty"),
    ],
)
async def test_teams_takes_a_card_and_fails_afterwards(chat: Chat, body: dict[str, JsonValue], failed: str) -> None:
    services, client = chat
    answer = await client.post(TEAMS, json=body)
    assert (answer.status_code, answer.content) == (202, b"")
    assert services.kept.messages[0].failed == failed


async def test_two_messages_of_one_instant_are_two(chat: Chat) -> None:
    services, client = chat
    for _ in range(2):
        await client.post(TEAMS, json=card({"type": "TextBlock", "text": "hello"}))
        await client.post(SLACK, json={"text": "hello"})
        await client.post(DISCORD, json={"content": "hello"})
        await client.post(GOOGLE, json={"text": "hello"})
        await client.post(WEBHOOK, json={"text": "hello"})
    assert (await client.get("/inbox")).text.count("<article") == 10
    assert len({message.id for message in services.kept.messages}) == 10


async def test_teams_refuses_what_its_trigger_cannot_read(chat: Chat) -> None:
    services, client = chat
    large = await client.post(TEAMS, json=card({"type": "TextBlock", "text": "x" * 28_672}))
    assert (large.status_code, large.json()["error"]["code"]) == (413, "RequestEntityTooLarge")
    unsigned = await client.post(TEAMS.partition("?")[0], json=card())
    assert (unsigned.status_code, unsigned.json()["error"]["code"]) == (401, "DirectApiAuthorizationRequired")
    bare = await client.post(TEAMS, json={"text": "x"})
    assert (bare.status_code, bare.json()["error"]["code"]) == (400, "TriggerInputSchemaMismatch")
    assert services.kept.messages == []


def widgets(*found: JsonValue) -> JsonValue:
    return {"cardsV2": [{"cardId": "a", "card": {"header": {"title": "t"}, "sections": [{"widgets": list(found)}]}}]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Message cannot be empty"),
        ({"blocks": [], "text": "x"}, 'Unknown name "blocks"'),
        ({"text": "x" * 32_000}, "too long"),
        (widgets(), "at least one widget is required"),
        (widgets({"textBox": {}}), 'Unknown name "textBox"'),
        (widgets({"textParagraph": {}}), "text is required"),
        (widgets({"divider": {}, "textParagraph": {"text": "x"}}), "exactly one kind"),
        (widgets({"image": {"imageUrl": "http://x.test/a.png"}}), "must be an HTTPS URL"),
        (widgets({"buttonList": {"buttons": [{"text": "x"}]}}), "on_click is required"),
        (
            widgets({"buttonList": {"buttons": [{"text": "x", "onClick": {"openLink": {"url": "javascript:1"}}}]}}),
            "must be a valid URL",
        ),
    ],
)
async def test_google_chat_refuses_as_google_does(chat: Chat, body: JsonValue, words: str) -> None:
    services, client = chat
    answer = await client.post(GOOGLE, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert words in error["message"]
    assert services.kept.messages == []


async def test_google_chat_threads_by_key_and_posts_a_request_once(chat: Chat) -> None:
    services, client = chat
    body = {"text": "a", "thread": {"threadKey": "inc_1"}}
    option = "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    first = (await client.post(GOOGLE + option + "&requestId=r1", json=body)).json()
    again = (await client.post(GOOGLE + option + "&requestId=r1", json=body)).json()
    reply = (await client.post(GOOGLE + option, json=body)).json()
    alone = (await client.post(GOOGLE, json=body)).json()
    assert first["name"] == again["name"]
    assert reply["thread"]["name"] == first["thread"]["name"] != alone["thread"]["name"]
    assert [message.repeats for message in services.kept.messages] == [1, 0, 0]
    lost = {"text": "a", "thread": {"threadKey": "never"}}
    answer = await client.post(GOOGLE + "&messageReplyOption=REPLY_MESSAGE_OR_FAIL", json=lost)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    for wrong in (GOOGLE.replace("token=t", "token=u"), GOOGLE.replace("&token=t", "")):
        assert (await client.post(wrong, json=body)).json()["error"]["status"] == "UNAUTHENTICATED"
    edit = await client.patch("/inbox/services/google-chat/v1/spaces/S1/messages/x?key=k&token=t", json=body)
    assert edit.status_code == 401


OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8


def signed(secret: str, body: str, at: timedelta = timedelta(0), id: str = "msg_1") -> dict[str, str]:
    moment = NOW + at
    signature = Webhook(secret).sign(id, moment, body)
    return {"webhook-id": id, "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature}


async def test_a_webhook_verifies_with_any_of_its_secrets(chat: Chat) -> None:
    services, client = chat
    body = json.dumps({"type": "incident.opened"})
    assert (await client.post(WEBHOOK, content=body, headers=signed(OLD, body, id="msg_0"))).status_code == 204
    await client.put(f"{WEBHOOK}/secrets", json={"secrets": [OLD, NEW]})
    for number, secret in enumerate((OLD, NEW), 1):
        headers = signed(secret, body, id=f"msg_{number}")
        assert (await client.post(WEBHOOK, content=body, headers=headers)).status_code == 204
    assert (await client.post(WEBHOOK, content=body, headers=signed(NEW, body, id="msg_2"))).status_code == 204
    notes = [(message.note, message.repeats) for message in services.kept.messages]
    assert notes == [("signature not checked", 0), ("signature verified", 0), ("signature verified", 1)]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({}, "{}"),
        (signed("whsec_" + "b3Ro" * 8, "{}"), "{}"),
        (signed(NEW, "{}"), '{"a":1}'),
        (signed(NEW, "{}", timedelta(minutes=-6)), "{}"),
        (signed(NEW, "{}", timedelta(minutes=6)), "{}"),
        ({**signed(NEW, "{}"), "webhook-timestamp": "soon"}, "{}"),
        ({**signed(NEW, "{}"), "webhook-signature": "v1,%%%"}, "{}"),
    ],
)
async def test_a_webhook_refuses_other_signatures(chat: Chat, headers: dict[str, str], sent: str) -> None:
    services, client = chat
    await client.put(f"{WEBHOOK}/secrets", json={"secrets": [NEW]})
    assert (await client.post(WEBHOOK, content=sent, headers=headers)).status_code == 401
    assert services.kept.messages == []
