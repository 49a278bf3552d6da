"""A payload's bytes: gzip of PostHog's own batch, with seams before and behind its events.

At the seams a payload can be taken apart and joined with others of the same project into
one gzip, without unpacking any: deflate's blocks are bytes, and a sum over two texts
follows from the sums over each. What has no seams is not joined, and still a payload.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache

from hedgerow.deliveries import packed_batch

_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_SEAM = b"\x00\x00\xff\xff"
"""How a flushed piece of deflate ends: on a byte, with nothing behind it that looks back."""
_COMMA = b"\x00\x01\x00\xfe\xff,"
"""A block of deflate that is one comma."""
_TAIL = b"]}"
_MOST_TIMES = 1_100
"""Deflate packs no tighter: a length beyond it is not one."""
_SUMS = struct.Struct("<II")
_BLOCK = bytes(256)
_POLYNOMIAL = 0xEDB88320
_ONES = 0xFFFFFFFF
_ONE = 1 << 31


def packed_payload(token: str, events: bytes, *, historical: bool) -> bytes:
    """The payload of events that are JSON already, joined by commas."""
    opening, begun = _opening(token, historical=historical)
    size = len(packed_batch(token, b"", historical=historical)) + len(events)
    sums = _SUMS.pack(zlib.crc32(_TAIL, zlib.crc32(events, begun)), size & _ONES)
    return b"".join((opening, _piece(events), _closing(), sums))


def joined(token: str, payloads: Sequence[bytes], *, historical: bool) -> bytes | None:
    """One gzip of one batch with the events of all, in turn; None when one of them has no seams or is another's."""
    opening, begun = _opening(token, historical=historical)
    closing = _closing()
    begin, end = len(opening), len(closing) + _SUMS.size
    size_around = len(packed_batch(token, b"", historical=historical))
    pieces, check, size = [opening], begun, size_around
    for payload in payloads:
        # The seam before the closing must be one of the events', not the opening's.
        if not (payload.startswith(opening) and payload.endswith(_SEAM + closing, begin, -_SUMS.size)):
            return None
        whole, length = _SUMS.unpack_from(payload, len(payload) - _SUMS.size)
        length = (length - size_around) & _ONES
        if not 0 < length < _MOST_TIMES * len(payload):
            return None
        if len(pieces) > 1:
            pieces.append(_COMMA)
            check, size = zlib.crc32(b",", check), size + 1
        # `whole` without the tail is the sum over opening and events; the opening's part of it gives way to ours.
        check = _shifted(check ^ begun, length) ^ _without_tail(whole)
        size += length
        pieces.append(payload[begin:-end])
    pieces += [closing, _SUMS.pack(zlib.crc32(_TAIL, check), size & _ONES)]
    return b"".join(pieces)


@lru_cache(maxsize=256)
def _opening(token: str, *, historical: bool) -> tuple[bytes, int]:
    """Everything before the events, compressed, and the sum over it."""
    head = packed_batch(token, b"", historical=historical).removesuffix(_TAIL)
    return _GZIP + _piece(head), zlib.crc32(head)


@lru_cache(maxsize=1)
def _closing() -> bytes:
    """Everything behind the events but the sums."""
    last = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return last.compress(_TAIL) + last.flush()


def _piece(text: bytes) -> bytes:
    """Deflate that ends on a seam: fast, the same bytes for the same text."""
    piece = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return piece.compress(text) + piece.flush(zlib.Z_SYNC_FLUSH)


def _shifted(difference: int, length: int) -> int:
    """What the difference between two sums becomes once the same `length` bytes follow on both sides."""
    blocks, rest = divmod(length, len(_BLOCK))
    shifted = zlib.crc32(_BLOCK[:rest], difference ^ _ONES) ^ _ONES
    return _product(_power(blocks), shifted) if blocks else shifted


@lru_cache(maxsize=8_192)
def _power(blocks: int) -> int:
    """The polynomial x to the number of bits in so many blocks, modulo the sum's own."""
    if blocks == 1:
        return zlib.crc32(_BLOCK, _ONE ^ _ONES) ^ _ONES
    half = _power(blocks // 2)
    square = _product(half, half)
    return _product(square, _power(1)) if blocks % 2 else square


def _product(one: int, other: int) -> int:
    """The product of two polynomials modulo the sum's own, the highest power in the lowest bit."""
    product, bit = 0, _ONE
    while bit:
        if one & bit:
            product ^= other
        bit >>= 1
        other = (other >> 1) ^ _POLYNOMIAL if other & 1 else other >> 1
    return product


def _without_tail(check: int) -> int:
    """The sum over a text from the sum over the text and the tail."""
    backwards = _backwards()
    check ^= zlib.crc32(_TAIL)
    for _ in _TAIL:
        check = (check << 8 & _ONES) ^ backwards[check >> 24]
    return check


@lru_cache(maxsize=1)
def _backwards() -> tuple[int, ...]:
    """What takes a zero byte off a sum's end, by the sum's highest byte."""
    found = [0] * 256
    for low in range(256):
        longer = zlib.crc32(b"\0", low ^ _ONES) ^ _ONES
        found[longer >> 24] = (longer << 8 & _ONES) ^ low
    return tuple(found)
