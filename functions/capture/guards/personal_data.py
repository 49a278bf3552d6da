"""Where personal data stands in a text: e-mail addresses, phone and card numbers, IBANs, IP addresses, secrets.

Owns the shapes and the checks; decides nothing about what becomes of a finding, and keeps no text.
Every search is bounded, so that a megabyte of one letter costs no more than one of prose.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple

from functions.capture.guards import secret_shapes
from hedgerow.capture_rules import PrivacyKind

Hint = Literal["", "version", "phone", "secret"]
"""What a property's name says of its value."""


class Found(NamedTuple):
    """A finding: the text from `start` up to `end` is of this kind."""

    start: int
    end: int
    kind: PrivacyKind


SHORTEST = 6
"""Characters; nothing shorter can be any of the kinds."""

SHORTEST_OF_LETTERS = 15
"""Shorter ones of letters, digits and `_` that begin with a letter are none of the kinds either: an IBAN has fifteen."""

_UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?")
_SEVEN_DIGITS = re.compile(r"[0-9](?:[^0-9]{0,3}+[0-9]){6}")

_AT = re.compile(r"@|%(?:25)?40")
_LOCAL = re.compile(r"(?:[\w.+'\-]|%2[Bb])+\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,8}(?P<top>[^\W\d_]{2,24}|xn--[A-Za-z0-9\-]{2,59})(?!\w)")
_ENCODED = re.compile(r"25[0-9A-Fa-f]{2}|[0-9A-Fa-f]{2}")
_LONGEST_LOCAL = 64
# `logo@2x.png`, `render@app.min.js:2:33`: names of files.
_FILES = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "avif",
        "ico",
        "bmp",
        "css",
        "scss",
        "less",
        "js",
        "mjs",
        "cjs",
        "jsx",
        "tsx",
        "json",
        "html",
        "htm",
        "woff",
        "ttf",
        "mp4",
        "webm",
        "wasm",
    ]
)

_GAP = r"(?:[ .\-/()]|%20){0,2}"
_INTERNATIONAL = re.compile(rf"(?:\+|%2[Bb])[1-9](?:{_GAP}\d){{7,14}}(?!\w|\.\d)")
_INSIDE = frozenset("+._)")
_DECIMAL = re.compile(r"\+\d+\.\d+")
_AMERICAN = re.compile(
    r"(?<![\w.\-+/])(?:1[ .\-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d(?=([ .\-]))[ .\-])[2-9]\d\d(?(1)\1|[ .\-])\d{4}(?![\w:]|[.\-/]\d)"
)
_TRUNK = re.compile(r"(?<![\w.\-+/:,])(?:\(0[1-9]\d{0,4}\)|0[1-9]\d{0,4})(?:[ \-/]\d{2,8}){1,4}(?![\w:]|[.,\-/]\d)")
# Where the search for a national number may begin: three digits or a leading zero, and something between groups.
_NATIONAL = re.compile(r"[2-9][0-9]{2}\)? ?[ .\-]?[2-9][0-9]{2}[ .\-][0-9]{4}|0[1-9][0-9]{0,4}\)?[ \-/][0-9]{2}")
_TEL = re.compile(r"(?<=\btel:)\d{7,15}(?!\d)")
_WHOLE_PHONE = re.compile(r"(?:\+|00)?[0-9 ().\-/]{7,24}(?: ?(?:x|ext\.?) ?\d{1,5})?")

