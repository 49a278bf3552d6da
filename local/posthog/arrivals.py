"""An event as it has arrived: decoded, its instant decided, not yet stored.

Turns it into the row that is stored, applying what it says about persons and groups.
"""

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from local.posthog.definitions import Definitions
from local.posthog.groups import Groups
from local.posthog.persons import IngestionWarning, Persons
from local.posthog.tables import written

_MERGES = ("$create_alias", "$merge_dangerously")
# Built once: making an encoder for each event costs more than encoding it.
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NEEDS_PERSON = frozenset(["$identify", "$create_alias", "$merge_dangerously", "$groupidentify"])
_KEEPS_PERSON_AS_IS = frozenset(["$exception"])


@dataclass(slots=True)
class Arrival:
    """What capture hands over for storing. `properties` holds $set and $set_once as well."""

    uuid: uuid.UUID
    event: str
    distinct_id: str
    timestamp: datetime
    properties: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
    """Everything of a project that arrivals change in memory."""

    persons: Persons
    groups: Groups
    definitions: Definitions
    arrivals: int = 0


def row(arrival: Arrival, ledger: Ledger, now: datetime) -> str | None:
    """The event's row as a JSON line, or None when PostHog discards the event."""
    properties = arrival.properties
    is_personless = properties.get("$process_person_profile") is False
    if is_personless and arrival.event in _NEEDS_PERSON:
        _warn(ledger, "invalid_event_when_process_person_profile_is_false", arrival)
        return None
    if arrival.event == "$groupidentify" and not ledger.groups.identify(properties, arrival.timestamp):
        _warn(ledger, "invalid_group_set", arrival)
        return None
    if arrival.event == "$groupidentify":
        ledger.definitions.saw_properties("group", _object(properties.get("$group_set")))
    person_id, mode, person_properties, person_since = _person(arrival, ledger, is_personless=is_personless)
    ledger.definitions.saw_event(arrival.event, now)
    ledger.definitions.saw_properties("event", properties)
    ledger.arrivals += 1
    groups = ledger.groups.columns(properties)
    return _json(
        {
            "uuid": str(arrival.uuid),
            "event": arrival.event,
            "distinct_id": arrival.distinct_id,
            "timestamp": written(arrival.timestamp),
            "created_at": written(now),
            "properties": _json(properties),
            "person_id": str(person_id),
            "person_mode": mode,
            "person_properties": person_properties,
            "person_created_at": written(person_since),
            "$session_id": _text(properties.get("$session_id")),
            "$window_id": _text(properties.get("$window_id")),
            "elements_chain": _text(properties.get("$elements_chain")),
            **groups,
            "arrival": ledger.arrivals,
        },
    )


def _person(arrival: Arrival, ledger: Ledger, *, is_personless: bool) -> tuple[uuid.UUID, str, str, datetime]:
    """Person id, person mode, properties at this moment and since when, after any merge."""
    persons, at = ledger.persons, arrival.timestamp
    if is_personless:
        person = persons.find(arrival.distinct_id)
        if person is None:
            return persons.id_for(arrival.distinct_id), "propertyless", "{}", at
        mode = "force_upgrade"
    else:
        _merge(arrival, persons)
        person = persons.find_or_create(arrival.distinct_id, at)
        mode = "full"
        if arrival.event not in _KEEPS_PERSON_AS_IS:
            _update(arrival, ledger)
    said = _json(person.properties) if person.properties else "{}"
    return person.id, mode, said, person.created_at


def _merge(arrival: Arrival, persons: Persons) -> None:
    properties = arrival.properties
    if arrival.event in _MERGES and properties.get("alias") is not None:
        persons.merge(
            _text(properties["alias"]),
            arrival.distinct_id,
            arrival.timestamp,
            dangerously=arrival.event == "$merge_dangerously",
        )
    elif arrival.event == "$identify" and properties.get("$anon_distinct_id") is not None:
        persons.merge(_text(properties["$anon_distinct_id"]), arrival.distinct_id, arrival.timestamp)


def _update(arrival: Arrival, ledger: Ledger) -> None:
    set_, set_once = (_object(arrival.properties.get(name)) for name in ("$set", "$set_once"))
    unset = arrival.properties.get("$unset")
    names = [name for name in unset if isinstance(name, str)] if isinstance(unset, list) else []
    if not (set_ or set_once or names):
        return
    person = ledger.persons.find_or_create(arrival.distinct_id, arrival.timestamp)
    ledger.persons.update(person, set_=set_, set_once=set_once, unset=names)
    ledger.definitions.saw_properties("person", {**set_once, **set_})


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _warn(ledger: Ledger, kind: str, arrival: Arrival) -> None:
    ledger.persons.warnings.append(IngestionWarning(kind, arrival.distinct_id, f"event {arrival.event!r} discarded"))
