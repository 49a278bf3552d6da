"""HTML from values: whatever is not `Html` already is escaped. The only file that writes angle brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape

from local.chat.slack_blocks import is_web_address

EMPTY = frozenset(["br", "hr", "img"])


class Html(str):
    """Markup that was made here, or escaped."""

    __slots__ = ()


Inside = str | Html
Rule = tuple[re.Pattern[str], Callable[[re.Match[str], "Recurse"], Html]]
Recurse = Callable[[str], Html]


def safe(text: Inside) -> Html:
    """The text as markup; what is markup stays."""
    return text if isinstance(text, Html) else Html(escape(text, quote=True))


def tag(name: str, *inside: Inside, **attributes: str) -> Html:
    """An element. `class_` is written `class`, other underscores as hyphens; empty attributes are left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"'
        for key, value in attributes.items()
        if value
    )
    if name in EMPTY:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(inside)}</{name}>")


def joined(parts: Sequence[Inside]) -> Html:
    """Parts one after another."""
    return Html("".join(safe(part) for part in parts))


def link(url: str, label: Inside, class_: str = "") -> Html:
    """A link to the web; to anything else, only its label."""
    if not is_web_address(url):
        return safe(label)
    return tag("a", label, href=url, class_=class_, rel="noreferrer noopener", target="_blank")


def image(url: str, alt: str) -> Html:
    """A picture of the web, with its words."""
    if not is_web_address(url):
        return tag("em", alt or "a picture without an address")
    return tag("img", src=url, alt=alt or "picture", loading="lazy")


def inline(text: str, rules: Sequence[Rule]) -> Html:
    """Text in a service's own markup. The rule that matches first wins; lines stay lines."""
    parts: list[Html] = []
    place = 0
    while place < len(text):
        found = [
            (match.start(), order, match)
            for order, (rule, _) in enumerate(rules)
            if (match := rule.search(text, place))
        ]
        if not found:
            break
        start, order, match = min(found, key=lambda each: each[:2])
        parts.append(_lines(text[place:start]))
        parts.append(rules[order][1](match, lambda inner: inline(inner, rules)))
        place = max(match.end(), place + 1)
    parts.append(_lines(text[place:]))
    return joined(parts)


def wrapping(name: str) -> Callable[[re.Match[str], Recurse], Html]:
    """What a rule for bold and its like does: its first group, marked up itself, in an element."""
    return lambda match, recurse: tag(name, recurse(match[1]))


def verbatim(match: re.Match[str], _: Recurse) -> Html:
    """What a rule for code does."""
    return tag("code", match[1])


def _lines(text: str) -> Html:
    return Html(escape(text, quote=True).replace("\n", "<br>"))