_CARD = re.compile(
    r"(?<![\w\-+])(?<!\d\.)(?:\d{13,19}|\d{4}(?P<gap>[ \-])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}(?:(?P=gap)\d{3})?"
    r"|\d{4}(?P<other>[ \-])\d{6}(?P=other)\d{4,5})(?![\w\-]|\.\d)"
)
# First four digits, from and to, with the lengths that issuers give out below them.
_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4000, 4999, frozenset((13, 16, 19))),  # Visa
    (5100, 5599, frozenset((16,))),  # Mastercard
    (2221, 2720, frozenset((16,))),
    (3400, 3499, frozenset((15,))),  # American Express
    (3700, 3799, frozenset((15,))),
    (3000, 3059, frozenset((14, 16))),  # Diners Club
    (3090, 3099, frozenset((14, 16))),
    (3600, 3699, frozenset((14, 16))),
    (3800, 3999, frozenset((14, 16))),
    (3528, 3589, frozenset((16, 19))),  # JCB
    (2200, 2204, frozenset((16, 19))),  # Mir
    (5000, 5099, frozenset((16, 18, 19))),  # Maestro
    (5600, 5899, frozenset((16, 18, 19))),
    (6000, 6999, frozenset((16, 17, 18, 19))),  # Discover, UnionPay, RuPay, Maestro
)
SMALLEST_CARD, LARGEST_CARD = 10**12, 10**19 - 1

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[A-Za-z0-9]{11,30}|(?:[ \-][A-Za-z0-9]{4}){2,7}(?:[ \-][A-Za-z0-9]{1,4})?)(?![A-Za-z0-9])"
)

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<![\w.])(?<![A-Za-z]-)(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\w|-[A-Za-z])")
_IPV6 = re.compile(r"(?<![\w:.])[23Ff][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?!\w)")
# `Chrome/120.0.0.0`, `v1.2.3.4`, `version: 1.2.3.4`.
_VERSIONED = re.compile(
    r"(?:(?<![^\W\d_])(?:v|ver|version|build|release|firmware|rev)[\s:=.\"']{0,3}|[A-Za-z][\w.+\-]*/)\Z", re.IGNORECASE
)
_NOBODYS = ("0.", "127.", "255.255.255.255")

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VERSION_NAME = re.compile(r"(?:^|_)(?:version|versions|ver|build|release|revision|firmware)(?:_|$)")
_PHONE_NAME = re.compile(
    r"(?:^|_)(?:phone|telephone|tel|mobile|msisdn|whatsapp|cellphone|cell|fax|landline)"
    r"(?:_?(?:number|num|nr|no|e164|raw|home|work|main|primary|[12]))*$"
)


def found(text: str, hint: Hint = "") -> list[Found]:
    """Every finding in a text, in the order of their places; none overlaps another.

    `hint` is what the name of the property says: a version is no address, and a bare row of
    digits is a phone number only where the name says so.
    """
    size = len(text)
    if hint == "phone" and is_phone(text):
        return [Found(0, size, "phone")]
    if hint == "secret" and secret_shapes.is_kept_secret(text):
        return [Found(0, size, "secret")]
    if size < SHORTEST or _is_bookkeeping(text, size):
        return []
    spans: list[Found] = []
    if size >= secret_shapes.SHORTEST and secret_shapes.may_be_in(text):
        _take(spans, "secret", secret_shapes.spans(text))
    if "@" in text or "%40" in text or "%2540" in text:
        _take(spans, "email", _emails(text))
    if _SEVEN_DIGITS.search(text):
        if _IBAN.search(text):
            _take(spans, "iban", _ibans(text))
        if _CARD.search(text):
            _take(spans, "card", _cards(text))
        if "+" in text or "%2" in text or "tel:" in text or _NATIONAL.search(text):
            _take(spans, "phone", _phones(text))
    if hint != "version" and (text.count(".") >= 3 or text.count(":") >= 2):
        _take(spans, "ip", _addresses(text))
    return spans


def is_card(number: int) -> bool:
    """Whether a whole number is one of a payment card."""
    return SMALLEST_CARD <= number <= LARGEST_CARD and _is_card(str(number))


def is_phone(text: str) -> bool:
    """Whether the whole text reads as a phone number, where its place says that one stands there."""
    return _WHOLE_PHONE.fullmatch(text.strip()) is not None and 7 <= sum(map(str.isdecimal, text)) <= 17


def hint_of(name: str) -> Hint:
    """What a property's name says of its value: `phoneNumber`, `app_version`, `client_secret`."""
    plain = _HUMP.sub("_", name).lower().replace("-", "_").replace(" ", "_").replace(".", "_").lstrip("$")
    if plain in secret_shapes.NAMES:
        return "secret"
    if _VERSION_NAME.search(plain):
        return "version"
    return "phone" if _PHONE_NAME.search(plain) else ""


