"""Records made for the stores' contract: one of every field type, one of every index form."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from hedgerow.parts import Part
from hedgerow.records import Index, Instant, Record

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


class Colour(StrEnum):
    """Strings with names."""

    GREEN = "green"
    RED = "red"


class Berry(Part):
    """A part, with a part's own optional fields."""

    name: str
    seeds: bytes = b""
    picked_at: Instant | None = None


class Everything(Record):
    """A field of every type a record may have."""

    collection = "everything"
    indexes = (Index("maybe"),)

    text: str = ""
    number: int = 0
    real: float = 0.0
    yes: bool = False
    raw: bytes = b""
    at: Instant = NOON
    day: date = date(2026, 3, 29)
    span: timedelta = timedelta()
    maybe: str | None
    maybe_number: int | None = 7
    state: Literal["open", "closed"] = "open"
    colour: Colour = Colour.GREEN
    days: tuple[date, ...] = ()
    words: tuple[str, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    by_day: dict[date, float] = Field(default_factory=dict)
    berry: Berry | None = None
    berries: tuple[Berry, ...] = ()
    basket: dict[str, Berry] = Field(default_factory=dict)


class Leaf(Record):
    """A record with an index of every form."""

    collection = "leaves"
    indexes = (
        Index("tree", "-at"),
        Index("tree"),
        Index("height"),
        Index("-weight"),
        Index("green", "tree", "height"),
        Index("tree", "-height", "name"),
        Index("day", "-height", "tree"),
        Index("green", "-weight"),
    )

    tree: str = "oak"
    at: Instant | None = None
    height: int = 0
    weight: float | None = None
    green: bool = True
    name: str = ""
    day: date | None = None


def leaves(number: int, seed: int = 3) -> list[Leaf]:
    """Leaves with many ties and gaps, the same ones for the same seed, in no order."""
    dice = random.Random(seed)
    return [
        Leaf(
            id=f"leaf_{dice.randrange(16**8):08x}",
            tree=dice.choice(["oak", "elm", "öl", "Oak"]),
            at=dice.choice(
                [None, NOON + timedelta(microseconds=dice.randrange(4)), NOON - timedelta(days=dice.randrange(9))]
            ),
            height=dice.randrange(-3, 4),
            weight=dice.choice([None, -1.5, 0.0, 2.25, 1e9]),
            green=dice.random() < 0.5,
            name=dice.choice(["a", "b", "ä", "\U0001f33f", "\uffee"]),
            day=dice.choice([None, date(2026, 1, dice.randrange(1, 5))]),
        )
        for _ in range(number)
    ]
