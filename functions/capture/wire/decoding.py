"""How a capture body becomes JSON text: by its bytes first, by what the request says of them second.

Reads everything PostHog reads and what it refuses only for a wrong header. Every layer is
unpacked within a limit. Does not look at the JSON.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Callable

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_OPENERS = (b"{", b"[")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_OPENS_JSON = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[\[{]")
_OPENS_FORM = re.compile(rb"[A-Za-z0-9_.$-]{1,64}=")
_FORM = "application/x-www-form-urlencoded"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_WHITE = b" \t\r\n"
_MOST_LAYERS = 4
_MOST_FIELDS = 100
_WIDEST_WINDOW = 8 * 1024 * 1024
"""What a zstd frame may ask for as memory: the most RFC 9659 allows on the web."""


class UnreadableError(ValueError):
    """The body cannot be turned into text, or holds none; the message is why, in PostHog's words where it has any."""


class EmptyBodyError(UnreadableError):
    """There is no body, and no `data` in the query."""


class TooLargeError(ValueError):
    """The body is over the limit, as sent or unpacked."""


def decode(body: bytes, *, query: dict[str, str], content_type: str, encoding: str, legacy: bool, limit: int) -> bytes:
    """The JSON text inside a request, as bytes; not checked to be JSON, nor to be UTF-8.

    `encoding` is the Content-Encoding header; `limit` bounds every layer, in bytes. What is
    cut off in the middle is read as far as it goes. Raises UnreadableError and TooLargeError.

    >>> decode(b"eyJhIjoxfQ==", query={}, content_type="", encoding="", legacy=False, limit=100)
    b'{"a":1}'
    """
    packed = query.get("data", "").encode() or body
    if not packed:
        raise EmptyBodyError("request missing data payload")
    if len(packed) > limit:
        raise TooLargeError("the body is too large")
    if not encoding and packed.startswith(_OPENERS):
        return packed
    if packed.startswith(_GZIP) and "," not in encoding:
        text = _from_gzip(packed, limit)
        if text.startswith(_OPENERS):
            return text
    hints = [hint.strip().lower() for hint in reversed(encoding.split(","))]
    hints.append(query.get("compression", "").lower())
    if packed is not body:
        packed = _with_plus(packed)
    elif _is_form(packed, content_type):
        packed, hint = _from_form(packed)
        hints.append(hint)
    return _unpacked(packed, [hint for hint in hints if hint], unwraps=2 if legacy else 1, limit=limit)


def _unpacked(packed: bytes, hints: list[str], *, unwraps: int, limit: int) -> bytes:
    """Layer by layer, until JSON opens or nothing more can be taken off."""
    for _ in range(_MOST_LAYERS):
        unpack = _by_bytes(packed)
        if unpack is not None:
            packed = unpack(packed, limit)
            continue
        hinted = _by_hint(packed, hints, limit)
        if hinted is not None:
            packed = hinted
            continue
        unwrapped = None if _OPENS_JSON.match(packed) else _from_base64(packed)
        if unwrapped is None or not unwraps:
            break
        unwraps -= 1
        packed = unwrapped
    if not packed.strip():
        raise EmptyBodyError("request missing data payload")
    if _by_bytes(packed) is not None:
        raise UnreadableError("packed too many times over")
    return packed


def _by_bytes(packed: bytes) -> Callable[[bytes, int], bytes] | None:
    """What the first bytes alone tell; no JSON and no base64 begins like these."""
    if packed.startswith(_GZIP):
        return _from_gzip
    if packed.startswith(_ZSTD):
        return _from_zstd
    return _from_zlib if _ZLIB.match(packed) else None


def _by_hint(packed: bytes, hints: list[str], limit: int) -> bytes | None:
    """What the request says, for the forms whose bytes say nothing. A hint that is not true is passed over."""
    unpackers = {"br": _from_brotli, "deflate": _from_raw_deflate, "lz64": _from_lz64, "lz-string": _from_lz64}
    for hint in tuple(hints):
        unpack = unpackers.get(hint)
        unpacked = None if unpack is None else unpack(packed, limit)
        # Text that opens like JSON may pass for a few bits of deflate.
        if unpacked is not None and (_OPENS_JSON.match(unpacked) or not _OPENS_JSON.match(packed)):
            hints.remove(hint)
            return unpacked
    return None


