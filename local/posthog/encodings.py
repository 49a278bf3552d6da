"""How a capture body becomes text: sniffed by its bytes, not by its headers, as PostHog does.

Refuses what PostHog refuses, in its words; LZ64, which no current SDK sends, is refused as well.
"""

import base64
import binascii
import re
import zlib
from urllib.parse import parse_qs

GZIP_MAGIC = b"\x1f\x8b\x08"
MOST_INFLATED = 64 * 1024 * 1024
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]+={0,2}\s*")
_FORM = "application/x-www-form-urlencoded"


class DecodeError(Exception):
    """The body cannot be turned into text; the message is PostHog's."""


class TooLargeError(Exception):
    """The body is over a limit, as sent or inflated."""


def decode(
    body: bytes,
    *,
    query_text: str | None = None,
    content_type: str = "",
    hint: str = "",
    is_legacy_path: bool = False,
) -> str:
    """The JSON text inside a request; raises DecodeError or TooLargeError.

    >>> decode(base64.b64encode(b'{"event": "a"}'))
    '{"event": "a"}'
    """
    raw = query_text.encode() if query_text else body
    if not raw:
        raise DecodeError("request missing data payload")
    is_form = content_type.split(";", maxsplit=1)[0].strip().lower() == _FORM
    if not is_form or query_text:
        raw = _unwrapped(raw)
    elif raw[:3] != GZIP_MAGIC:
        raw, hint = _from_form(raw, hint)
    raw = _inflated(raw, hint)
    if is_legacy_path or hint == "base64":
        raw = _unwrapped(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise DecodeError(f"failed to decode request: {fault.reason}") from None


def inflate(raw: bytes, wbits: int) -> bytes:
    """Decompress within the limit; raises DecodeError or TooLargeError."""
    inflater = zlib.decompressobj(wbits)
    try:
        inflated = inflater.decompress(raw, MOST_INFLATED)
    except zlib.error:
        raise DecodeError("failed to decode request: invalid GZIP data") from None
    if inflater.unconsumed_tail:
        raise TooLargeError("maximum event size exceeded: the inflated body is too large")
    if not inflater.eof:
        raise DecodeError("failed to decode request: invalid GZIP data")
    return inflated


def _inflated(raw: bytes, hint: str) -> bytes:
    if raw.startswith(GZIP_MAGIC):
        return inflate(raw, 16 + zlib.MAX_WBITS)
    if hint in ("gzip", "gzip-js"):
        raise DecodeError("failed to decode request: invalid GZIP data")
    if hint in ("lz64", "lz-string"):
        raise DecodeError("failed to decode request: LZ64 is not supported by the local PostHog")
    return raw


def _unwrapped(raw: bytes) -> bytes:
    if not _BASE64.fullmatch(raw):
        return raw
    try:
        return base64.b64decode(raw.strip(), validate=False)
    except binascii.Error:
        return raw


def _from_form(raw: bytes, hint: str) -> tuple[bytes, str]:
    try:
        form = parse_qs(raw.decode("utf-8"), keep_blank_values=True)
    except UnicodeDecodeError:
        form = {}
    if "data" not in form:
        raise DecodeError("failed to decode request: expected form data in POST request payload")
    # A plus sign that nobody escaped has become a space.
    text = form["data"][0]
    candidate = text.replace(" ", "+").encode()
    decoded = _unwrapped(candidate)
    body = decoded if decoded != candidate else text.encode()
    return body, form.get("compression", [hint])[0]
