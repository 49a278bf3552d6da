"""What a project's PostHog holds, in a form in which two runs of one script are equal unless something was lost or changed.

Random ids become numbers in the order they are met, so what belonged together still must;
what tells only of a run's clock or place is left out by name, and nothing else is.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.sdk.hosts import Site

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOST_ROWS = 50_000
# Read from a clock, made at random without being a uuid, or counted through all projects.
OF_THE_RUN = frozenset(["$feature_flag_evaluated_at", "$feature_flag_id", "$insert_id", "$time"])
Order = Callable[["Event"], Any]


@dataclass(frozen=True)
class Event:
    """A row of `events`."""

    uuid: str
    name: str
    distinct_id: str
    at: datetime
    properties: dict[str, Any]


def events(site: Site, name: str = "") -> list[Event]:
    """Every event, or every one of a name, by uuid."""
    rows = site.ask(
        "select uuid, event, distinct_id, timestamp, properties from events "
        f"where {_named(name)} order by uuid limit {MOST_ROWS}"
    )
    return [
        Event(uuid, name, distinct_id, datetime.fromisoformat(at), _object(properties))
        for uuid, name, distinct_id, at, properties in rows
    ]


def wait_for(site: Site, count: int, name: str = "", seconds: float = 20) -> list[Event]:
    """Every event, or every one of a name, once there are as many; never more."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and site.ask(f"select count() from events where {_named(name)}")[0][0] < count:
        time.sleep(0.05)
    found = events(site, name)
    assert len(found) == count, f"{len(found)} events, {count} sent: {Counter(each.name for each in found)}"
    return found


def picture(site: Site, *, drop: frozenset[str] = frozenset(), order: Order | None = None) -> dict[str, Any]:
    """Events, persons and groups of a project, with nothing left that must differ between two runs."""
    found = sorted(events(site), key=order or _by_content)
    dropped = OF_THE_RUN | drop
    persons = [
        {"ids": sorted(ids), "properties": _object(properties), "is_identified": is_identified}
        for ids, properties, is_identified in site.ask(
            "select groupArray(i.distinct_id), any(p.properties), any(p.is_identified) from person_distinct_ids i "
            f"join persons p on i.person_id = p.id group by p.id limit {MOST_ROWS}"
        )
    ]
    groups = site.ask(f"select index, key, properties from groups order by index, key limit {MOST_ROWS}")
    owners = dict(site.ask(f"select uuid, person_id from events limit {MOST_ROWS}"))
    whole = {
        "events": [
            {
                "uuid": each.uuid,
                "event": each.name,
                "distinct_id": each.distinct_id,
                "person": str(owners[each.uuid]),
                "properties": each.properties,
            }
            for each in found
        ],
        "groups": [[index, key, _object(properties)] for index, key, properties in groups],
    }
    numbers: dict[str, str] = {}
    named = _without(_renamed(whole, site, numbers), dropped)
    named["persons"] = sorted(
        (_without(_renamed(person, site, numbers), dropped) for person in persons), key=json.dumps
    )
    return dict(named)


def assert_own_times(found: list[Event], own: dict[str, datetime], *, early: float = 0.002, late: float = 3.0) -> None:
    """Each event stands at the SDK's own instant; by skew correction it may stand later by what the request took."""
    stored = {each.uuid: each.at for each in found}
    off = {
        uuid: (stored[uuid] - at).total_seconds()
        for uuid, at in own.items()
        if not timedelta(seconds=-early) <= stored[uuid] - at <= timedelta(seconds=late)
    }
    assert not off, off


def _by_content(event: Event) -> Any:
    return event.name, event.distinct_id, UUID.sub("", json.dumps(event.properties, sort_keys=True))


def _renamed(value: Any, site: Site, numbers: dict[str, str]) -> Any:
    """Random ids as numbers, the host and the token by their names."""

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"id-{len(numbers)}")

    if isinstance(value, str):
        for text, name in ((site.host, "<host>"), (site.token, "<token>")):
            value = value.replace(text, name)
        return UUID.sub(number, value)
    if isinstance(value, list):
        return [_renamed(each, site, numbers) for each in value]
    if isinstance(value, dict):
        return {_renamed(key, site, numbers): _renamed(value[key], site, numbers) for key in sorted(value)}
    return value


def _without(value: Any, dropped: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_without(each, dropped) for each in value]
    if isinstance(value, dict):
        return {key: _without(each, dropped) for key, each in value.items() if key not in dropped}
    return value


def _object(properties: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(properties) if isinstance(properties, str) else properties
    return read


def _named(name: str) -> str:
    return f"event = '{name}'" if name else "1 = 1"
