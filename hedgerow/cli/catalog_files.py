"""The catalogue and events as files on the laptop: read whole, with the line a fault is in; written whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.capture_rules import CatalogRules

CATALOG_FILE = Path("catalog.json")


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a file. `event` is whatever JSON stood there; `broken` says why it could not be read."""

    place: str
    event: object = None
    broken: str = ""


def read_catalog(file: Path) -> CatalogRules:
    """The catalogue in a file; a stop that says what is wrong with it. Version 0: the file names none."""
    from functions.capture.catalogue import catalog_shape
    from hedgerow.errors import RefusedError

    try:
        document = json.loads(_text(file))
    except ValueError as error:
        raise Stop(FAILED, f"{file} is not JSON: {error}.") from None
    try:
        form = catalog_shape.read(document)
    except RefusedError as refusal:
        raise Stop(FAILED, f"{file}: {refusal.detail}", code=refusal.code, hint=refusal.hint) from None
    return catalog_shape.rules_of(form, form.version or 0)


def write_catalog(file: Path, rules: CatalogRules) -> None:
    """The catalogue as `push` sends it."""
    from functions.capture.catalogue.catalog_shape import document_of

    document = document_of(rules)
    write(file, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def write(file: Path, text: str) -> None:
    """A file's whole text."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(FAILED, f"{file} cannot be written: {error.strerror}.") from None


def read_events(file: Path) -> list[Line]:
    """The events of a file: JSON lines, or one JSON document that is an event, a list, or a batch."""
    text = _text(file)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return [_line(f"{file}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    events = document
    if isinstance(document, dict) and "event" not in document:
        events = document.get("batch", document.get("events", document))
    if isinstance(events, list):
        return [Line(f"{file}[{number}]", event) for number, event in enumerate(events)]
    return [Line(f"{file}:1", events)]


def _line(place: str, text: str) -> Line:
    try:
        return Line(place, json.loads(text))
    except (ValueError, RecursionError):
        return Line(place, broken="is not JSON")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Stop(FAILED, f"{file} is not UTF-8 text.") from None
    except OSError as error:
        hint = "hedgerow catalog pull writes one." if file == CATALOG_FILE else ""
        raise Stop(USAGE, f"{file} cannot be read: {error.strerror}.", hint=hint) from None
