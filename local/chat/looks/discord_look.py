"""A Discord message as Discord shows it: content, embeds with their stripe, link buttons."""

from __future__ import annotations

import re
from datetime import datetime

from pydantic import JsonValue

from local.chat.keeping import Body
from local.chat.looks.markup import Html, Inside, Recurse, Rule, image, inline, joined, link, tag, verbatim, wrapping


def show(body: Body) -> Html:
    """Its content, then its embeds, then its buttons."""
    parts: list[Inside] = []
    content = body.get("content")
    if isinstance(content, str) and content:
        allowed = body.get("allowed_mentions")
        pings = not (isinstance(allowed, dict) and allowed.get("parse") == [])
        parts.append(tag("p", inline(content, (MENTION, *RULES) if pings else RULES)))
    parts += [_embed(embed) for embed in _list(body.get("embeds")) if isinstance(embed, dict)]
    for row in _list(body.get("components")):
        buttons = _list(row.get("components")) if isinstance(row, dict) else []
        parts.append(tag("p", *(_button(each) for each in buttons), class_="buttons"))
    return joined(parts)


def _embed(embed: Body) -> Html:
    parts: list[Inside] = []
    author = embed.get("author")
    if isinstance(author, dict):
        parts.append(tag("p", str(author.get("name", "")), class_="small"))
    if embed.get("title"):
        title = _marked(embed.get("title"))
        parts.append(tag("h3", link(str(embed["url"]), title) if embed.get("url") else title))
    if embed.get("description"):
        parts.append(tag("p", _marked(embed.get("description"))))
    fields = [
        tag("p", tag("b", _marked(each.get("name"))), tag("br"), _marked(each.get("value")))
        for each in _list(embed.get("fields"))
        if isinstance(each, dict)
    ]
    if fields:
        parts.append(tag("div", *fields, class_="fields"))
    for name in ("image", "thumbnail"):
        picture = embed.get(name)
        if isinstance(picture, dict):
            parts.append(tag("figure", image(str(picture.get("url", "")), str(embed.get("title") or ""))))
    parts.append(_foot(embed))
    color = embed.get("color")
    stripe = f"#{color:06x}" if isinstance(color, int) and 0 <= color <= 0xFFFFFF else "#80848e"
    return tag("div", *parts, class_="embed", style=f"border-inline-start-color:{stripe}")


def _foot(embed: Body) -> Html:
    footer = embed.get("footer")
    said = [str(footer.get("text", ""))] if isinstance(footer, dict) else []
    at = embed.get("timestamp")
    if isinstance(at, str):
        said.append(f"{datetime.fromisoformat(at):%d.%m.%Y %H:%M}")
    return tag("p", " • ".join(said), class_="small") if said else Html()


def _button(button: JsonValue) -> Html:
    if not isinstance(button, dict):
        return Html()
    return link(str(button.get("url", "")), str(button.get("label", "")), "button")


def _marked(value: JsonValue) -> Html:
    return inline(str(value or ""), RULES)


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _labelled(match: re.Match[str], recurse: Recurse) -> Html:
    return link(match[2], recurse(match[1]))


def _instant(match: re.Match[str], _: Recurse) -> Html:
    return tag("time", f"<t:{match[1]}>")


MENTION: Rule = (re.compile(r"@(?:everyone|here)\b|<@[!&]?\d+>"), lambda match, _: tag("mark", match[0]))
RULES: tuple[Rule, ...] = (
    # Discord takes the backslash from every mark, the underscore too.
    (re.compile(r"\\([^a-zA-Z0-9\s])"), lambda match, _: inline(match[1], ())),
    (re.compile(r"`([^`\n]+)`"), verbatim),
    (re.compile(r"\[([^\]\n]+)\]\((https?://[^\s)]+)\)"), _labelled),
    (re.compile(r"<t:(\d+)(?::\w)?>"), _instant),
    (re.compile(r"https?://[^\s<>()]+"), lambda match, _: link(match[0], match[0])),
    (re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*"), wrapping("b")),
    (re.compile(r"__(?=\S)(.+?)(?<=\S)__"), wrapping("u")),
    (re.compile(r"~~(?=\S)(.+?)(?<=\S)~~"), wrapping("s")),
    (re.compile(r"(?<!\w)[*_](?=\S)([^*_\n]+?)(?<=\S)[*_](?!\w)"), wrapping("i")),
)
