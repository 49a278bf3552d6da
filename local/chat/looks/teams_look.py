"""A Teams message as Teams shows it: its adaptive card, and why a card was never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from local.chat.keeping import Body
from local.chat.looks.markup import Html, Inside, Recurse, Rule, image, inline, joined, link, tag, wrapping

SIZES = {"Large": "h3", "ExtraLarge": "h3", "Medium": "h4"}
COLOURS = frozenset(["Good", "Warning", "Attention", "Accent"])


def show(body: Body) -> Html:
    """Its cards."""
    cards: list[Inside] = []
    for attachment in _list(body.get("attachments")):
        content = attachment.get("content") if isinstance(attachment, dict) else None
        if isinstance(content, dict):
            cards.append(tag("div", _items(content.get("body")), _actions(content.get("actions")), class_="embed"))
    return joined(cards)


def _items(items: JsonValue) -> Html:
    return joined([_element(each) for each in _list(items) if isinstance(each, dict)])


def _element(element: Body) -> Html:
    kind = element.get("type")
    draw = _DRAWN.get(kind) if isinstance(kind, str) else None
    return draw(element) if draw else tag("p", f"[{kind}]", class_="small")


def _text(element: Body) -> Html:
    colour = str(element.get("color") or "")
    size = str(element.get("size") or "")
    name = SIZES.get(size, "p")
    classes = [
        colour.lower() if colour in COLOURS else "",
        "small" if element.get("isSubtle") or size == "Small" else "",
    ]
    if element.get("weight") == "Bolder":
        classes.append("bold")
    return tag(name, inline(str(element.get("text", "")), RULES), class_=" ".join(filter(None, classes)))


def _facts(element: Body) -> Html:
    rows = [each for each in _list(element.get("facts")) if isinstance(each, dict)]
    pairs = [
        joined(
            [tag("dt", inline(str(each.get("title", "")), RULES)), tag("dd", inline(str(each.get("value", "")), RULES))]
        )
        for each in rows
    ]
    return tag("dl", *pairs)


def _container(element: Body) -> Html:
    style = str(element.get("style") or "").lower()
    return tag("div", _items(element.get("items")), class_=style if style in ("good", "warning", "attention") else "")


def _columns(element: Body) -> Html:
    columns = [each for each in _list(element.get("columns")) if isinstance(each, dict)]
    return tag("div", *(tag("div", _items(each.get("items"))) for each in columns), class_="fields")


def _rich(element: Body) -> Html:
    runs = [each.get("text", "") if isinstance(each, dict) else each for each in _list(element.get("inlines"))]
    return tag("p", "".join(str(run) for run in runs))


def _actions(actions: JsonValue) -> Html:
    found = [each for each in _list(actions) if isinstance(each, dict)]
    if not found:
        return Html()
    buttons = [link(str(each.get("url", "")), str(each.get("title", "")), "button") for each in found]
    return tag("p", *buttons, class_="buttons")


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _labelled(match: re.Match[str], recurse: Recurse) -> Html:
    return link(match[2], recurse(match[1]))


RULES: tuple[Rule, ...] = (
    (re.compile(r"\\([^\w\s])"), lambda match, _: inline(match[1], ())),
    (re.compile(r"<at>(.*?)</at>"), lambda match, _: tag("mark", match[1])),
    (re.compile(r"\[([^\]\n]+)\]\((https?://[^\s)]+)\)"), _labelled),
    (re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*"), wrapping("b")),
    (re.compile(r"(?<!\w)[_*](?=\S)([^_*\n]+?)(?<=\S)[_*](?!\w)"), wrapping("i")),
)
_DRAWN: Mapping[str, Callable[[Body], Html]] = {
    "TextBlock": _text,
    "Image": lambda element: tag("figure", image(str(element.get("url", "")), str(element.get("altText") or ""))),
    "FactSet": _facts,
    "Container": _container,
    "ColumnSet": _columns,
    "RichTextBlock": _rich,
    "ActionSet": lambda element: _actions(element.get("actions")),
}
