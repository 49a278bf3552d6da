"""Dropping dead messages: each as it was read, or not at all.

Refuses what is being published again just now: the drop would say that it never happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hedgerow.cli.operations.dead import letters
from hedgerow.dead_letters import DeadMessage
from hedgerow.errors import ConflictError
from hedgerow.ports import Delete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.app import App

AT_ONCE = 50
STOPPED = timedelta(minutes=10)
"""A redelivery that has not ended after this was killed; it takes seconds."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One dead message and what became of it: `refused` is empty where it was forgotten."""

    id: str
    refused: str = ""
    hint: str = ""


async def drop(app: App, ids: Sequence[str]) -> list[Drop]:
    """Forget these, except what somebody publishes again; `MissingError` before anything is done."""
    found = [await letters.one(app.store, id) for id in dict.fromkeys(ids)]
    dropped: list[Drop] = []
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        held = {dead.id for dead in some if _is_under_way(app, dead)}
        gone = await _forgotten(app, [dead for dead in some if dead.id not in held])
        dropped += [Drop(dead.id) if dead.id in gone else _refused(dead, is_held=dead.id in held) for dead in some]
    return dropped


def _is_under_way(app: App, dead: DeadMessage) -> bool:
    begun = dead.redelivering_at
    return letters.state_of(dead) == "redelivering" and begun is not None and app.now() - begun < STOPPED


def _refused(dead: DeadMessage, *, is_held: bool) -> Drop:
    if is_held:
        hint = (
            f"Wait for it to end. If it was stopped half-way, drop it {STOPPED.seconds // 60} minutes after it began."
        )
        return Drop(dead.id, "It is being redelivered.", hint)
    return Drop(dead.id, "Somebody else redelivered or dropped it.", "Look at it again: hedgerow dead list.")


async def _forgotten(app: App, some: Sequence[DeadMessage]) -> set[str]:
    """Those that were as they had been read, and are gone now."""
    try:
        await app.store.commit(*(Delete(DeadMessage, dead.id, dead.version) for dead in some))
    except ConflictError:
        if len(some) == 1:
            return set()
        return set().union(*[await _forgotten(app, [dead]) for dead in some])
    return {dead.id for dead in some}
