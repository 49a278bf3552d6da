"""Reads JSON that is not quite JSON, so that one bad event does not take its batch with it.

The slow way, for bodies the fast reader has refused: NaN, halves of characters, bytes that are
no UTF-8, hundreds of levels, a body cut off or broken in the middle. Guesses no value: a part is
read exactly, or kept as it came. The work is bounded whatever the body.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass

_MOST_SCANNED = 4 * 1024 * 1024
"""Characters looked at, in all, for the end of what cannot be read; what is left then is kept in one piece."""
_FAILURE_COSTS = 1_000
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]', re.DOTALL)
_NEXT_EVENT = re.compile(r'\}(?=\s*+,\s*+(\{)\s*+")')
_BATCH_ENDS = re.compile(
    # Possessive: blanks, once passed, are not given back, or a body of blanks would take time by its square.
    r'\}(?=\s*+\](?:\s*+\}?+\s*+\Z|\s*+,\s*+"(?:api_key|token|sent_at|created_at|historical_migration)"\s*+:))'
)
_BLANKS = re.compile(r"[ \t\r\n,]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_WIDEST_INTEGER = 20


@dataclass(frozen=True, slots=True)
class Fragment:
    """One event of a batch that could not be read: its text as it came, and why."""

    text: bytes
    reason: str


@dataclass(slots=True)
class Salvaged:
    """What could be read of a body: an object, an array, or None where not even its outline was clear.

    In an array, and in an object's `batch`, `Fragment`s stand for unreadable elements. `broken`
    and `rest` are why and from where on nothing could be read.
    """

    body: object
    broken: str = ""
    rest: bytes = b""


def salvaged(raw: bytes) -> Salvaged:
    """As much of a body as can be read. Never raises."""
    text = _text_of(raw)
    try:
        return Salvaged(_DECODER.decode(text))
    except (ValueError, RecursionError) as error:
        reason = _reason_of(error)
    pieces = _Pieces(text)
    at = _blanks(text, 0)
    if text[at : at + 1] == "[":
        elements, end = pieces.array(at + 1)
        rest = b"" if end is not None else _bytes_of(text[pieces.stopped :])
        return Salvaged(elements, reason if rest.strip() else "", rest)
    if text[at : at + 1] != "{":
        return Salvaged(None, reason, raw)
    members = pieces.members(at + 1)
    if "batch" not in members:
        return Salvaged(members, reason, raw)
    rest = b"" if pieces.stopped is None else _bytes_of(text[pieces.stopped :])
    return Salvaged(members, reason if rest.strip() else "", rest)


def _text_of(raw: bytes) -> str:
    """The text; bytes that are no UTF-8 become U+FFFD and touch nothing else."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def _integer(digits: str) -> int | float:
    """Beyond 64 bits JSON's readers take a number for a fraction, PostHog's too."""
    if len(digits) <= _WIDEST_INTEGER:
        number = int(digits)
        if -(2**63) <= number < 2**64:
            return number
    return float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer, strict=False)


@dataclass(slots=True)
class _Pieces:
    """A broken text, read piece by piece. `stopped` is where an array could not be followed any further."""

    text: str
    stopped: int | None = None
    budget: int = _MOST_SCANNED
    reason: str = ""

    def members(self, at: int) -> dict[str, object]:
        """An object's members, as far as they can be read; `batch` element by element."""
        found: dict[str, object] = {}
        while True:
            key, end = self._value(_blanks(self.text, at))
            colon = None if end is None else _COLON.match(self.text, end)
            if colon is None or not isinstance(key, str):
                return found
            if key == "batch" and self.text[colon.end() : colon.end() + 1] == "[":
                found[key], end = self.array(colon.end() + 1)
                if end is None:
                    return found
            else:
                value, end = self._value(colon.end())
                if end is None:
                    end = self._end_of(colon.end())
                    if end is None:
                        return found
                else:
                    found[key] = value
            at = end

    def array(self, at: int) -> tuple[list[object], int | None]:
        """An array's elements, and where it ended; None where it did not, and then `stopped` says how far it went."""
        elements: list[object] = []
        while True:
            at = _blanks(self.text, at)
            if self.text[at : at + 1] == "]":
                return elements, at + 1
            self.reason = "trailing characters"
            element, end = self._value(at)
            if end is None or not self._is_followed(end):
                reason, end = self.reason, self._end_of(at)
                if end is None:
                    self.stopped = at
                    return elements, None
                element = Fragment(_bytes_of(self.text[at:end]), reason)
            elements.append(element)
            at = end

    def _value(self, at: int) -> tuple[object, int | None]:
        try:
            return _DECODER.raw_decode(self.text, at)
        except (ValueError, RecursionError) as error:
            # A failure counts the lines before it.
            self.budget -= at // 256
            self.reason = _reason_of(error)
            return None, None

    def _is_followed(self, end: int) -> bool:
        """Whether what follows an element is what may follow one."""
        after = self.text[end : end + 100].lstrip(" \t\r\n")[:1]
        return after in {",", "]", ""}

    def _end_of(self, at: int) -> int | None:
        """Where a value that cannot be read ends: by its brackets, or where the next event begins."""
        self.budget -= _FAILURE_COSTS
        return None if self.budget <= 0 else self._closing(at) or self._before_next(at)

    def _closing(self, at: int) -> int | None:
        depth = 0
        end = at
        for token in _BRACKET.finditer(self.text, at, at + self.budget):
            first = token.group()[0]
            if depth == 0 and first in ",]}":
                end = token.start()
                break
            end = token.end()
            if first in "[{":
                depth += 1
            elif first in "]}":
                depth -= 1
                if depth == 0:
                    break
        self.budget -= end - at
        return end if depth == 0 and end > at and self._is_followed(end) else None

    def _before_next(self, at: int) -> int | None:
        """Where the next event can be read, or else where the batch itself goes on."""
        for gap in _NEXT_EVENT.finditer(self.text, at, at + self.budget):
            candidate, end = self._value(gap.start(1))
            if isinstance(candidate, dict) and isinstance(candidate.get("event"), str) and end is not None:
                return gap.end()
            if self.budget <= 0:
                return None
        last = _BATCH_ENDS.search(self.text, at, at + self.budget)
        return None if last is None else last.end()


def _blanks(text: str, at: int) -> int:
    """Past blanks, and past commas where one too many stands."""
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _reason_of(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "recursion limit exceeded"
    if isinstance(error, json.JSONDecodeError):
        # Some of its messages end in "at" themselves.
        return f"{error.msg.removesuffix(' at')} at line {error.lineno} column {error.colno}"
    return "number out of range"
