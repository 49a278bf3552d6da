"""Decides everything about an event that a later copy must repeat, once, when it arrives.

Follows PostHog's own rules (posthog-api.md, 2.2, 2.6, 2.7), event by event: what PostHog would
refuse becomes poison alone. Forwards nothing, stores nothing, and changes no value of a property.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from functions.capture.events import Arrived, Frozen, Poison
from functions.capture.wire import timestamps, uuids
from functions.capture.wire.flaws import Flaw, as_text, check
from functions.capture.wire.poisons import poison
from functions.capture.wire.salvage import Fragment

LONGEST = 200
"""Characters of a name and of an id that PostHog keeps."""
_OPTIONS = {
    "process_person_profile": "$process_person_profile",
    "cookieless_mode": "$cookieless_mode",
    "product_tour_id": "$product_tour_id",
    "disable_skew_correction": "$ignore_sent_at",
}
_IDS = {"session_id": "$session_id", "window_id": "$window_id"}
_NOT_IDS = frozenset(
    (
        "0",
        "00000000-0000-0000-0000-000000000000",
        "[object object]",
        "anonymous",
        "anonymous-user",
        "backend",
        "distinct_id",
        "distinctid",
        "email",
        "false",
        "guest",
        "id",
        "nan",
        "none",
        "not_authenticated",
        "null",
        "system",
        "true",
        "undefined",
        "user",
    )
)
"""What v1 takes for a mistake instead of an id, in lower case."""


_NO_TIME = timedelta(0)
_EARLIEST = datetime(1, 1, 3, tzinfo=UTC)
_WRITTEN_LENGTH = len("2025-05-01T10:00:00.000000Z")


def freeze(event: object, arrived: Arrived) -> Frozen | Poison:
    """An event with its uuid, name, id and instant decided, or the reason why it cannot be one. Never raises.

    `event` is what stood in the batch; it is not changed. Freezing a frozen body again, later
    and without `sent_at`, changes nothing.
    """
    try:
        if type(event) is not dict:
            raise _not_an_event(event)
        return _frozen_v1(event, arrived) if arrived.protocol == "v1" else _frozen(event, arrived)
    except Flaw as flaw:
        return poison(event, flaw.code, flaw.detail, arrived.now)


def freeze_all(events: list[Any], arrived: Arrived) -> list[Frozen | Poison]:
    """`freeze` for every event of a request, which may be changed in place: nobody else has them.

    Sound v0 events of the common form, with every field where the SDKs put it, take a short way
    to the same end.
    """
    if arrived.protocol != "v0" or not arrived.is_plain:
        return [freeze(event, arrived) for event in events]
    address, is_as_written, from_text, dumps, utc = (
        arrived.address,
        uuids.is_as_written,
        datetime.fromisoformat,
        orjson.dumps,
        orjson.OPT_UTC_Z,
    )
    skew = arrived.sent_at - arrived.now if arrived.sent_at is not None else _NO_TIME
    latest, earliest = arrived.now + timestamps.FURTHEST_AHEAD, _EARLIEST
    frozen: list[Frozen | Poison] = []
    for event in events:
        try:
            name, own, who, said = event["event"], event["uuid"], event["distinct_id"], event["timestamp"]
            properties = event["properties"]
            if (
                # Slices of anything but text raise; what they compare tells the ordinary from the rest.
                0 < len(name) <= LONGEST
                and 0 < len(who) <= LONGEST
                and "\0" not in name
                and "\0" not in who
                and not who.isspace()
                and said[4:5] == "-"
                and is_as_written(own)
                and type(properties) is dict
                and "offset" not in event
                and "sent_at" not in event
                and "$ignore_sent_at" not in properties
                and name.__class__ is str
            ):
                at = from_text(said) - skew
                if at.tzinfo is UTC and earliest < at <= latest:
                    if address and "$ip" not in properties:
                        properties["$ip"] = address
                    text = dumps(at, option=utc)[1:-1].decode()
                    event["timestamp"] = text if len(text) == _WRITTEN_LENGTH else text[:-1] + ".000000Z"
                    frozen.append(Frozen(own, name, who, at, event))
                    continue
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            pass
        frozen.append(freeze(event, arrived))
    return frozen


def as_v1(frozen: Frozen) -> dict[str, Any]:
    """A frozen event in v1's form, with the correction of clocks off so that its timestamp stands."""
    body = {field: frozen.body[field] for field in ("event", "uuid", "distinct_id", "timestamp")}
    properties = dict(frozen.body["properties"])
    for name in ("$set", "$set_once", "$unset"):
        moved = frozen.body.get(name)
        if moved is not None:
            properties.setdefault(name, moved)
    options: dict[str, Any] = {}
    for option, name in _OPTIONS.items():
        kind = str if option == "product_tour_id" else bool
        if isinstance(properties.get(name), kind):
            options[option] = properties.pop(name)
    for field, name in _IDS.items():
        if isinstance(properties.get(name), str):
            body[field] = properties.pop(name)
    options["disable_skew_correction"] = True
    body["properties"] = properties
    body["options"] = options
    return body


