"""A Google Chat message as Chat shows it: its text, and its cards with their few tags."""

from __future__ import annotations

import re

from pydantic import JsonValue

from local.chat.keeping import Body
from local.chat.looks.markup import Html, Inside, Recurse, Rule, image, inline, joined, link, tag, verbatim, wrapping


def show(body: Body) -> Html:
    """Its text, then its cards."""
    parts: list[Inside] = []
    if body.get("text"):
        parts.append(tag("p", inline(str(body["text"]), TEXT)))
    for each in _list(body.get("cardsV2")):
        card = each.get("card") if isinstance(each, dict) else None
        if isinstance(card, dict):
            parts.append(tag("div", _header(card.get("header")), *_sections(card.get("sections")), class_="embed"))
    return joined(parts)


def _header(header: JsonValue) -> Html:
    if not isinstance(header, dict):
        return Html()
    subtitle = header.get("subtitle")
    return joined(
        [tag("h3", str(header.get("title", ""))), tag("p", str(subtitle), class_="small") if subtitle else Html()]
    )


def _sections(sections: JsonValue) -> list[Html]:
    shown = []
    for section in _list(sections):
        if isinstance(section, dict):
            head = section.get("header")
            widgets = [_widget(each) for each in _list(section.get("widgets")) if isinstance(each, dict)]
            shown.append(tag("div", tag("h4", inline(str(head), CARD)) if head else Html(), *widgets))
    return shown


def _widget(widget: Body) -> Html:
    for kind, content in widget.items():
        if not isinstance(content, dict):
            continue
        match kind:
            case "textParagraph":
                return tag("p", inline(str(content.get("text", "")), CARD))
            case "decoratedText":
                return _decorated(content)
            case "image":
                return tag("figure", image(str(content.get("imageUrl", "")), str(content.get("altText") or "")))
            case "buttonList":
                return tag("p", *(_button(each) for each in _list(content.get("buttons"))), class_="buttons")
            case "divider":
                return tag("hr")
    return tag("p", f"[{next(iter(widget), '')}]", class_="small")


def _decorated(content: Body) -> Html:
    parts: list[Inside] = []
    for name in ("topLabel", "text", "bottomLabel"):
        if content.get(name):
            marked = inline(str(content[name]), CARD)
            parts.append(tag("span", marked, class_="" if name == "text" else "small"))
            parts.append(tag("br"))
    if content.get("button") is not None:
        parts.append(_button(content.get("button")))
    return tag("p", *parts)


def _button(button: JsonValue) -> Html:
    if not isinstance(button, dict):
        return Html()
    click = button.get("onClick")
    opens = click.get("openLink") if isinstance(click, dict) else None
    url = str(opens.get("url", "")) if isinstance(opens, dict) else ""
    return link(url, str(button.get("text") or button.get("altText") or "button"), "button")


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _labelled(match: re.Match[str], _: Recurse) -> Html:
    return link(match[1], match[2])


def _anchor(match: re.Match[str], recurse: Recurse) -> Html:
    return link(_plain(match[1]), recurse(match[2]))


def _plain(text: str) -> str:
    for entity, character in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, character)
    return text


TEXT: tuple[Rule, ...] = (
    (re.compile(r"<(users/[\w-]+)>"), lambda match, _: tag("mark", "@" + match[1])),
    (re.compile(r"<(https?://[^|>\s]+)\|([^>\n]+)>"), _labelled),
    (re.compile(r"<?(https?://[^\s<>|]+)>?"), lambda match, _: link(match[1], match[1])),
    (re.compile(r"`([^`\n]+)`"), verbatim),
    (re.compile(r"(?<!\w)\*(?=\S)([^*\n]+)(?<=\S)\*(?!\w)"), wrapping("b")),
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+)(?<=\S)_(?!\w)"), wrapping("i")),
    (re.compile(r"(?<!\w)~(?=\S)([^~\n]+)(?<=\S)~(?!\w)"), wrapping("s")),
)
CARD: tuple[Rule, ...] = (
    (re.compile(r'<a href="([^"]*)">(.*?)</a>'), _anchor),
    (re.compile(r"<b>(.*?)</b>"), wrapping("b")),
    (re.compile(r"<i>(.*?)</i>"), wrapping("i")),
    (re.compile(r"<u>(.*?)</u>"), wrapping("u")),
    (re.compile(r"<s>(.*?)</s>"), wrapping("s")),
    (re.compile(r"<br\s*/?>"), lambda _match, _: tag("br")),
    (re.compile(r"<font[^>]*>(.*?)</font>"), wrapping("span")),
    # Chat drops the tags it does not know.
    (re.compile(r"</?[a-zA-Z][^>]*>"), lambda _match, _: Html()),
    (re.compile(r"&(?:amp|lt|gt|quot|#39|#x27);"), lambda match, _: inline(_plain(match[0]), ())),
)
