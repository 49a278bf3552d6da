"""LZ-String's Base64 form, in which browsers of long ago compressed events, unpacked within a limit.

The public library unpacks without one, and a body of a megabyte can unpack to terabytes. Only reads.
"""

from __future__ import annotations

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SIXES = {byte: position for position, byte in enumerate(_ALPHABET)} | {ord("-"): 62, ord("_"): 63}
MOST_BYTES = 2 * 1024 * 1024
"""The largest body that is unpacked: PostHog's own limit on the paths such browsers used."""
_BYTE, _UNIT, _END = 0, 1, 2


class MalformedError(ValueError):
    """The text is not LZ-String's."""


class BeyondLimitError(ValueError):
    """It is larger than allowed, packed or unpacked."""


class _Bits:
    """Six bits a character, the highest first; a number's lowest bit comes first."""

    def __init__(self, text: bytes) -> None:
        self._sixes = iter(text)
        self._held = 0
        self._count = 0

    def take(self, width: int) -> int:
        while self._count < width:
            six = _SIXES.get(next(self._sixes, 0))
            if six is None:
                raise MalformedError("The text ends before its end mark.")
            self._held = self._held << 6 | six
            self._count += 6
        self._count -= width
        highest_first = self._held >> self._count
        self._held &= (1 << self._count) - 1
        return int(f"{highest_first:0{width}b}"[::-1], 2)


def unpacked(text: bytes, limit: int) -> bytes:
    """What was packed, as UTF-8. Raises MalformedError and BeyondLimitError; `limit` in bytes."""
    if len(text) > MOST_BYTES:
        raise BeyondLimitError("The packed text is too long.")
    bits = _Bits(text)
    entries: list[str] = ["", "", ""]
    parts: list[str] = []
    previous, width, size = "", 2, 0
    while True:
        code = bits.take(width)
        if code == _END:
            break
        if code in {_BYTE, _UNIT}:
            entries.append(chr(bits.take(16 if code == _UNIT else 8)))
            entry = entries[-1]
        elif code < len(entries):
            entry = entries[code]
        elif code == len(entries) and previous:
            entry = previous + previous[0]
        else:
            raise MalformedError("A code stands for nothing.")
        size += len(entry)
        if size > limit:
            raise BeyondLimitError("The unpacked text is too long.")
        parts.append(entry)
        if previous:
            entries.append(previous + entry[0])
        previous = entry
        width = (len(entries)).bit_length()
    units = "".join(parts).encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace").encode()