def _frozen(event: dict[str, Any], arrived: Arrived) -> Frozen:
    """By v0's rules, which mend more than they refuse."""
    name = event.get("event")
    if name is None or name == "":
        if not arrived.fills_name:
            raise Flaw("missing_event_name", "event submitted with an empty event name")
        name = "$identify"
    elif type(name) is not str:
        raise Flaw("missing_event_name", "failed to parse request: the event's name is not a string")
    properties = _properties(event)
    body = dict(event)
    if arrived.address and "$ip" not in properties:
        properties["$ip"] = arrived.address
    return _put_together(body, _kept(name), _distinct_id(event, properties), properties, arrived)


def _frozen_v1(event: dict[str, Any], arrived: Arrived) -> Frozen:
    """By v1's rules for names and ids; a missing uuid or time is given all the same, which loses nothing."""
    name, distinct_id = event.get("event"), event.get("distinct_id")
    if type(name) is not str or not name:
        raise Flaw("missing_event_name", "event submitted with an empty event name")
    if len(name) > LONGEST:
        raise Flaw("event_name_too_long", f"the event's name is longer than {LONGEST} characters")
    if type(distinct_id) is not str or not distinct_id.strip():
        raise Flaw("missing_distinct_id", "event submitted without a distinct_id")
    if len(distinct_id) > LONGEST:
        raise Flaw("distinct_id_too_large", f"the distinct_id is longer than {LONGEST} characters")
    if distinct_id.strip().lower() in _NOT_IDS:
        raise Flaw("malformed_distinct_id", "the distinct_id is a placeholder, not a person's")
    properties = _properties(event)
    options = event.get("options") or {}
    if type(options) is not dict:
        raise Flaw("invalid_options", "the event's options are not an object")
    body = dict(event)
    body.pop("options", None)
    for field, moved in _IDS.items():
        value = body.pop(field, None)
        if value:
            properties[moved] = value
    for option, moved in _OPTIONS.items():
        if options.get(option) is not None:
            properties[moved] = options[option]
    if arrived.library:
        for moved, value in zip(("$lib", "$lib_version"), arrived.library, strict=True):
            if value:
                properties.setdefault(moved, value)
    if arrived.address and "$ip" not in properties:
        properties["$ip"] = arrived.address
    return _put_together(body, _kept(name), _kept(distinct_id), properties, arrived)


def _put_together(
    body: dict[str, Any], name: str, distinct_id: str, properties: dict[str, Any], arrived: Arrived
) -> Frozen:
    written = body.get("uuid")
    own = uuids.given(arrived.now) if written is None or written == "" else uuids.canonical(written)
    if own is None:
        raise Flaw("missing_event_uuid", "failed to parse request: the event's uuid is not a UUID")
    at = timestamps.decide(
        arrived.now,
        timestamp=body.get("timestamp"),
        sent_at=arrived.sent_at,
        offset=body.pop("offset", None),
        keeps_clock=properties.get("$ignore_sent_at") is True,
    )
    body.pop("sent_at", None)
    body["uuid"] = own
    body["event"] = name
    body["distinct_id"] = distinct_id
    body["timestamp"] = timestamps.written(at)
    body["properties"] = properties
    if not arrived.is_plain:
        check(body, name)
    return Frozen(own, name, distinct_id, at, body)


def _properties(event: dict[str, Any]) -> dict[str, Any]:
    properties = event.get("properties")
    if properties is None:
        return {}
    if type(properties) is not dict:
        raise Flaw("malformed_event_properties", "failed to parse request: the event's properties are not an object")
    return dict(properties)


def _distinct_id(event: dict[str, Any], properties: dict[str, Any]) -> str:
    """The first place that holds one; a number or an object stands for its own JSON."""
    for value in (event.get("distinct_id"), event.get("$distinct_id"), properties.get("distinct_id")):
        if type(value) is str:
            if value and not value.isspace():
                return _kept(value)
        elif value is not None:
            return _kept(as_text(value))
    raise Flaw("missing_distinct_id", "event submitted without a distinct_id")


def _kept(text: str) -> str:
    """What PostHog keeps of a name or an id."""
    return text[:LONGEST].replace("\0", "\ufffd")


def _not_an_event(event: object) -> Flaw:
    if isinstance(event, Fragment):
        return Flaw("unreadable", f"failed to parse request: {event.reason}")
    return Flaw("malformed_event", "failed to parse request: an event is not an object")
