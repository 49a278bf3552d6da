from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.channels import discord, google_chat, slack, teams, webhook
from hedgerow.channels.fitting import encoded
from hedgerow.channels.notice import Link, Notice
from hedgerow.channels.wording import size
from tests.unit.channels.notices import BASE, DROP, notices, texts

CHATS = (slack, discord, teams, google_chat)
earliers = st.sampled_from([None, {"key": "k"}])
hard = settings(max_examples=60, deadline=None)


def read(form: dict[str, object]) -> Any:
    return json.loads(encoded(form))


def strings(form: Any) -> Iterator[str]:
    if isinstance(form, str):
        yield form
    for each in form.values() if isinstance(form, dict) else form if isinstance(form, list) else ():
        yield from strings(each)


def within(text: str, limit: int) -> bool:
    return size(text.strip()) > 0 and size(text) <= limit


@hard
@given(notices, earliers)
def test_slack_holds_its_limits(notice: Notice, earlier: dict[str, str] | None) -> None:
    form = read(slack.render(notice, earlier))
    assert within(form["text"], 4_000)
    assert len(form["blocks"]) <= 50
    assert len(json.dumps(form["blocks"], ensure_ascii=False)) <= 13_000
    for block in form["blocks"]:
        match block["type"]:
            case "header":
                assert within(block["text"]["text"], 150)
            case "section":
                assert "text" not in block or within(block["text"]["text"], 3_000)
                fields = block.get("fields", [])
                assert len(fields) <= 10
                assert "text" in block or fields
                assert all(within(field["text"], 2_000) for field in fields)
            case "image":
                assert within(block["alt_text"], 2_000)
                assert within(block["image_url"], 3_000)
            case "actions":
                assert 0 < len(block["elements"]) <= 25
                assert len({button["action_id"] for button in block["elements"]}) == len(block["elements"])
                for button in block["elements"]:
                    assert within(button["text"]["text"], 75)
                    assert within(button["url"], 3_000)


@hard
@given(notices, earliers)
def test_slack_writes_no_markup_but_its_escaped_fallback(notice: Notice, earlier: dict[str, str] | None) -> None:
    form = read(slack.render(notice, earlier))
    assert not re.search(r"[<>]", form["text"])
    assert form["mrkdwn"] is False
    blocks = json.dumps(form["blocks"], ensure_ascii=False)
    assert '"mrkdwn"' not in blocks
    assert not re.search(r"<[!@#h]", blocks)


@hard
@given(notices, earliers)
def test_discord_holds_its_limits(notice: Notice, earlier: dict[str, str] | None) -> None:
    form = read(discord.render(notice, earlier))
    assert within(form["content"], 2_000)
    (embed,) = form["embeds"]
    assert within(embed["title"], 256)
    assert "description" not in embed or within(embed["description"], 4_096)
    fields = embed.get("fields", [])
    assert len(fields) <= 25
    assert all(within(field["name"], 256) and within(field["value"], 1_024) for field in fields)
    counted = [embed["title"], embed.get("description", "")] + [f[part] for f in fields for part in ("name", "value")]
    assert sum(map(size, counted)) <= 6_000


@hard
@given(notices, earliers)
def test_discord_pings_nobody_and_escapes_every_mark(notice: Notice, earlier: dict[str, str] | None) -> None:
    form = read(discord.render(notice, earlier))
    assert form["allowed_mentions"] == {"parse": []}
    (embed,) = form["embeds"]
    told = [form["content"], *(field[part] for field in embed.get("fields", []) for part in ("name", "value"))]
    for text in told:
        bare = re.sub(r"\\[\\*_~`|>#\[\]()</-]", "", text)
        assert not re.search(r"[\\*_~`|>#\[\]()</-]", bare)
        assert not re.search(r"@(?!\u2060)", text)
    links = re.sub(r"\\.", "", embed.get("description", ""))
    assert re.fullmatch(r"(\[[^\[\]]*\]\(https://[^()\s]+\)( · )?)*", links)


@hard
@given(notices, earliers)
def test_teams_holds_its_size_and_reads_no_markdown_of_ours(notice: Notice, earlier: dict[str, str] | None) -> None:
    written = teams.render(notice, earlier)
    assert len(encoded(written)) <= 28_000
    form = read(written)
    (attachment,) = form["attachments"]
    card = attachment["content"]
    markdown = [item["text"] for block in card["body"] if block["type"] == "Container" for item in block["items"]]
    assert all(re.fullmatch(r"\S+ \w+( · \w+)?", text) for text in markdown)
    assert "TextBlock" not in {block["type"] for block in card["body"]}
    assert "FactSet" not in json.dumps(card)
    assert not any(re.search(r"</?at>", text) for text in strings(form))
    assert all(within(text, 2_000) for text in strings(form) if text != " ")


@hard
@given(notices, earliers)
def test_google_chat_holds_its_size_and_escapes_its_html(notice: Notice, earlier: dict[str, str] | None) -> None:
    written = google_chat.render(notice, earlier)
    assert len(encoded(written)) <= 32_000
    form = read(written)
    assert 0 < len(form["thread"]["threadKey"]) <= 4_000
    assert "text" not in form
    assert not any(re.search(r"<(users/|/?a\b|/?at>)", text) for text in strings(form))
    for section in form["cardsV2"][0]["card"]["sections"]:
        assert 0 < len(section["widgets"]) <= 100
        for widget in section["widgets"]:
            for kind in ("textParagraph", "decoratedText"):
                text = widget.get(kind, {}).get("text", "")
                assert not re.search(r"[<>]", text.removeprefix("<b>").removesuffix("</b>"))


