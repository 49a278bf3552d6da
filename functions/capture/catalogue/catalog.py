"""The event catalogue as a guard: counts, tags or puts aside the events that break it. Pure; called for every event.

Decides about names and properties only; a name's convention alone never refuses anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.capture.catalogue.catalog_policy import TAG, UNKNOWN, carried_out, short
from functions.capture.catalogue.catalog_shipped import MONEY, PLATFORMS, RECOMMENDED, shipped
from functions.capture.catalogue.naming import style_of
from functions.capture.events import Aside, Guard
from hedgerow.capture_rules import CatalogRules, EventPolicy, EventRule, PropertyRule, PropertyType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.capture.events import Frozen, Judge, Mark, MarkMany

__all__ = ["TAG", "Catalog", "compiled", "shipped"]

# Names in marks are written by others: beyond this many a judge counts them together.
MOST_LABELS = 100
MOST_REMEMBERED = 1_000
OTHERS = "…"
MISSING_MARKS = {name: f"catalog.missing.{name}" for name in (*RECOMMENDED, *MONEY)}
# Properties of the SDKs themselves, and what is recommended everywhere.
NEVER_UNLISTED = frozenset({*RECOMMENDED, *MONEY, "token", "distinct_id"})

_KINDS: dict[str, frozenset[type] | None] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "object": frozenset({dict}),
    "array": frozenset({list}),
    "any": None,
}
# What is missing, by a sum of powers of two: made once, for it is looked up at every event.
_LACKED = tuple(
    tuple(name for place, name in enumerate((*RECOMMENDED, *MONEY)) if lacks >> place & 1) for lacks in range(16)
)
_BY_VALUE = frozenset((*RECOMMENDED, *MONEY))
_SCALARS = frozenset({str, int, float, bool})


@dataclass(frozen=True, slots=True)
class Check:
    """One property's rule, ready to be applied."""

    name: str
    is_required: bool
    kinds: frozenset[type] | None
    takes_whole_floats: bool
    enum: frozenset[tuple[bool, object]] | None
    missing: str
    mistyped: str
    unnamed: str


@dataclass(slots=True)
class Known:
    """One event's rule, ready to be applied.

    `names` are those that are no drift: the listed ones, and the `$` ones met so far.
    `listed` says of each property whether it is required.
    `labels` are the marks made so far, by the word they count, `strays` those of unlisted properties by name.
    """

    policy: EventPolicy
    checks: tuple[Check, ...]
    names: set[str]
    listed: dict[str, bool]
    is_money: bool
    breaks_naming: bool
    mark: str
    drift: str
    labels: dict[str, str] = field(default_factory=dict)
    strays: dict[str, str] = field(default_factory=dict)

    def violations(self, properties: Mapping[str, Any]) -> list[str]:
        """What is wrong, in the catalogue's order: `missing:name`, `type:name`, `enum:name`. A null is no value."""
        found: list[str] = []
        for check in self.checks:
            value = properties.get(check.name)
            if value is None:
                if check.is_required:
                    found.append(check.missing)
                continue
            kind = type(value)
            is_odd = check.kinds is not None and kind not in check.kinds
            if is_odd and not (check.takes_whole_floats and is_whole(value)):
                found.append(check.mistyped)
            elif check.enum is not None and (kind not in _SCALARS or (kind is bool, value) not in check.enum):
                found.append(check.unnamed)
        return found

    def are_sound(self, names: tuple[str, ...], group: Sequence[dict[str, Any]]) -> bool:
        """Whether none of a group with these names of properties violates anything."""
        for check in self.checks:
            if check.name not in names:
                if check.is_required:
                    return False
                continue
            if check.enum is not None:
                return False
            if check.kinds is not None and not check.kinds.issuperset(
                [type(properties[check.name]) for properties in group]
            ):
                return False
            if check.is_required and any(properties[check.name] is None for properties in group):
                return False
        return True

    def missing(self, properties: Mapping[str, Any]) -> list[str]:
        """What is recommended and not there, without what is a violation already and without an owner's own platforms."""
        found = []
        for name in missing(properties, is_money=self.is_money):
            is_required = self.listed.get(name)
            if is_required is None or (not is_required and properties.get(name) is None):
                found.append(name)
        return found

    def unlisted(self, properties: Mapping[str, Any]) -> list[str]:
        """Properties the catalogue does not name, PostHog's `$` ones apart."""
        if self.names.issuperset(properties):
            return []
        found = []
        for name in properties:
            if name not in self.names:
                if name[:1] != "$":
                    found.append(name)
                elif len(self.names) < MOST_REMEMBERED:
                    self.names.add(name)
        return found


