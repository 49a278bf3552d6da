"""Event and property definitions, learnt from what arrives.

The first type seen for a property stays, as in PostHog; it decides how HogQL reads the property.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

PropertyOwner = Literal["event", "person", "group"]
PropertyType = Literal["String", "Numeric", "Boolean", "DateTime", ""]

# PostHog's own list of properties it keeps out of the definitions.
HIDDEN = frozenset(["distinct_id", "$set", "$set_once", "$groups", "$unset"])

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?)?")
_ALWAYS_TEXT = ("utm_", "$feature/", "$feature_flag_response", "$survey_response", "$group_")
_SECONDS_AHEAD = (1_000_000_000, 4_000_000_000)


@dataclass(slots=True)
class EventDefinition:
    """An event name, when it was first seen, and last, to the hour."""

    name: str
    created_at: datetime
    last_seen_at: datetime


class Definitions:
    """What a project has seen, and what is new since `take_changes` was last called."""

    def __init__(self) -> None:
        self.events: dict[str, EventDefinition] = {}
        self.properties: dict[tuple[PropertyOwner, str], PropertyType] = {}
        self._changed_events: dict[str, EventDefinition] = {}
        self._changed_properties: dict[tuple[PropertyOwner, str], PropertyType] = {}

    def saw_event(self, name: str, at: datetime) -> None:
        known = self.events.get(name)
        if known is None:
            known = self.events[name] = EventDefinition(name, at, at)
            self._changed_events[name] = known
        elif (at - known.last_seen_at).total_seconds() >= 3600:
            known.last_seen_at = at
            self._changed_events[name] = known

    def saw_properties(self, owner: PropertyOwner, properties: dict[str, object]) -> None:
        known = self.properties
        for name, value in properties.items():
            key = (owner, name)
            if known.get(key) or (name in HIDDEN and owner == "event"):
                continue
            found = detect(name, value)
            if found or key not in known:
                known[key] = found
                self._changed_properties[key] = found

    def type_of(self, owner: PropertyOwner, name: str) -> PropertyType:
        return self.properties.get((owner, name), "")

    def take_changes(
        self,
    ) -> tuple[list[EventDefinition], dict[tuple[PropertyOwner, str], PropertyType]]:
        changes = list(self._changed_events.values()), self._changed_properties
        self._changed_events, self._changed_properties = {}, {}
        return changes


def detect(name: str, value: object) -> PropertyType:
    """The type PostHog would give a property on seeing this value; empty when it cannot tell."""
    if name.startswith(_ALWAYS_TEXT):
        return "String"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, (int, float)):
        return "DateTime" if _is_epoch(name, value) else "Numeric"
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return "Boolean"
        return "DateTime" if _DATE.fullmatch(value) else "String"
    return ""


def _is_epoch(name: str, value: float) -> bool:
    low, high = _SECONDS_AHEAD
    looks_like_a_time = "timestamp" in name.lower() or name.lower().endswith("_time")
    return looks_like_a_time and (low <= value < high or low <= value / 1000 < high)
