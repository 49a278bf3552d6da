"""The merge guard's second look: what PostHog knows of the persons behind the ids of some merges, asked once.

Merges are judged in their order, each as if those before it that may pass had been done. A
connection without a personal key can ask nothing: its merges pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.capture.guards.merges import RELEASE, ids_of
from hedgerow.app import App
from hedgerow.capture_rules import CaptureRules
from hedgerow.models import Connection, ProjectSlot, Trouble
from hedgerow.posthog.answers import malformed
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import PostHogError
from hedgerow.slots import LONGEST_QUIET, slot_id

QUERY_NAME = "hedgerow merge guard"
QUERY = """select toString(ids.person_id) as person, groupUniqArrayIf(ids.distinct_id, ids.distinct_id in {asked}) as asked_ids,
count() as number, max(persons.is_identified) as identified
from person_distinct_ids as ids left join persons on persons.id = ids.person_id
where ids.person_id in (select person_id from person_distinct_ids where distinct_id in {asked})
group by ids.person_id limit 50000"""


@dataclass(slots=True)
class _Person:
    """A person of PostHog, with the merges of this call that may pass."""

    exists: bool = False
    identified: bool = False
    number: int = 1
    ids: set[str] = field(default_factory=set)
    """Those of its ids that these merges name."""


async def check(app: App, connection: Connection, events: Sequence[dict[str, Any]]) -> list[Trouble | None]:
    """For each event why it should be held, None where it may be sent.

    `PostHogError` when PostHog gives no answer: the merges then wait, they do not pass unseen.
    """
    merges = [ids_of(event) for event in events]
    asked = sorted({id for merge in merges if merge is not None for id in merge})
    rules = await app.store.get(CaptureRules, connection.id)
    if not asked or rules is None or not rules.merges.on or not _can_ask(connection):
        return [None] * len(events)
    persons = await _persons(app, connection, asked)
    return [
        None if merge is None else _judged(persons, merge, str(event.get("event")), rules.merges.most_ids)
        for merge, event in zip(merges, events, strict=True)
    ]


def _can_ask(connection: Connection) -> bool:
    # A pause stops syncs, not the guard. Where the operator switched activity off, PostHog is asked nothing.
    return connection.activity_tracking and connection.secret_ref is not None and connection.project_id is not None


async def _persons(app: App, connection: Connection, asked: list[str]) -> dict[str, _Person]:
    await _respect_quiet(app, connection)
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
    # Beside the project's one slot: a sync may hold that for minutes, and this is a look-up by id.
    answer = await posthog.query(connection.project_id or "", QUERY, {"asked": asked}, name=QUERY_NAME)
    return _read(answer.rows, asked)


async def _respect_quiet(app: App, connection: Connection) -> None:
    slot = await app.store.get(ProjectSlot, slot_id(connection))
    now = app.now()
    if slot is not None and slot.closed_until is not None and now < slot.closed_until <= now + LONGEST_QUIET:
        raise PostHogError(
            "PostHog asked this project for quiet, so the merge guard cannot look yet.",
            code="rate_limited",
            retry_after=(slot.closed_until - now).total_seconds(),
        )


def _read(rows: Iterable[Sequence[object]], asked: list[str]) -> dict[str, _Person]:
    persons: dict[str, _Person] = {}
    for row in rows:
        match row:
            case [str(), list(ids), int(number), identified]:
                named = {str(id) for id in ids}
                person = _Person(exists=True, identified=identified in (1, True), number=number, ids=named)
                persons.update(dict.fromkeys(named, person))
            case _:
                raise malformed("a person is not told as asked")
    for id in asked:
        persons.setdefault(id, _Person(ids={id}))
    return persons


def _judged(persons: dict[str, _Person], merge: tuple[str, str], event: str, most: int) -> Trouble | None:
    source, target = (persons[id] for id in merge)
    if source is target:
        return None
    if source.identified and target.identified:
        return _joins_identified(event)
    number = source.number + target.number
    if number > most:
        return _many_ids(number, most)
    _join(persons, source, target)
    return None


def _join(persons: dict[str, _Person], source: _Person, target: _Person) -> None:
    """One person of both, identified, as PostHog leaves it."""
    both = source.ids | target.ids
    joined = _Person(exists=True, identified=True, number=source.number + target.number, ids=both)
    persons.update(dict.fromkeys(both, joined))


def _joins_identified(event: str) -> Trouble:
    effect = (
        "PostHog would make one of them and cannot undo it."
        if event == "$merge_dangerously"
        else "PostHog would refuse it and join nobody; to a sender it looks done."
    )
    return Trouble(
        code="merge_joins_identified",
        detail=f"Both ids already belong to persons that were identified, and these are two. {effect}",
        hint=f"Look at both persons in PostHog: shared devices and wrong log-outs do this. {RELEASE}",
    )


def _many_ids(number: int, most: int) -> Trouble:
    return Trouble(
        code="merge_many_ids",
        detail=f"One person would have {number} ids; more than {most} are unusual here. PostHog cannot undo it.",
        hint=f"If this is usual for you, raise it: `hedgerow guards set --most-ids {number}`. {RELEASE}",
    )
