"""Reading a catalogue that somebody wrote: its form, its limits, what contradicts itself. Pure.

Refuses with `InvalidError`, naming the place; the command line checks files with it as the server does.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.capture.catalogue.catalog import TAG, fits
from hedgerow.capture_rules import CatalogRules, EventPolicy, EventRule, Naming, PropertyRule, PropertyType
from hedgerow.errors import InvalidError, OversizedError
from hedgerow.foreign import UNPRINTABLE
from hedgerow.key_shapes import without_keys

MOST_EVENTS = 500
MOST_PROPERTIES = 100
MOST_VALUES = 100
# The record it becomes a part of holds the guards' rules too, and Firestore takes a mebibyte.
MOST_BYTES = 512 * 1024
# What GET says of a catalogue beside it.
TOLD = frozenset({"default", "updated_at"})

Name = Annotated[str, Field(min_length=1, max_length=200)]
Value = str | int | float | bool


class _Form(BaseModel):
    # A misspelt word must not silently switch a rule off.
    model_config = ConfigDict(frozen=True, extra="forbid")


class PropertyForm(_Form):
    """One property."""

    type: PropertyType = "any"
    required: bool = False
    enum: Annotated[tuple[Value, ...], Field(min_length=1, max_length=MOST_VALUES)] | None = None
    description: Annotated[str, Field(max_length=1_000)] = ""


class EventForm(_Form):
    """One event."""

    name: Name
    description: Annotated[str, Field(max_length=1_000)] = ""
    owner: Annotated[str, Field(max_length=200)] = ""
    policy: EventPolicy = "observe"
    properties: Annotated[dict[Name, PropertyForm], Field(max_length=MOST_PROPERTIES)] = Field(default_factory=dict)


class CatalogForm(_Form):
    """A whole catalogue as `PUT` takes it; `version` is the one it was made from."""

    version: Annotated[int, Field(ge=1)] | None = None
    naming: Naming = "report"
    unknown: EventPolicy = "observe"
    events: Annotated[tuple[EventForm, ...], Field(max_length=MOST_EVENTS)]


def read(document: object) -> CatalogForm:
    """The catalogue in a decoded JSON document; `InvalidError` says what is wrong with it, and where.

    What GET answered may come back as it is: the fields that only tell are left out.
    """
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if name not in TOLD}
    try:
        form = CatalogForm.model_validate(document)
    except ValidationError as error:
        raise _refusal(error) from None
    twice = [name for name, number in Counter(event.name for event in form.events).items() if number > 1]
    if twice:
        raise _invalid("events", f"names {_shown(twice[0])} twice")
    for event in form.events:
        _consistent(event)
    size = len(json.dumps(form.model_dump(mode="json"), ensure_ascii=False).encode())
    if size > MOST_BYTES:
        raise OversizedError(
            f"The catalogue is {size} bytes; up to {MOST_BYTES} are kept.", hint="Shorten its descriptions."
        )
    return form


def rules_of(form: CatalogForm, version: int = 1) -> CatalogRules:
    """The form as rules."""
    return CatalogRules(
        version=version,
        naming=form.naming,
        unknown=form.unknown,
        events=tuple(
            EventRule(
                name=event.name,
                description=event.description,
                owner=event.owner,
                policy=event.policy,
                properties={
                    name: PropertyRule(
                        type=each.type, required=each.required, enum=each.enum, description=each.description
                    )
                    for name, each in event.properties.items()
                },
            )
            for event in form.events
        ),
    )


def document_of(rules: CatalogRules) -> dict[str, object]:
    """The rules as the document that `read` takes, without what says nothing."""
    events = []
    for rule in rules.events:
        properties = {
            name: {"type": each.type}
            | ({"required": True} if each.required else {})
            | ({"enum": list(each.enum)} if each.enum is not None else {})
            | ({"description": each.description} if each.description else {})
            for name, each in rule.properties.items()
        }
        told = {name: text for name in ("description", "owner") if (text := getattr(rule, name))}
        events.append({"name": rule.name, **told, "policy": rule.policy, "properties": properties})
    return {"version": rules.version, "naming": rules.naming, "unknown": rules.unknown, "events": events}


def _consistent(event: EventForm) -> None:
    where = f"events[{_shown(event.name)}]"
    if event.name != event.name.strip() or UNPRINTABLE.search(event.name):
        raise _invalid(where, "begins or ends with a space, or holds a control character")
    for name, each in event.properties.items():
        place = f"{where}.properties[{_shown(name)}]"
        if UNPRINTABLE.search(name):
            raise _invalid(place, "holds a control character")
        if name == TAG:
            raise _invalid(place, "is the property Hedgerow writes itself")
        if each.enum is None:
            continue
        if any(isinstance(value, float) and not math.isfinite(value) for value in each.enum):
            raise _invalid(place, "names a value that is no number")
        if not all(fits(each.type, value) for value in each.enum):
            raise _invalid(place, f"is of type {each.type}, and its enum names a value that is not")
        if len({(type(value) is bool, value) for value in each.enum}) < len(each.enum):
            raise _invalid(place, "names a value of its enum twice")


def _refusal(error: ValidationError) -> InvalidError:
    first = error.errors(include_input=False, include_url=False)[0]
    loc = [str(part) for part in first["loc"]]
    words = {
        "extra_forbidden": "is no word of a catalogue",
        "missing": "is missing",
        "model_type": "is no JSON object",
        "dict_type": "is no JSON object",
        "string_unicode": "holds half a character",
    }
    why = words.get(first["type"]) or f"cannot be used: {first['msg'][:1].lower()}{first['msg'][1:]}"
    if len(loc) > 6 and loc[4] == "enum":
        # The members of the union of what a value may be follow it; none of them is the writer's word.
        loc, why = loc[:6], "is neither text, nor a number, nor true or false"
    return _invalid(without_keys(".".join(loc))[:200] or "catalog", why)


def _invalid(where: str, why: str) -> InvalidError:
    return InvalidError(f"`{where}` {why}.", code="catalog_invalid", members={"field": where})


def _shown(name: str) -> str:
    return without_keys(UNPRINTABLE.sub(" ", name))[:100]
