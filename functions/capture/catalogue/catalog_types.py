"""What typed functions need of a catalogue, whatever the language: identifiers without collisions, properties in order. Pure.

The same catalogue gives the same text, whichever store it came from.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from functions.capture.catalogue.catalog_shipped import MONEY, PLATFORMS
from functions.capture.catalogue.naming import is_ours
from hedgerow.capture_rules import CatalogRules, EventRule, PropertyRule
from hedgerow.foreign import printable

# Names that are something else in Python, in JavaScript, or in what is written here.
# A method called `list` would be what `list` means in the rest of its class.
_TYPE_WORDS = ("str", "int", "float", "bool", "dict", "list", "object")
RESERVED_METHODS = frozenset({*keyword.kwlist, *_TYPE_WORDS, "constructor"})
RESERVED_ARGUMENTS = frozenset({*keyword.kwlist, "self", "distinct_id"})

_BORDERS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHERS = re.compile(r"[^0-9A-Za-z]+")
_NOT_OF_A_NAME = re.compile(r"[^0-9A-Za-z_]+")


@dataclass(frozen=True, slots=True)
class TypedProperty:
    """A property as an argument."""

    name: str
    argument: str
    rule: PropertyRule


@dataclass(frozen=True, slots=True)
class TypedEvent:
    """An event as a method: required properties first, each part by name."""

    name: str
    method: str
    description: str
    properties: tuple[TypedProperty, ...]


def typed(rules: CatalogRules) -> tuple[TypedEvent, ...]:
    """Every event, by name; what is recommended on it is an optional property."""
    methods = identifiers((rule.name for rule in rules.events), method_name, RESERVED_METHODS)
    return tuple(
        TypedEvent(rule.name, methods[rule.name], one_line(rule.description), _properties(rule))
        for rule in sorted(rules.events, key=lambda rule: rule.name)
    )


def identifiers(names: Iterable[str], spelt: Callable[[str], str], reserved: Collection[str]) -> dict[str, str]:
    """An identifier for each name, no two alike. Who is spelt like its identifier gets it; others are numbered."""
    ordered = sorted(set(names), key=lambda name: (spelt(name) != name, name))
    taken: set[str] = set(reserved)
    found: dict[str, str] = {}
    for name in ordered:
        wanted = spelt(name)
        given, number = (f"{wanted}_" if wanted in reserved else wanted), 2
        while given in taken:
            given, number = f"{wanted}_{number}", number + 1
        taken.add(given)
        found[name] = given
    return found


def method_name(name: str) -> str:
    """An event's name in snake_case: `payment.completed` and `PaymentCompleted` are both payment_completed."""
    return _begun(_OTHERS.sub("_", _BORDERS.sub("_", name)).strip("_").lower(), "event")


def argument_name(name: str) -> str:
    """A property's name, its case kept; what no identifier holds becomes an underscore."""
    return _begun(_NOT_OF_A_NAME.sub("_", name).strip("_"), "property")


def one_line(text: str) -> str:
    """A description in one line."""
    return " ".join(printable(text).split())


def _begun(name: str, word: str) -> str:
    if not name:
        return word
    return f"{word}_{name}" if name[0].isdigit() else name


def _properties(rule: EventRule) -> tuple[TypedProperty, ...]:
    listed = {**_recommended(rule), **rule.properties} if is_ours(rule.name) else rule.properties
    arguments = identifiers(listed, argument_name, RESERVED_ARGUMENTS)
    ordered = sorted(listed.items(), key=lambda each: (not each[1].required, each[0]))
    return tuple(TypedProperty(name, arguments[name], each) for name, each in ordered)


def _recommended(rule: EventRule) -> dict[str, PropertyRule]:
    found = {"platform": PropertyRule(type="string", enum=PLATFORMS), "user_tier": PropertyRule(type="string")}
    if any(name in rule.properties for name in MONEY):
        found |= {"amount_minor": PropertyRule(type="integer"), "currency": PropertyRule(type="string")}
    return found
