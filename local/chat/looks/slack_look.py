"""A Slack message as Slack shows it: blocks and mrkdwn, mentions lit up."""

from __future__ import annotations

import re

from pydantic import JsonValue

from local.chat.keeping import Body
from local.chat.looks.markup import Html, Inside, Recurse, Rule, image, inline, joined, link, tag, verbatim, wrapping


def show(body: Body) -> Html:
    """Its blocks, or its text where it has none."""
    blocks = body.get("blocks")
    if isinstance(blocks, list) and blocks:
        return joined([_block(block) for block in blocks if isinstance(block, dict)])
    return tag("p", mrkdwn(str(body.get("text") or "")))


def mrkdwn(text: str) -> Html:
    """Slack's own markup. `&amp;`, `&lt;` and `&gt;` are the only entities it knows."""
    return inline(text, RULES)


def _block(block: Body) -> Html:
    match block.get("type"):
        case "header":
            return tag("h3", _text(block.get("text")))
        case "section":
            return _section(block)
        case "context":
            parts = [_element(each) for each in _list(block.get("elements"))]
            return tag("p", *(tag("span", part) for part in parts), class_="small")
        case "actions":
            return tag("p", *(_element(each) for each in _list(block.get("elements"))), class_="buttons")
        case "image":
            return tag("figure", image(str(block.get("image_url", "")), str(block.get("alt_text", ""))))
        case "divider":
            return tag("hr")
        case "markdown":
            return tag("p", str(block.get("text", "")))
        case other:
            return tag("p", f"[{other}]", class_="small")


def _section(block: Body) -> Html:
    parts: list[Inside] = []
    if block.get("text") is not None:
        parts.append(tag("p", _text(block.get("text"))))
    fields = _list(block.get("fields"))
    if fields:
        parts.append(tag("div", *(tag("p", _text(each)) for each in fields), class_="fields"))
    accessory = block.get("accessory")
    if isinstance(accessory, dict):
        parts.append(tag("p", _element(accessory), class_="buttons"))
    return joined(parts)


def _element(element: JsonValue) -> Html:
    if not isinstance(element, dict):
        return Html()
    kind = element.get("type")
    if kind == "button":
        return link(
            str(element.get("url", "")), _text(element.get("text")), f"button {element.get('style') or ''}".strip()
        )
    if kind == "image":
        return image(str(element.get("image_url", "")), str(element.get("alt_text", "")))
    return _text(element)


def _text(value: JsonValue) -> Html:
    if not isinstance(value, dict):
        return Html()
    text = str(value.get("text", ""))
    return mrkdwn(text) if value.get("type") == "mrkdwn" else inline(text, ())


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _control(match: re.Match[str], _: Recurse) -> Html:
    said, _bar, label = match[1].partition("|")
    label = _plain(label)
    if said[:1] in "!@#":
        if said.startswith("!date"):
            return tag("span", label)
        return tag("mark", label or {"!": "@", "@": "@", "#": "#"}[said[0]] + said[1:])
    return link(_plain(said), label or _plain(said))


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


RULES: tuple[Rule, ...] = (
    (re.compile(r"<([^<>\n]+)>"), _control),
    (re.compile(r"&(?:amp|lt|gt);"), lambda match, _: inline(_plain(match[0]), ())),
    (re.compile(r"`([^`\n]+)`"), verbatim),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])"), wrapping("b")),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_])"), wrapping("i")),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+)(?<=\S)~(?![\w~])"), wrapping("s")),
)
