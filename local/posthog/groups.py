"""Groups: at most five types a project, numbered as they first appear, and each group's properties.

Refuses a $groupidentify whose $group_set is not an object, as PostHog does.
"""

from dataclasses import dataclass, field
from datetime import datetime

MOST_TYPES = 5


@dataclass(slots=True)
class Group:
    """One group of a type, with what $groupidentify said of it."""

    index: int
    key: str
    created_at: datetime
    updated_at: datetime
    properties: dict[str, object] = field(default_factory=dict)


class Groups:
    """All groups of a project, and what has changed since `take_changes` was last called."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.groups: dict[tuple[int, str], Group] = {}
        self._new_types: dict[str, int] = {}
        self._changed: dict[tuple[int, str], Group] = {}

    def columns(self, properties: dict[str, object]) -> dict[str, str]:
        """The $group_0 … $group_4 columns of an event."""
        named = properties.get("$groups")
        columns = {}
        if isinstance(named, dict):
            for name, key in named.items():
                index = self._index(str(name))
                if index is not None and key is not None:
                    columns[f"$group_{index}"] = str(key)
        return columns

    def identify(self, properties: dict[str, object], at: datetime) -> bool:
        """Take in a $groupidentify; False when the event must be discarded."""
        named = properties.get("$group_set")
        if named is not None and not isinstance(named, dict):
            return False
        index = self._index(str(properties.get("$group_type", "")))
        key = str(properties.get("$group_key", ""))
        if index is None or not key:
            return True
        group = self.groups.setdefault((index, key), Group(index, key, at, at))
        group.properties = {**group.properties, **(named or {})}
        group.updated_at = at
        self._changed[index, key] = group
        return True

    def take_changes(self) -> tuple[dict[str, int], list[Group]]:
        changes = self._new_types, list(self._changed.values())
        self._new_types, self._changed = {}, {}
        return changes

    def _index(self, name: str) -> int | None:
        if not name:
            return None
        if name not in self.types:
            if len(self.types) >= MOST_TYPES:
                return None
            self.types[name] = self._new_types[name] = len(self.types)
        return self.types[name]
