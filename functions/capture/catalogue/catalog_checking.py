"""What the catalogue would say of events somebody wrote down: the guard's own verdict, in words. Pure; counts nothing."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from functions.capture.catalogue.catalog import Catalog, missing
from functions.capture.catalogue.catalog_policy import UNKNOWN, said
from functions.capture.catalogue.naming import habit_of, is_ours, lookalike, style_of
from hedgerow.capture_rules import CatalogRules, EventPolicy
from hedgerow.errors import InvalidError

MOST_EVENTS = 1_000
_OUTCOMES = {"observe": "passes", "tag": "tagged", "refuse": "refused"}


class CatalogVerdict(BaseModel):
    """The verdict on one event. `violations`: `unknown_event`, or words such as `missing:currency`.

    `outcome` is what would become of it; `notices` never change that.
    """

    event: str
    known: bool
    policy: EventPolicy
    violations: list[str]
    outcome: str = Field(description="passes, tagged or refused")
    detail: str
    missing: list[str] = Field(description="Recommended properties that are not there.")
    unlisted: list[str] = Field(description="Properties the catalogue does not name.")
    looks_like: str | None = Field(description="The known name an unknown one probably means.")
    naming: str | None = Field(description="What the name does not follow; null when it does, or none is asked for.")


def check(rules: CatalogRules, asked: object) -> list[CatalogVerdict]:
    """The verdict on an event, a list of them, or `{"events": [...]}`; `InvalidError` for anything else."""
    if isinstance(asked, dict) and "events" in asked and "event" not in asked:
        asked = asked["events"]
    events = asked if isinstance(asked, list) else [asked]
    if len(events) > MOST_EVENTS:
        raise InvalidError(f"{len(events)} events were sent; up to {MOST_EVENTS} are checked in one call.")
    checker = Checker(rules)
    return [checker.verdict(event, place) for place, event in enumerate(events)]


class Checker:
    """A catalogue, ready for any number of events."""

    def __init__(self, rules: CatalogRules) -> None:
        self._catalog = Catalog(rules)
        self._names = [rule.name for rule in rules.events]
        self._style = self._catalog.style or (habit_of(self._names).style if rules.naming == "report" else None)

    def verdict(self, event: object, place: int = 0) -> CatalogVerdict:
        """The verdict on one event; `InvalidError` when it has no name."""
        name, properties = _read(place, event)
        known = self._catalog.known.get(name)
        if known is not None:
            words, policy, lacked = known.violations(properties), known.policy, known.missing(properties)
        elif is_ours(name):
            words, policy, lacked = [UNKNOWN], self._catalog.unknown, list(missing(properties))
        else:
            words, policy, lacked = [], "observe", []
        follows = self._style is None or not is_ours(name) or style_of(name) == self._style
        return CatalogVerdict(
            event=name,
            known=known is not None,
            policy=policy,
            violations=words,
            outcome=_OUTCOMES[policy] if words else "passes",
            detail=said(words),
            missing=lacked,
            unlisted=sorted(known.unlisted(properties)) if known is not None else [],
            looks_like=lookalike(name, self._names) if words == [UNKNOWN] else None,
            naming=None if follows else self._style,
        )


def _read(place: int, event: object) -> tuple[str, Mapping[str, object]]:
    name = event.get("event") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(name, str) or not name:
        raise InvalidError(
            f"Event {place} has no name.",
            hint='An event looks like {"event": "payment.completed", "properties": {…}}.',
            members={"field": str(place)},
        )
    properties = event.get("properties")
    return name, properties if isinstance(properties, dict) else {}
