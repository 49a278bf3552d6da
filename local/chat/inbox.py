"""The inbox page: every message as its app would show it, threads and edits open, newest talk first. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from local.chat.inbox_style import SCRIPT, STYLE
from local.chat.looks import discord_look, google_look, slack_look, teams_look
from local.chat.looks.markup import Html, Inside, joined, tag

if TYPE_CHECKING:
    from local.chat.keeping import Body, Posted, ServiceName

NAMES: Mapping[str, str] = {
    "slack": "Slack",
    "discord": "Discord",
    "teams": "Teams",
    "google-chat": "Google Chat",
    "webhook": "Webhook",
}
MOST_TALKS = 60
ADDRESSES: Mapping[str, str] = {
    "discord": "/inbox/services/discord/api/webhooks/123/any-token",
    "slack": "/inbox/services/slack/T0/B0/any-token",
    "teams": "/inbox/services/teams/workflows/any/triggers/manual/paths/invoke?sig=any",
    "google_chat": "/inbox/services/google-chat/v1/spaces/any/messages?key=any&token=any",
    "webhook": "/inbox/services/webhook/any",
}


def page(messages: Sequence[Posted], only: str, now: datetime) -> str:
    """The whole page; `only` is one service, "" all."""
    talks = _talks([message for message in messages if only in ("", message.service)])
    shown = [_talk(first, replies, now) for first, replies in talks[:MOST_TALKS]]
    empty = _empty()
    main = tag("main", *(shown or [empty]), id="messages", aria_live="polite", aria_label="Messages, newest first")
    head = Html(
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Inbox · Hedgerow</title>'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style>'
        '<noscript><meta http-equiv="refresh" content="5"></noscript>'
    )
    body = tag("body", _top(only), main, Html(f"<script>{SCRIPT}</script>"))
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>'


def _empty() -> Html:
    said = tag("p", "Nothing here yet. A message shows up by itself when a channel is told something.")
    how = tag("p", "Give a channel one of these addresses, on this server, with ", tag("code", "--kind"), " as named:")
    rows = [tag("li", tag("code", kind), " ", tag("code", address)) for kind, address in ADDRESSES.items()]
    return tag("section", said, how, tag("ul", *rows), class_="empty")


def _top(only: str) -> Html:
    links = []
    for service, name in {"": "All", **NAMES}.items():
        current = "page" if service == only else ""
        links.append(tag("a", name, href=f"/inbox?service={service}" if service else "/inbox", aria_current=current))
    return tag("header", tag("h1", "Inbox"), tag("nav", *links, aria_label="Services"))


def _talks(messages: Sequence[Posted]) -> list[tuple[Posted, list[Posted]]]:
    """Messages with what answers them; whatever moved last comes first."""
    firsts: dict[tuple[ServiceName, str, str], tuple[Posted, list[Posted]]] = {}
    for message in messages:
        talk = firsts.get((message.service, message.room, message.thread)) if message.thread else None
        if talk is None:
            firsts[message.service, message.room, message.id] = (message, [])
        else:
            talk[1].append(message)
    return sorted(firsts.values(), key=lambda talk: max(_moved(each) for each in (talk[0], *talk[1])), reverse=True)


def _moved(message: Posted) -> datetime:
    return message.edits[-1].until if message.edits else message.at


def _talk(first: Posted, replies: Sequence[Posted], now: datetime) -> Html:
    strip = tag("p", tag("b", NAMES[first.service]), " ", tag("span", first.room), class_="strip")
    thread: list[Inside] = []
    if replies:
        count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
        thread = [
            tag("div", tag("p", count, class_="small"), *(_message(each, now) for each in replies), class_="thread")
        ]
    label = f"{NAMES[first.service]}, {first.room}"
    return tag("article", strip, _message(first, now), *thread, class_=f"talk {first.service}", aria_label=label)


def _message(message: Posted, now: datetime) -> Html:
    at = message.at.astimezone(now.tzinfo)
    day = "" if at.date() == now.date() else f"{at:%d %b} "
    said: list[Inside] = [tag("b", message.author or "Hedgerow"), " "]
    said.append(tag("time", f"{day}{at:%H:%M}", datetime=message.at.isoformat(), class_="small"))
    if message.edits:
        said += [" ", tag("span", "(edited)", class_="small edited")]
    if message.note:
        good = message.note == "signature verified"
        said += [" ", tag("span", message.note, class_="chip good" if good else "chip")]
    if message.repeats:
        said += [" ", tag("span", f"sent {message.repeats + 1} times, shown once", class_="chip")]
    parts: list[Inside] = [tag("p", *said, class_="who")]
    if message.failed:
        parts.append(tag("p", f"Taken, but never shown: {message.failed}.", class_="failed", role="alert"))
    parts.append(_looks(message, message.body))
    if message.edits:
        parts.append(_history(message))
    return tag("section", *parts, class_="message", id=f"{message.service}-{message.id}")


def _history(message: Posted) -> Html:
    count = len(message.edits)
    former = [
        tag("div", tag("p", f"until {edit.until:%H:%M:%S}", class_="small"), _looks(message, edit.body))
        for edit in reversed(message.edits)
    ]
    words = f"{count} earlier {'version' if count == 1 else 'versions'}"
    return tag("details", tag("summary", words), *former, class_="edits")


def _looks(message: Posted, body: Body) -> Html:
    return _SHOWS[message.service](body)


def _webhook(body: Body) -> Html:
    written = json.dumps(body, indent=2, ensure_ascii=False)
    return tag("pre", tag("code", joined([written])), tabindex="0")


_SHOWS: Mapping[str, Callable[[Body], Html]] = {
    "slack": slack_look.show,
    "discord": discord_look.show,
    "teams": teams_look.show,
    "google-chat": google_look.show,
    "webhook": _webhook,
}
