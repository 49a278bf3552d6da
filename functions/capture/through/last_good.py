"""The last good answers of this process, by question, within a bound of bytes and of entries; the least used goes first.

An answer is fresh while PostHog said so, and good while it is not too old: the first is a
cache, the second what is given out while PostHog is away.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from functions.capture.through.passed_headers import accepts, first

if TYPE_CHECKING:
    from functions.capture.through.asking import Asked, Headers

OVERHEAD_BYTES = 600
MOST_UNPACKED_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Kept:
    """An answer of status 200 as PostHog gave it, when, until when it is fresh, and the headers it depends on."""

    headers: Headers
    body: bytes
    kept_at: datetime
    fresh_until: datetime
    vary: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> bytes:
        """Its tag; empty when it has none."""
        return first(self.headers, b"etag").strip()

    @property
    def encoding(self) -> bytes:
        """Its content encoding; empty when it is not encoded."""
        found = first(self.headers, b"content-encoding").strip().lower()
        return b"" if found == b"identity" else found

    @property
    def size(self) -> int:
        """What it takes of memory, nearly."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers) + OVERHEAD_BYTES

    def readable_by(self, asked: Asked) -> bool:
        """Can the client read it as it is?"""
        return not self.encoding or accepts(asked, self.encoding)


class LastGood:
    """Answers by question."""

    def __init__(self, most_bytes: int, most: int) -> None:
        self._most_bytes, self._most = most_bytes, most
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, question: str) -> Kept | None:
        """What was kept for this question, whatever its age."""
        kept = self._kept.get(question)
        if kept is not None:
            self._kept.move_to_end(question)
        return kept

    def keep(self, question: str, kept: Kept) -> None:
        """Keep it in place of the one before. One that would take an eighth of the room is not kept."""
        self.forget(question)
        if kept.size > self._most_bytes // 8:
            return
        self._kept[question] = kept
        self.held_bytes += kept.size
        while self.held_bytes > self._most_bytes or len(self._kept) > self._most:
            _, oldest = self._kept.popitem(last=False)
            self.held_bytes -= oldest.size

    def forget(self, question: str) -> None:
        """Drop what was kept, if anything was."""
        before = self._kept.pop(question, None)
        if before is not None:
            self.held_bytes -= before.size


def unpacked(body: bytes, encoding: bytes) -> bytes | None:
    """The body without its content encoding; None when it cannot be unpacked, is cut, or is too large."""
    if not encoding:
        return body
    if encoding not in {b"gzip", b"x-gzip"}:
        return None
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = unpack.decompress(body, MOST_UNPACKED_BYTES)
    except zlib.error:
        return None
    return text if unpack.eof else None


def age_of(kept: Kept, now: datetime) -> int:
    """Whole seconds since PostHog gave or confirmed it."""
    return max(0, int((now - kept.kept_at) / timedelta(seconds=1)))
