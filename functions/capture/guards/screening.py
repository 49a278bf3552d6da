"""What many events of one request have in common, looked at once: most of a batch need not be judged one by one.

Events of one name with the same properties are a group. A guard's screen either settles a
group, counting what the guard would have counted, or leaves its events to the guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functions.capture.events import Frozen, Judge, MarkMany, Screen

SCREENED_FROM = 8
"""Fewer events are judged one by one: there is little to share."""
_Group = tuple[str, tuple[str, ...]]


def needed(
    events: Sequence[Frozen], judges: Sequence[Judge], screens: Sequence[Screen | None], mark: MarkMany
) -> list[Sequence[Judge]]:
    """For each event the guards that must look at it themselves, in the order of the events."""
    if len(events) < SCREENED_FROM:
        return [judges] * len(events)
    groups: dict[_Group, list[dict[str, Any]]] = {}
    keys: list[_Group] = []
    for event in events:
        properties = event.body["properties"]
        key = (event.name, tuple(properties))
        keys.append(key)
        group = groups.get(key)
        if group is None:
            groups[key] = [properties]
        else:
            group.append(properties)
    looking = {key: _looking(key, group, judges, screens, mark) for key, group in groups.items()}
    return [looking[key] for key in keys]


def _looking(
    key: _Group,
    group: list[dict[str, Any]],
    judges: Sequence[Judge],
    screens: Sequence[Screen | None],
    mark: MarkMany,
) -> Sequence[Judge]:
    for place, screen in enumerate(screens):
        if screen is None or not screen(key[0], key[1], group, mark):
            # What one guard changes the next must see: from here on each looks for itself.
            return judges[place:]
    return ()
