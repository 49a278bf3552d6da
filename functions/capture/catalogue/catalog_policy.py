"""What a violation of the catalogue costs an event: nothing, a tag, or its delivery; and the words for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.events import Aside
from hedgerow.foreign import printable
from hedgerow.models import Trouble

if TYPE_CHECKING:
    from functions.capture.events import Frozen
    from hedgerow.capture_rules import EventPolicy

TAG = "$hedgerow_violations"
UNKNOWN = "unknown_event"
MOST_LABEL_CHARACTERS = 120
_WORDS = {
    "missing": "`{}` is missing",
    "type": "`{}` is of another type than the catalogue says",
    "enum": "`{}` is none of the values the catalogue names",
}
_HINT = "Mend the event or the catalogue; what was parked can then be redelivered."


def said(words: list[str]) -> str:
    """Violations as a sentence's end, without any value."""
    told = []
    for word in words:
        kind, _, name = word.partition(":")
        told.append(_WORDS[kind].format(printable(name)) if kind in _WORDS else "the catalogue does not know it")
    return ", ".join(told)


def carried_out(policy: EventPolicy, event: Frozen, words: list[str]) -> Aside | None:
    """What the policy says, done to an event with these violations."""
    if policy == "tag":
        properties = event.body.setdefault("properties", {})
        if type(properties) is dict:
            properties[TAG] = words
            event.changes.append("violations of the catalogue tagged")
        return None
    if policy == "observe":
        return None
    code = "catalog_unknown" if words == [UNKNOWN] else "catalog_refused"
    return Aside("dead", Trouble(code=code, detail=f"{short(event.name)} was refused: {said(words)}.", hint=_HINT))


def short(text: str) -> str:
    """A name of others, fit for a mark or a sentence."""
    return printable(text[:MOST_LABEL_CHARACTERS])
