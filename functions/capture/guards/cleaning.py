"""Changing an event's properties where personal data was found: in place, at any depth, without recursion.

Owns what becomes of each finding and the words for it; which properties are looked at is decided in `privacy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from functions.capture.guards import personal_data
from functions.capture.guards.personal_data import Found, Hint
from functions.capture.guards.replacing import masked, plain
from hedgerow.capture_rules import PrivacyAction, PrivacyKind

Mark = Callable[[str], None]
Hashed = Callable[[str], str]

VERBS: dict[PrivacyAction, str] = {"report": "reported", "mask": "masked", "hash": "hashed", "drop": "dropped"}
MOST_SEEN = 8_192


class _Gone(Enum):
    GONE = 0


_GONE: Final = _Gone.GONE


class Seen:
    """What was found in texts met before, by the texts' hashes: no text is kept, whatever stood in it.

    Python's hash has 64 bits under a key of this process, so that two texts are taken for one
    less than once in 10^14 looks, and nobody outside can aim at it. Shared by all connections:
    what stands in a text does not depend on rules.
    """

    __slots__ = ("clean", "found")

    def __init__(self) -> None:
        self.clean: set[int] = set()
        self.found: dict[int, tuple[PrivacyKind, ...]] = {}

    def kinds_in(self, text: str) -> tuple[PrivacyKind, ...]:
        """The kinds found in a text, each once; looked for at the first time only."""
        mark = hash(text)
        if mark in self.clean:
            return ()
        known = self.found.get(mark)
        if known is not None:
            return known
        if len(text) < personal_data.SHORTEST_OF_LETTERS and text.isidentifier():
            if text.isalpha():
                self._keep_clean(mark)  # A word comes again; an id such as `ord_18273` hardly ever.
            return ()
        kinds = kinds_of(personal_data.found(text))
        if not kinds:
            self._keep_clean(mark)
            return ()
        if len(self.found) >= MOST_SEEN:
            self.found.clear()
        self.found[mark] = kinds
        return kinds

    def _keep_clean(self, mark: int) -> None:
        if len(self.clean) >= MOST_SEEN:
            self.clean.clear()
        self.clean.add(mark)


def kinds_of(spans: list[Found]) -> tuple[PrivacyKind, ...]:
    """The kinds of these findings, each once."""
    return tuple(dict.fromkeys(span.kind for span in spans)) if spans else ()


class Cleaner:
    """The rules of one connection, ready to be applied to parts of an event."""

    def __init__(
        self,
        actions: Mapping[PrivacyKind, PrivacyAction],
        exempt: frozenset[str],
        hashed: Hashed | None,
        seen: Seen,
    ) -> None:
        self.actions = actions
        self.exempt = exempt
        self.hashed = hashed
        self.seen = seen
        self.changing = frozenset(kind for kind, action in actions.items() if action in ("mask", "hash", "drop"))
        self._hints: dict[str, Hint] = {}

    def over(self, mark: Mark, changes: list[str]) -> Cleaning:
        """Work on one event: `mark` counts, `changes` takes the words."""
        return Cleaning(self, mark, changes)

    def hint_of(self, name: str) -> Hint:
        """`personal_data.hint_of`, remembered for short names, as those of properties are."""
        hint = self._hints.get(name)
        if hint is None:
            hint = personal_data.hint_of(name)
            if len(name) <= 64:
                if len(self._hints) >= MOST_SEEN:
                    self._hints.clear()
                self._hints[name] = hint
        return hint


class Cleaning:
    """One event under a `Cleaner`: entries are handed in, containers in them are walked to the end."""

    def __init__(self, cleaner: Cleaner, mark: Mark, changes: list[str]) -> None:
        self._cleaner = cleaner
        self._mark = mark
        self._changes = changes
        self._waiting: list[tuple[dict[str, Any] | list[Any], str]] = []

    def entries(self, holder: dict[str, Any], names: list[str]) -> None:
        """Look at these entries of a mapping and at everything below them."""
        for name in names:
            self._entry(holder, name, name)
        self._walk()

    def whole(self, holder: dict[str, Any] | list[Any], top: str) -> None:
        """Look at everything in a container, which stands in the property `top`."""
        self._waiting.append((holder, top))
        self._walk()

    def _walk(self) -> None:
        # Last in, first out: the order does not matter, the depth of the event then costs no stack.
        while self._waiting:
            holder, top = self._waiting.pop()
            if isinstance(holder, dict):
                for name in list(holder):
                    self._entry(holder, name, top)
            else:
                self._elements(holder, top)

    def _entry(self, holder: dict[str, Any], name: str, top: str) -> None:
        if name in self._cleaner.exempt:
            return
        named = self._text(name, "", top)
        if named is _GONE:
            del holder[name]
            return
        if named is not name:
            name = _renamed(holder, name, named)
        value = holder[name]
        kept = self._value(value, self._cleaner.hint_of(name), top)
        if kept is _GONE:
            del holder[name]
        elif kept is not value:
            holder[name] = kept

    def _elements(self, holder: list[Any], top: str) -> None:
        is_shorter = False
        for place, value in enumerate(holder):
            kept = self._value(value, "", top)
            if kept is not value:
                holder[place] = kept
                is_shorter = is_shorter or kept is _GONE
        if is_shorter:
            holder[:] = [value for value in holder if value is not _GONE]

    def _value(self, value: Any, hint: Hint, top: str) -> Any:
        if isinstance(value, str):
            return self._text(value, hint, top)
        if isinstance(value, dict | list):
            self._waiting.append((value, top))
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return self._number(value, hint, top)
        return value

    def _number(self, value: int, hint: Hint, top: str) -> Any:
        kind: PrivacyKind | None = None
        if personal_data.is_card(value):
            kind = "card"
        elif hint == "phone" and 10**6 <= value < 10**15:
            kind = "phone"
        if kind is None:
            return value
        written = str(value)
        kept = self._replaced(written, [Found(0, len(written), kind)], top)
        return value if kept is written else kept

    def _text(self, text: str, hint: Hint, top: str) -> str | _Gone:
        """The text as it may stay, the same object where nothing changes."""
        if not hint:
            kinds = self._cleaner.seen.kinds_in(text)
            if not kinds:
                return text
            if self._cleaner.changing.isdisjoint(kinds):
                for kind in kinds:
                    self._count(kind)
                return text
        spans = personal_data.found(text, hint)
        return self._replaced(text, spans, top) if spans else text

    def _replaced(self, text: str, spans: list[Found], top: str) -> str | _Gone:
        kinds = kinds_of(spans)
        actions = self._cleaner.actions
        dropped = [kind for kind in kinds if actions[kind] == "drop"]
        for kind in dropped or kinds:
            self._count(kind)
            if kind in self._cleaner.changing:
                self._say(kind, top)
        if dropped:
            return _GONE
        pieces: list[str] = []
        end = 0
        for span in spans:
            if span.kind in self._cleaner.changing:
                pieces += (text[end : span.start], self._instead(span.kind, text[span.start : span.end]))
                end = span.end
        return "".join((*pieces, text[end:])) if end else text

    def _instead(self, kind: PrivacyKind, text: str) -> str:
        if self._cleaner.actions[kind] == "mask" or self._cleaner.hashed is None:
            return masked(kind, text)
        return self._cleaner.hashed(plain(kind, text))

    def _count(self, kind: PrivacyKind) -> None:
        action = self._cleaner.actions[kind]
        if action != "off":
            self._mark(f"privacy.{kind}.{VERBS[action]}")

    def _say(self, kind: PrivacyKind, top: str) -> None:
        # A name that is personal data itself is not repeated, whatever was done to it.
        where = f"`{top[:80]}`" if not self._cleaner.seen.kinds_in(top) else "a property"
        said = f"privacy: {kind} {VERBS[self._cleaner.actions[kind]]} in {where}"
        if said not in self._changes:
            self._changes.append(said)


def _renamed(holder: dict[str, Any], name: str, wanted: str) -> str:
    """Rename an entry where it stands; two names that come out alike are told apart."""
    while wanted in holder:
        wanted += "•"
    entries = [(wanted if each == name else each, value) for each, value in holder.items()]
    holder.clear()
    holder.update(entries)
    return wanted