def _from_gzip(packed: bytes, limit: int) -> bytes:
    """Every member of a gzip file."""
    parts: list[bytes] = []
    left = limit
    while packed.startswith(_GZIP):
        part, packed = _inflated(packed, 16 + zlib.MAX_WBITS, left)
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _from_zlib(packed: bytes, limit: int) -> bytes:
    return _inflated(packed, zlib.MAX_WBITS, limit)[0]


def _inflated(packed: bytes, window: int, limit: int) -> tuple[bytes, bytes]:
    """What was packed, and the bytes after its end."""
    inflater = zlib.decompressobj(window)
    try:
        text = inflater.decompress(packed, limit + 1)
    except zlib.error:
        raise UnreadableError("invalid GZIP data") from None
    _check(text, limit)
    return text, inflater.unused_data


def _from_raw_deflate(packed: bytes, limit: int) -> bytes | None:
    """Deflate without the two bytes in front, as some clients understood the name."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = inflater.decompress(packed, limit + 1)
    except zlib.error:
        return None
    _check(text, limit)
    return text if inflater.eof and not inflater.unused_data else None


def _from_zstd(packed: bytes, limit: int) -> bytes:
    import zstandard

    try:
        reader = zstandard.ZstdDecompressor(max_window_size=_WIDEST_WINDOW).stream_reader(
            packed, read_across_frames=True
        )
        text = reader.read(limit + 1)
    except zstandard.ZstdError:
        text = b""
    if not text:
        raise UnreadableError("invalid zstd data")
    _check(text, limit)
    return text


def _from_brotli(packed: bytes, limit: int) -> bytes | None:
    import brotli  # type: ignore[import-untyped]

    unpacker = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        part: bytes = unpacker.process(packed, output_buffer_limit=limit + 1)
        while part:
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLargeError("the unpacked body is too large")
            part = unpacker.process(b"", output_buffer_limit=limit + 1 - size)
    except brotli.error:
        return None
    return b"".join(parts) if unpacker.is_finished() else None


def _from_lz64(packed: bytes, limit: int) -> bytes | None:
    from functions.capture.wire import lz64

    try:
        text = lz64.unpacked(packed.strip(_WHITE), limit)
    except lz64.MalformedError:
        return None
    except lz64.BeyondLimitError:
        raise TooLargeError("the unpacked body is too large") from None
    return text if _OPENS_JSON.match(text) else None


def _check(text: bytes, limit: int) -> None:
    if len(text) > limit:
        raise TooLargeError("the unpacked body is too large")


def _is_form(packed: bytes, content_type: str) -> bool:
    """A form is known by its type, or by its first field where a client forgot to say so."""
    if content_type.partition(";")[0].strip().lower() == _FORM:
        return _OPENS_FORM.match(packed) is not None
    return packed.startswith(b"data=")


def _from_form(packed: bytes) -> tuple[bytes, str]:
    """The field `data`, and `compression` where it is there."""
    from urllib.parse import parse_qsl

    try:
        fields = dict(parse_qsl(packed, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise UnreadableError("the form has too many fields") from None
    text = fields.get(b"data")
    if text is None:
        # Base64 ends in = and then looks like a form of one empty field.
        if _from_base64(packed) is not None:
            return packed, ""
        raise UnreadableError("expected form data in POST request payload")
    if not text:
        raise EmptyBodyError("request missing data payload")
    return _with_plus(text), fields.get(b"compression", b"").decode("ascii", "replace").lower()


def _with_plus(text: bytes) -> bytes:
    """Base64 in a form or a query, whose + were read as blanks; JSON keeps its blanks."""
    return text if _OPENS_JSON.match(text) else text.strip(_WHITE).replace(b" ", b"+")


def _from_base64(text: bytes) -> bytes | None:
    """What strict base64 stands for, padded or not, in either alphabet; None when it is not base64."""
    text = text.translate(_URL_SAFE, _WHITE).rstrip(b"=")
    if len(text) % 4 == 1 or not text:
        return None
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None