def _is_bookkeeping(text: str, size: int) -> bool:
    """A uuid or an instant: rows of digits that are nobody's number."""
    if size == 36 and text[8] == "-" and text[23] == "-":
        return _UUID.fullmatch(text) is not None
    return size <= 35 and text[4] == "-" and _INSTANT.fullmatch(text) is not None


def _take(spans: list[Found], kind: PrivacyKind, more: Iterator[tuple[int, int]]) -> None:
    """Put findings among those there are, in order; what overlaps one of them is a part of it."""
    for start, end in more:
        place = bisect_left(spans, (start,))
        is_free = (place == 0 or spans[place - 1].end <= start) and (place == len(spans) or end <= spans[place].start)
        if is_free:
            spans.insert(place, Found(start, end, kind))


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for at in _AT.finditer(text):
        domain = _DOMAIN.match(text, at.end())
        if domain is None or domain["top"].lower() in _FILES:
            continue
        # One more than the longest tells a name that is too long from one that fits.
        head = text[max(0, at.start() - _LONGEST_LOCAL - 1) : at.start()]
        local = _LOCAL.search(head)
        if local is None or len(local[0]) > _LONGEST_LOCAL:
            continue
        start = at.start() - len(local[0])
        if text[max(0, start - 1) : start] == "%":
            # The rest of an encoded `=` or `/`, of which the sign `%` may be encoded too.
            start = rest.end() if (rest := _ENCODED.match(text, start, at.start())) else start
        while start < at.start() and text[start] in ".+-'":
            start += 1
        # `@jane@mastodon.social` is a handle, `https://abc@host` a part of an address.
        if start < at.start() and text[max(0, start - 1) : start] != "@" and text[max(0, start - 2) : start] != "//":
            yield start, domain.end()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _INTERNATIONAL.finditer(text):
        before = text[max(0, match.start() - 1) : match.start()]
        # A plus inside a word is a sum, or a space of a query string; one before a single point is a number's sign.
        is_inside = (before.isalnum() or before in _INSIDE) and match[0][0] == "+"
        if not is_inside and _DECIMAL.fullmatch(match[0]) is None:
            yield match.span()
    yield from (match.span() for match in _AMERICAN.finditer(text))
    for match in _TRUNK.finditer(text):
        if 9 <= sum(map(str.isdecimal, match[0])) <= 12:
            yield match.span()
    yield from (match.span() for match in _TEL.finditer(text))


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        if _is_card(match[0].replace(" ", "").replace("-", "")):
            yield match.span()


def _is_card(digits: str) -> bool:
    head, size = int(digits[:4]), len(digits)
    if not any(first <= head <= last and size in lengths for first, last, lengths in _ISSUERS):
        return False
    from stdnum import luhn

    return luhn.is_valid(digits)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        end = match.end()
        # In a sentence the next short words look like its last groups: the longest reading that is valid counts.
        while end > match.start() + 14:
            if _is_iban(text[match.start() : end]):
                yield match.start(), end
                break
            end = max(text.rfind(" ", match.start(), end), text.rfind("-", match.start(), end))


def _is_iban(written: str) -> bool:
    bare = written.replace(" ", "").replace("-", "").upper()
    # The remainder first: it tells ninety-nine of a hundred at a tenth of what the country's own rules cost.
    if int("".join(str(int(character, 36)) for character in bare[4:] + bare[:4])) % 97 != 1:
        return False
    from stdnum import iban

    return iban.is_valid(written)


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        if not match[0].startswith(_NOBODYS) and not (_VERSIONED.search(before) and not before.endswith("//")):
            yield match.span()
    if text.count(":") < 2:
        return
    from ipaddress import AddressValueError, IPv6Address

    for match in _IPV6.finditer(text):
        written = match[0] if match[0].endswith("::") else match[0].rstrip(":")
        try:
            address = IPv6Address(written)
        except AddressValueError:
            continue
        if not address.is_multicast:
            yield match.start(), match.start() + len(written)
