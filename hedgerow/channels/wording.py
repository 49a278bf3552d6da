"""What every chat form shares: a mood's word, symbol and colour, and text made harmless and cut to a limit at a word.

Knows no service. Sizes are UTF-16 units: whichever way a service counts, none counts more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, urlsplit

from hedgerow.channels.notice import Mood, Notice

Style = Literal["attention", "warning", "accent", "good", "emphasis"]
Escapes = Mapping[int, str]

PLAIN: Escapes = {}
# A word joiner, which nobody sees, keeps "<!channel>" and "<at>" from being read as what they are not.
DEFUSED: Escapes = {ord("<"): "<\u2060"}
ENTITIES: Escapes = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}

# Emoji and several scripts are spelled with these; every other invisible mark goes.
_JOINERS = frozenset("\u200c\u200d")
# So many times a limit is read of a text: enough even where half of it is invisible.
_FARTHEST = 4
# Left as they are in an address; whatever could end a link's markup is percent-encoded.
_ADDRESS_MARKS = "%/:?#[]@!$&'*+,;=~"
_KEY_MARKS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a mood looks: never by colour alone. `colour` is RGB."""

    word: str
    symbol: str
    colour: int
    style: Style


_BY_SEVERITY = {
    "critical": Manner("Firing", "🔴", 0xD92D20, "attention"),
    "warning": Manner("Firing", "🟠", 0xF79009, "warning"),
    "info": Manner("Firing", "🔵", 0x2E90FA, "accent"),
}
_BY_MOOD: Mapping[Mood, Manner] = {
    "acknowledged": Manner("Acknowledged", "👀", 0x6941C6, "accent"),
    "snoozed": Manner("Snoozed", "💤", 0x667085, "emphasis"),
    "resolved": Manner("Resolved", "✅", 0x12B76A, "good"),
    "digest": Manner("Digest", "📋", 0x667085, "emphasis"),
    "test": Manner("Test", "🔔", 0x2E90FA, "accent"),
    "told": Manner("Notice", "📣", 0x2E90FA, "accent"),
}


def manner(notice: Notice) -> Manner:
    """The look of a notice."""
    if notice.mood in _BY_MOOD:
        return _BY_MOOD[notice.mood]
    firing = _BY_SEVERITY[notice.severity]
    return Manner("Worse", firing.symbol, firing.colour, firing.style) if notice.mood == "worse" else firing


def headline(notice: Notice) -> str:
    """The mood in one or two words, with the severity while it matters: "🔴 Firing · critical"."""
    look = manner(notice)
    told = f"{look.symbol} {look.word}"
    return f"{told} · {notice.severity}" if notice.mood in {"firing", "worse"} else told


def sentence(notice: Notice) -> str:
    """The whole message in one line, for where no form fits: "✅ Resolved: …", "👀 Acknowledged by Ada: …"."""
    look = manner(notice)
    word = f"{look.word} {notice.beside}" if notice.beside else look.word
    return f"{look.symbol} {word}: {notice.title}"


def clean(text: str) -> str:
    """One line without control characters, direction marks or half surrogates; "—" when nothing is left."""
    if not text.isprintable():
        text = "".join(mark if mark.isprintable() else _harmless(mark) for mark in text)
    return " ".join(text.split()) or "—"


def _harmless(mark: str) -> str:
    match unicodedata.category(mark):
        case "Cc" | "Zl" | "Zp" | "Zs":
            return " "
        case "Cf":
            return mark if mark in _JOINERS else ""
        case "Cs":
            return "\ufffd"
    return mark


def size(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(text: str, limit: int, escapes: Escapes = PLAIN) -> str:
    """`text` cleaned and escaped, at most `limit` long with its escapes; cut at a word, and then with "…"."""
    near = text[: _FARTHEST * limit]
    plain = clean(near)
    written = plain.translate(escapes)
    if size(written) <= limit and near == text:
        return written
    kept = _beginning(plain, limit - 1, escapes)
    whole_words = kept if plain[len(kept) :][:1] in {"", " "} else kept.rpartition(" ")[0]
    # A name of a thousand letters has no word to cut at.
    shortened = whole_words if 2 * len(whole_words) >= len(kept) else kept
    return shortened.rstrip().translate(escapes) + "…"


def _beginning(plain: str, room: int, escapes: Escapes) -> str:
    for place, mark in enumerate(plain):
        room -= size(escapes.get(ord(mark), mark))
        if room < 0:
            return plain[:place]
    return plain


def web_address(url: str, limit: int) -> str | None:
    """The address with nothing in it that markup could trip over; None when it is no web address or too long."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"https", "http"} or not host:
        return None
    written = quote(url.strip(), safe=_ADDRESS_MARKS, errors="replace")
    return written if len(written) <= limit else None


def identity(key: str) -> str:
    """The key in a form every header and query takes: itself, or its digest."""
    if 0 < len(key) <= 64 and _KEY_MARKS.issuperset(key):
        return key
    return f"key_{sha256(key.encode(errors='replace')).hexdigest()[:32]}"
