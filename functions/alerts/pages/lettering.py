"""Letters on a chart, in the font that comes with Pillow: no machine's own fonts, so that every machine draws the same.

An accent the font does not have is dropped from its letter, and a letter it does not have
is left out, whatever script it is of; a text that is too long ends in an ellipsis.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

ELLIPSIS = "…"
MOST_CHARACTERS = 200
# What the font lacks and numbers need, in letters it has.
INSTEAD = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "‑": "-", "≥": ">=", "≤": "<=", "≠": "!=", "→": "->", "×": "x", "µ": "u", "μ": "u"}
    | {"€": "EUR ", "£": "GBP ", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ł": "l", "Ł": "L", "ı": "i"}
)


class Lettering:
    """Two sizes of one font: labels and the title, in pixels."""

    def __init__(self, label: int, title: int) -> None:
        self._label = _font(label)
        self._title = _font(title)

    def width(self, text: str) -> float:
        """How wide a label is."""
        return self._label.getlength(_known(text))

    def left(self, image: Image, x: float, y: float, text: str, colour: str) -> None:
        """A label that begins at x, its middle at y."""
        self._write(image, (x, y), _known(text), colour, self._label, "lm")

    def right(self, image: Image, x: float, y: float, text: str, colour: str) -> None:
        """A label that ends at x."""
        self._write(image, (x, y), _known(text), colour, self._label, "rm")

    def centred(self, image: Image, x: float, y: float, text: str, colour: str) -> None:
        """A label around x."""
        self._write(image, (x, y), _known(text), colour, self._label, "mm")

    def title(self, image: Image, x: float, y: float, text: str, width: float, colour: str) -> None:
        """A heading no wider than `width`."""
        self._write(image, (x, y), _cut(_known(text), self._title, width), colour, self._title, "lm")

    def _write(
        self, image: Image, at: tuple[float, float], text: str, colour: str, font: FreeTypeFont, anchor: str
    ) -> None:
        from PIL import ImageDraw

        ImageDraw.Draw(image).text(at, text, fill=colour, font=font, anchor=anchor)


@cache
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, so it has no letters to scale")
    return font


@cache
def _has(character: str) -> bool:
    """Whether the font draws this character: one it lacks is drawn as its box for the unknown."""
    if not character.isprintable():
        return False
    font = _font(20)
    return character == " " or bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))


def _known(text: str) -> str:
    plain = " ".join(text[:MOST_CHARACTERS].translate(INSTEAD).split())
    return " ".join("".join(_nearest(character) for character in plain).split())


def _nearest(character: str) -> str:
    """The character, the letters it is made of, or nothing."""
    if _has(character):
        return character
    parts = unicodedata.normalize("NFKD", character) if character.isalpha() else ""
    return "".join(part for part in parts if _has(part))


def _cut(text: str, font: FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    ending = ELLIPSIS if _has(ELLIPSIS) else "..."
    while text and font.getlength(text + ending) > width:
        text = text[:-1].rstrip()
    return text + ending
