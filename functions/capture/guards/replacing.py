"""What stands where personal data stood: masked, or a keyed hash that is the same for equal values."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from urllib.parse import unquote

from hedgerow.capture_rules import PrivacyKind

HASHED = re.compile(r"hashed_[0-9a-f]{24}")
"""A value this module made: hashing it again leaves it as it is, so that a replayed event keeps its person."""


def masked(kind: PrivacyKind, text: str) -> str:
    """The finding, unreadable: an initial of an address, the last four of a card or account, the network of an IP."""
    if kind == "email":
        return f"{text[0]}•••@•••"
    if kind == "card":
        return f"•••• {plain(kind, text)[-4:]}"
    if kind == "iban":
        return f"{text[:2]}•••{plain(kind, text)[-4:]}"
    if kind == "phone":
        return f"•••{text[-2:]}"
    if kind == "ip":
        return _network(text)
    return "•••"


def hasher(key: bytes) -> Callable[[str], str]:
    """HMAC-SHA256 under this key, shortened to 96 bits, in a form that is none of the kinds itself."""

    def hashed(text: str) -> str:
        if HASHED.fullmatch(text):
            return text
        return "hashed_" + hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:24]

    return hashed


def plain(kind: PrivacyKind, text: str) -> str:
    """One writing for all writings of the same value, so that they are hashed alike."""
    if kind == "email":
        # %2540 was encoded twice.
        return unquote(unquote(text)).lower() if "%" in text else text.lower()
    if kind in ("card", "phone", "iban"):
        return "".join(filter(str.isalnum, text.replace("%2B", "").replace("%2b", "").replace("%20", ""))).upper()
    return text


def _network(text: str) -> str:
    """The address with its host part zero: still an address, so that a country can be found for it."""
    from ipaddress import AddressValueError, IPv4Address, IPv6Address

    try:
        return str(IPv4Address(int(IPv4Address(text)) & 0xFFFFFF00))
    except AddressValueError:
        pass
    try:
        return str(IPv6Address(int(IPv6Address(text)) >> 80 << 80))
    except AddressValueError:
        return "•••"