class Catalog:
    """A catalogue, ready for events. `judge` is its `Judge`."""

    def __init__(self, rules: CatalogRules) -> None:
        self.unknown = rules.unknown
        self.style = rules.naming if rules.naming in {"noun.verb", "snake_case"} else None
        self.known = {rule.name: self._known(rule) for rule in rules.events}
        self._labels = 0

    def judge(self, event: Frozen, mark: Mark) -> Aside | None:
        """Count what is wrong and, as the event's policy says, let it pass, tag it, or put it aside as dead."""
        name = event.name
        known = self.known.get(name)
        if known is None and name[:1] == "$":
            return None
        found = event.body.get("properties")
        properties: dict[str, Any] = found if type(found) is dict else {}
        if known is None:
            mark("catalog.unknown_event")
            if self.style is not None and self.breaks_naming(name):
                mark("catalog.naming")
            for lacked in missing(properties):
                mark(MISSING_MARKS[lacked])
            return None if self.unknown == "observe" else carried_out(self.unknown, event, [UNKNOWN])
        return self._checked(known, event, properties, mark)

    def screen(self, name: str, names: tuple[str, ...], group: Sequence[dict[str, Any]], mark: MarkMany) -> bool:
        """Count what events of one name with the same properties have in common, if that is all there is to count."""
        known = self.known.get(name)
        if known is None and name[:1] == "$":
            return True
        if known is None and self.unknown != "observe":
            return False
        for each in _BY_VALUE.intersection(names):
            # What is missing follows from the names alone, unless a value takes part.
            if each == "platform" or any(properties[each] is None for properties in group):
                return False
        first, number = group[0], len(group)
        if known is None:
            mark("catalog.unknown_event", number)
            lacking: Sequence[str] = missing(first)
        elif not known.are_sound(names, group):
            return False
        else:
            lacking = known.missing(first)
            for stray in known.unlisted(first):
                mark(
                    known.strays.get(stray) or self._label(known.drift, known.strays, stray, f"unlisted:{stray}"),
                    number,
                )
        if known.breaks_naming if known else self.style is not None and self.breaks_naming(name):
            mark("catalog.naming", number)
        for lacked in lacking:
            mark(MISSING_MARKS[lacked], number)
        return True

    def _checked(self, known: Known, event: Frozen, properties: dict[str, Any], mark: Mark) -> Aside | None:
        if known.breaks_naming:
            mark("catalog.naming")
        for lacked in known.missing(properties):
            mark(MISSING_MARKS[lacked])
        for name in known.unlisted(properties):
            mark(known.strays.get(name) or self._label(known.drift, known.strays, name, f"unlisted:{name}"))
        words = known.violations(properties)
        if not words:
            return None
        mark(known.mark)
        for word in words:
            mark(known.labels.get(word) or self._label(known.drift, known.labels, word, word))
        return carried_out(known.policy, event, words)

    def breaks_naming(self, name: str) -> bool:
        """Whether a convention was asked for that this name does not follow."""
        return self.style is not None and name[:1] != "$" and style_of(name) != self.style

    def _known(self, rule: EventRule) -> Known:
        return Known(
            policy=rule.policy,
            checks=tuple(_check(name, each) for name, each in rule.properties.items()),
            names={*rule.properties, *NEVER_UNLISTED},
            listed={name: each.required for name, each in rule.properties.items()},
            is_money=any(name in rule.properties for name in MONEY),
            breaks_naming=self.breaks_naming(rule.name),
            mark=f"catalog.violation.{short(rule.name)}",
            drift=f"catalog.drift.{short(rule.name)} ",
        )

    def _label(self, drift: str, kept: dict[str, str], key: str, word: str) -> str:
        if self._labels >= MOST_LABELS:
            return f"catalog.drift.{OTHERS}"
        self._labels += 1
        kept[key] = label = drift + short(word)
        return label


def compiled(rules: CatalogRules) -> Judge | None:
    """The catalogue as a judge; None for an empty one that asks nothing of anybody."""
    guard = guard_of(rules)
    return guard.judge if guard is not None else None


def guard_of(rules: CatalogRules) -> Guard | None:
    """The catalogue as a guard with its screen; None as `compiled`."""
    if not rules.events and rules.unknown == "observe" and rules.naming in {"report", "off"}:
        return None
    catalog = Catalog(rules)
    return Guard(catalog.judge, catalog.screen)


def missing(properties: Mapping[str, Any], *, is_money: bool = False) -> tuple[str, ...]:
    """What is recommended on every event and not there; amount and currency where either is, or belongs."""
    get = properties.get
    amount, currency = get("amount_minor"), get("currency")
    # By equality, not by hash: a client may send a list.
    lacks = 0 if get("platform") in PLATFORMS else 1
    if get("user_tier") is None:
        lacks += 2
    if amount is None and (is_money or currency is not None):
        lacks += 4
    if currency is None and (is_money or amount is not None):
        lacks += 8
    return _LACKED[lacks]


def fits(type: PropertyType, value: object) -> bool:
    """Whether a value is of a property type."""
    kinds = _KINDS[type]
    return kinds is None or value.__class__ in kinds or (type == "integer" and is_whole(value))


def is_whole(value: object) -> bool:
    """JSON knows no difference between 5 and 5.0."""
    return isinstance(value, float) and value.is_integer()


def _check(name: str, rule: PropertyRule) -> Check:
    return Check(
        name=name,
        is_required=rule.required,
        kinds=_KINDS[rule.type],
        takes_whole_floats=rule.type == "integer",
        enum=None if rule.enum is None else frozenset((type(value) is bool, value) for value in rule.enum),
        missing=f"missing:{name}",
        mistyped=f"type:{name}",
        unnamed=f"enum:{name}",
    )
