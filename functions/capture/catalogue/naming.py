"""How events are named: which convention a name follows, which one most names follow, which known name one resembles. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["noun.verb", "snake_case"]

_NOUN_VERB = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_BORDERS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

# Below this two names are two words, such as payment.failed and payment.completed.
LEAST_LIKENESS = 86.0
# Longer names are compared by their beginning: the work grows with the product of both lengths.
COMPARED_CHARACTERS = 100


def is_ours(name: str) -> bool:
    """Whether a convention applies: PostHog's own `$` names are exempt."""
    return name[:1] != "$"


def style_of(name: str) -> Style | None:
    """The convention a name follows. One word alone is snake_case."""
    if _NOUN_VERB.fullmatch(name):
        return "noun.verb"
    return "snake_case" if _SNAKE_CASE.fullmatch(name) else None


@dataclass(frozen=True, slots=True)
class Habit:
    """What most names follow; `style` None when there is no name, or no convention holds more than half of them."""

    style: Style | None
    share: float
    names: int


def habit_of(names: Iterable[str]) -> Habit:
    """The convention most of these names follow, each name counted once."""
    styles = [style_of(name) for name in set(names) if is_ours(name)]
    best: Style = "noun.verb" if styles.count("noun.verb") >= styles.count("snake_case") else "snake_case"
    if not styles or styles.count(best) * 2 <= len(styles):
        return Habit(None, 0.0, len(styles))
    return Habit(best, round(styles.count(best) / len(styles), 4), len(styles))


def lookalike(name: str, known: Sequence[str]) -> str | None:
    """The known name this one probably means: other separators, other case, words swapped, a slip of the keys."""
    from rapidfuzz import fuzz, process

    words = _words(name)
    if not words:
        return None
    choices = {each: _words(each) for each in known if each != name}
    best: tuple[float, str] | None = None
    for scorer in (fuzz.ratio, fuzz.token_sort_ratio):
        found = process.extractOne(words, choices, scorer=scorer, score_cutoff=LEAST_LIKENESS)
        if found is not None and (best is None or found[1] > best[0]):
            best = (found[1], found[2])
    return best[1] if best else None


def _words(name: str) -> str:
    return _BORDERS.sub(" ", name[:COMPARED_CHARACTERS]).strip().lower()
