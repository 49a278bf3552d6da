"""Who is behind a distinct id: persons, their properties, and merges in order of arrival.

Refuses the merges PostHog refuses (illegal ids, a person already identified) with a warning;
the event itself is stored all the same.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

_ILLEGAL_ANY_CASE = frozenset(
    [
        "anonymous",
        "guest",
        "distinctid",
        "distinct_id",
        "id",
        "not_authenticated",
        "email",
        "undefined",
        "true",
        "false",
    ]
)
_ILLEGAL_AS_WRITTEN = frozenset(["[object Object]", "NaN", "None", "none", "null", "0", "undefined"])


@dataclass(slots=True, eq=False)
class Person:
    """One person; `distinct_ids` are all ids that lead here."""

    id: uuid.UUID
    created_at: datetime
    properties: dict[str, object] = field(default_factory=dict)
    is_identified: bool = False
    is_deleted: bool = False
    distinct_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class IngestionWarning:
    """Something PostHog would list under ingestion warnings."""

    kind: str
    distinct_id: str
    detail: str


class Persons:
    """All persons of a project, and what has changed since `take_changes` was last called."""

    def __init__(self, project_id: int) -> None:
        self._namespace = uuid.uuid5(uuid.NAMESPACE_OID, f"local-posthog:{project_id}")
        self._by_distinct_id: dict[str, Person] = {}
        self._changed: dict[uuid.UUID, Person] = {}
        self._moved: dict[str, Person] = {}
        self.warnings: list[IngestionWarning] = []

    @property
    def namespace(self) -> uuid.UUID:
        return self._namespace

    def id_for(self, distinct_id: str) -> uuid.UUID:
        """The person id a distinct id has, or would get: the same before and after."""
        return uuid.uuid5(self._namespace, distinct_id)

    def find(self, distinct_id: str) -> Person | None:
        return self._by_distinct_id.get(distinct_id)

    def all(self) -> list[Person]:
        return list({person.id: person for person in self._by_distinct_id.values()}.values())

    def find_or_create(self, distinct_id: str, at: datetime) -> Person:
        person = self._by_distinct_id.get(distinct_id)
        if person is None:
            person = Person(self.id_for(distinct_id), at)
            self._assign(distinct_id, person)
            self._changed[person.id] = person
        return person

    def update(
        self,
        person: Person,
        *,
        set_: dict[str, object],
        set_once: dict[str, object],
        unset: list[str],
    ) -> None:
        """Apply $set, $set_once and $unset, in PostHog's order."""
        before = person.properties
        after = {**set_once, **before, **set_}
        for name in unset:
            after.pop(name, None)
        if after != before:
            person.properties = after
            self._changed[person.id] = person

    def merge(self, source: str, target: str, at: datetime, *, dangerously: bool = False) -> None:
        """Make `source` the same person as `target`, or warn why not."""
        if source == target:
            return
        for distinct_id in (target, source):
            if is_illegal(distinct_id):
                self._warn("cannot_merge_with_illegal_distinct_id", distinct_id, source, target)
                return
        into, other = self.find(target), self.find(source)
        if into is not None and other is not None:
            if into is not other and other.is_identified and not dangerously:
                self._warn("cannot_merge_already_identified", source, source, target)
                return
            if into is not other:
                self._absorb(into, other)
            survivor = into
        else:
            survivor = into or other or self.find_or_create(target, at)
            self._assign(source, survivor)
            self._assign(target, survivor)
        if not survivor.is_identified:
            survivor.is_identified = True
            self._changed[survivor.id] = survivor

    def restore(self, person: Person) -> None:
        """Take back a person read from the store, without counting it as changed."""
        for distinct_id in person.distinct_ids:
            self._by_distinct_id[distinct_id] = person

    def take_changes(self) -> tuple[list[Person], dict[str, Person]]:
        """Persons changed or gone, and distinct ids newly assigned, since the last call."""
        changes = list(self._changed.values()), self._moved
        self._changed, self._moved = {}, {}
        return changes

    def _absorb(self, into: Person, other: Person) -> None:
        into.properties = {**other.properties, **into.properties}
        into.created_at = min(into.created_at, other.created_at)
        for distinct_id in other.distinct_ids:
            self._by_distinct_id[distinct_id] = into
            self._moved[distinct_id] = into
        into.distinct_ids |= other.distinct_ids
        other.distinct_ids = set()
        other.is_deleted = True
        self._changed[into.id] = into
        self._changed[other.id] = other

    def _assign(self, distinct_id: str, person: Person) -> None:
        if self._by_distinct_id.get(distinct_id) is not person:
            self._by_distinct_id[distinct_id] = person
            person.distinct_ids.add(distinct_id)
            self._moved[distinct_id] = person

    def _warn(self, kind: str, distinct_id: str, source: str, target: str) -> None:
        self.warnings.append(IngestionWarning(kind, distinct_id, f"merge of {source!r} into {target!r} refused"))


def is_illegal(distinct_id: str) -> bool:
    """Whether PostHog refuses to merge this id, quoted or not."""
    return any(
        not form.strip() or form.lower() in _ILLEGAL_ANY_CASE or form in _ILLEGAL_AS_WRITTEN
        for form in _unquoted(distinct_id)
    )


def _unquoted(distinct_id: str) -> Iterator[str]:
    yield distinct_id
    for quote in "'\"":
        if len(distinct_id) > 2 and distinct_id[0] == distinct_id[-1] == quote:
            yield distinct_id[1:-1]