@hard
@given(notices, earliers, st.sampled_from(CHATS))
def test_every_link_is_a_web_address(notice: Notice, earlier: dict[str, str] | None, chat: ModuleType) -> None:
    form = json.dumps(read(chat.render(notice, earlier)))
    assert not re.search(r'"(url|imageUrl|image_url)": "(?!https?://)', form)


@hard
@given(st.sampled_from(CHATS), st.lists(st.tuples(texts, texts), max_size=60))
def test_the_sentence_the_chart_and_the_links_outlive_facts(chat: ModuleType, facts: list[tuple[str, str]]) -> None:
    written = json.dumps(read(chat.render(replace(DROP, facts=tuple(facts)), None)), ensure_ascii=False)
    assert "Payment failure rate 7.8 %" in written.replace("\\\\", "")
    assert "ack.sig" in written
    assert "c.sig.png" in written


@pytest.mark.parametrize("chat", CHATS)
def test_what_was_left_out_is_counted(chat: ModuleType) -> None:
    facts = tuple((f"Fact {number}", "value") for number in range(31))
    written = json.dumps(read(chat.render(replace(DROP, facts=facts), None)), ensure_ascii=False)
    assert "Fact 18" in written
    assert "Fact 19" not in written
    assert "12 more" in written


@pytest.mark.parametrize("chat", CHATS)
def test_what_follows_has_no_chart(chat: ModuleType) -> None:
    assert "c.sig.png" not in json.dumps(read(chat.render(DROP, {"key": "k"})))


@pytest.mark.parametrize("chat", CHATS)
def test_a_resolution_says_so_in_its_form_and_in_its_fallback(chat: ModuleType) -> None:
    form = chat.render(replace(DROP, mood="resolved", title="Back to 2.9 %"), None)
    assert sum("✅ Resolved" in text for text in strings(read(form))) >= 2


def test_discord_and_teams_colour_a_resolution() -> None:
    firing, resolved = (DROP, replace(DROP, mood="resolved"))
    assert (
        read(discord.render(firing, None))["embeds"][0]["color"]
        != read(discord.render(resolved, None))["embeds"][0]["color"]
    )
    styles = [
        read(teams.render(each, None))["attachments"][0]["content"]["body"][0]["style"] for each in (firing, resolved)
    ]
    assert styles == ["attention", "good"]


def test_a_reply_goes_into_the_thread_of_the_first() -> None:
    first = read(google_chat.render(DROP, None))["thread"]["threadKey"]
    later = google_chat.render(replace(DROP, key="ntf_drop-2"), {"thread_key": first})
    assert later["thread"] == {"threadKey": "ntf_drop-1"} == {"threadKey": first}


def test_a_webhook_gets_the_happening_as_it_is() -> None:
    form = json.loads(webhook.written(webhook.render(DROP, None)))
    assert form == {
        "type": "incident.opened",
        "timestamp": "2026-11-20T15:30:00Z",
        "data": {"incident_id": "inc_1", "value": 7.8},
    }


def test_a_webhook_of_a_notice_without_a_body_gets_what_people_are_told() -> None:
    form = json.loads(webhook.written(webhook.render(replace(DROP, kind="", body={}, mood="test"), None)))
    assert form["type"] == "notice.test"
    assert form["data"]["title"] == DROP.title
    assert form["data"]["links"][0] == {"label": "Acknowledge", "url": f"{BASE}ack.sig"}


def test_a_webhook_writes_json_whatever_the_body_holds() -> None:
    body = {"value": float("nan"), "name": "\ud800 <!channel>", "at": DROP.at, "more": [float("inf"), (1, 2)]}
    told = json.loads(webhook.written(webhook.render(replace(DROP, body=body), None)))["data"]
    assert told == {"value": None, "name": "\ud800 <!channel>", "at": "2026-11-20T15:30:00Z", "more": [None, [1, 2]]}


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("earlier", [None, {"key": "k"}])
def test_what_is_acknowledged_says_the_sentence_and_by_whom(chat: ModuleType, earlier: dict[str, str] | None) -> None:
    taken = replace(DROP, mood="acknowledged", beside="by *Ada* <!channel>")
    shown = [text.replace("\u2060", "").replace("\\", "") for text in strings(read(chat.render(taken, earlier)))]
    assert any("7.8 %, usually 2.1–3.4 % on Fridays" in text for text in shown)
    assert any("Acknowledged by *Ada*" in text for text in shown)


@pytest.mark.parametrize("chat", CHATS)
def test_twenty_links_are_shown_within_what_a_service_takes(chat: ModuleType) -> None:
    links = tuple(Link(f"Incident {number}", f"{BASE}inc-{number}.sig") for number in range(20))
    form = read(chat.render(replace(DROP, links=links, chart_url=None), None))
    assert all(f"inc-{number}.sig" in json.dumps(form) for number in range(20))
    if chat is teams:
        (attachment,) = form["attachments"]
        rows = [block["actions"] for block in attachment["content"]["body"] if block["type"] == "ActionSet"]
        assert [len(row) for row in rows] == [6, 6, 6, 2]


def test_discord_leaves_out_links_that_its_description_cannot_hold() -> None:
    links = tuple(Link("Incident", f"{BASE}{'x' * 600}{number}") for number in range(9))
    (embed,) = read(discord.render(replace(DROP, links=links), None))["embeds"]
    assert 3_000 < size(embed["description"]) <= 4_096
    assert embed["fields"], "facts need not go for it"
