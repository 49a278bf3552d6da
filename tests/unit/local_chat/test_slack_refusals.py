"""The stand-in refuses what Slack refuses, in its words, and keeps nothing of it."""

from __future__ import annotations

import json

import httpx
import pytest
from pydantic import JsonValue

from local.chat import ChatServices

SLACK = "/inbox/services/slack/T1/B1/xyz"
BOT = {"Authorization": "Bearer xoxb-123-abc"}

Chat = tuple[ChatServices, httpx.AsyncClient]


def section(text: str) -> JsonValue:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def buttons(*urls: str) -> JsonValue:
    text: JsonValue = {"type": "plain_text", "text": "Open"}
    return {"type": "actions", "elements": [{"type": "button", "text": text, "url": url} for url in urls]}


GOOD_BLOCKS: list[JsonValue] = [
    {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
    section("x" * 3000),
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 500}] * 10},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10},
    {"type": "image", "image_url": "https://x.test/a.png", "alt_text": "chart"},
    {"type": "divider"},
    buttons("https://x.test/a"),
]
BAD_BLOCKS: list[tuple[list[JsonValue], str]] = [
    ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "less than 151"),
    ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "must be one of: plain_text"),
    ([{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}], "no more than 10 items"),
    ([{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}], "less than 2001"),
    ([{"type": "section"}], "missing required field: text"),
    ([{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}], "no more than 10 items"),
    ([{"type": "actions", "elements": []}], "at least 1 item"),
    ([buttons("javascript:alert(1)")], "must be a valid URL"),
    ([buttons("https://x.test/" + "x" * 3000)], "must be less than 3001"),
    ([{"type": "image", "image_url": "https://x.test/a.png"}], "missing required field: alt_text"),
    ([{"type": "carousel-of-mine"}], "unsupported type: carousel-of-mine"),
    ([{"text": "no type"}], "missing required field: type"),
]


async def test_slack_takes_what_is_at_its_limits(chat: Chat) -> None:
    services, client = chat
    answer = await client.post(SLACK, json={"text": "x", "blocks": GOOD_BLOCKS})
    assert (answer.status_code, answer.text) == (200, "ok")
    assert len(services.kept.messages) == 1


@pytest.mark.parametrize(("blocks", "why"), BAD_BLOCKS)
async def test_slack_refuses_blocks_by_both_doors(chat: Chat, blocks: list[JsonValue], why: str) -> None:
    services, client = chat
    answer = await client.post(SLACK, json={"text": "x", "blocks": blocks})
    assert (answer.status_code, answer.text) == (400, "invalid_blocks")
    body = {"channel": "C1", "text": "x", "blocks": blocks}
    answer = await client.post("/inbox/services/slack/api/chat.postMessage", json=body, headers=BOT)
    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["error"]) == (False, "invalid_blocks")
    assert why in " ".join(answer.json()["response_metadata"]["messages"])
    assert services.kept.messages == []


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        (SLACK, b"{", (400, "invalid_payload")),
        (SLACK, b"[]", (400, "invalid_payload")),
        (SLACK, b'{"text": ""}', (400, "no_text")),
        (SLACK, json.dumps({"text": "x" * 40_001}).encode(), (400, "msg_too_long")),
        (SLACK, json.dumps({"text": "x", "blocks": [section("x" * 3000)] * 5}).encode(), (400, "msg_blocks_too_long")),
        ("/inbox/services/slack/nobody/B1/xyz", b'{"text":"x"}', (404, "no_team")),
        ("/inbox/services/slack/T1/nothing/xyz", b'{"text":"x"}', (404, "no_service")),
    ],
)
async def test_slacks_webhook_refuses_in_words(
    chat: Chat, path: str, content: bytes, expected: tuple[int, str]
) -> None:
    answer = await chat[1].post(path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.text) == expected


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        ({"channel": "C1", "text": "x"}, {}, "not_authed"),
        ({"channel": "C1", "text": "x"}, {"Authorization": "Bearer phx_1"}, "invalid_auth"),
        ({"channel": "nowhere", "text": "x"}, BOT, "channel_not_found"),
        ({"channel": "C1"}, BOT, "no_text"),
        ({"channel": "C1", "text": "x", "thread_ts": "yesterday"}, BOT, "invalid_thread_ts"),
    ],
)
async def test_slacks_api_says_200_and_not_ok(
    chat: Chat, body: dict[str, str], headers: dict[str, str], error: str
) -> None:
    answer = await chat[1].post("/inbox/services/slack/api/chat.postMessage", json=body, headers=headers)
    assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (200, False, error)


async def test_slacks_api_posts_answers_in_threads_and_edits(chat: Chat) -> None:
    services, client = chat
    api = "/inbox/services/slack/api"
    first = (await client.post(f"{api}/chat.postMessage", json={"channel": "C1", "text": "a"}, headers=BOT)).json()
    reply = {"channel": "C1", "text": "b", "thread_ts": first["ts"]}
    assert (await client.post(f"{api}/chat.postMessage", json=reply, headers=BOT)).json()["ok"]
    edit = {"channel": "C1", "ts": first["ts"], "text": "c"}
    assert (await client.post(f"{api}/chat.update", json=edit, headers=BOT)).json()["text"] == "c"
    nothing = {"channel": "C1", "ts": "1700000000.000001", "text": "c"}
    assert (await client.post(f"{api}/chat.update", json=nothing, headers=BOT)).json()["error"] == "message_not_found"
    parent, answer = services.kept.messages
    assert (parent.body["text"], parent.edits[0].body["text"], answer.thread) == ("c", "a", first["ts"])
