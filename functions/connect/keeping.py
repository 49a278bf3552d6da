"""Keeps a connection's key in the vault in step with its record: one version, the one in use.

What is destroyed was listed before anything was looked at, so that no clean-up, however
late, meets a key that came into use meanwhile (`hedgerow.drafts` has the whole argument).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from hedgerow import drafts
from hedgerow.app import App
from hedgerow.drafts import SecretDraft
from hedgerow.errors import ConflictError, RefusedError, SecretGoneError, StateConflictError, TransientError
from hedgerow.logs import log
from hedgerow.models import Connection
from hedgerow.ports import Delete, Swap

TRIES = 5


@dataclass(frozen=True, slots=True)
class Written:
    """A key in the vault that no record names yet, and the draft that may put it to use."""

    reference: str
    draft: SecretDraft


async def settled(app: App, connection: Connection, key: SecretStr, draft: SecretDraft) -> Connection:
    """The connection just committed, once its key is sure to be there and any other is destroyed.

    The commit used the draft up: should this die, the next sweep destroys what is left.

    No clean-up destroys a key in use; the removal of an empty name may still meet one
    that is written at that very moment, and then it is written again.
    """
    try:
        is_there = await _is_there(app, connection.secret_ref or "")
        if is_there and await _tidied(app, draft):
            await app.store.commit(Delete(SecretDraft, draft.id))
    except TransientError as error:
        log().warning("secrets.untidied", connection_id=connection.id, detail=error.detail)
        return connection
    return connection if is_there else await _written_again(app, connection, key)


async def undo(app: App, draft: SecretDraft) -> None:
    """Destroy what this attempt wrote, and nothing of whoever was first. What fails here is done when the draft is due."""
    try:
        if await _tidied(app, draft):
            await app.store.commit(Delete(SecretDraft, draft.id))
        else:
            await drafts.give_up(app, draft)
    except TransientError as error:
        log().warning("secrets.untidied", connection_id=draft.connection_id, detail=error.detail)


async def _is_there(app: App, reference: str) -> bool:
    try:
        await app.vault.read(reference)
    except SecretGoneError:
        return False
    return True


async def _tidied(app: App, mine: SecretDraft) -> bool:
    """Destroy every key of this connection but the one in use; False, and nothing is done, when others are at work."""
    id = mine.connection_id
    seen = await app.vault.versions(id)
    if await drafts.is_at_work(app, id, but=mine.id):
        return False
    current = await app.store.get(Connection, id)
    await app.vault.destroy(id, keep=current.secret_ref if current else None, only=seen)
    return True


async def _written_again(app: App, before: Connection, key: SecretStr) -> Connection:
    draft = await drafts.begin(app, before.id)
    try:
        reference = await app.vault.write(before.id, key)
        connection = await _swapped(app, before, Written(reference, draft))
    except RefusedError:
        await undo(app, draft)
        raise
    if await _tidied(app, draft):
        await app.store.commit(Delete(SecretDraft, draft.id))
    return connection


async def _swapped(app: App, before: Connection, written: Written) -> Connection:
    for _ in range(TRIES):
        current = await app.store.get(Connection, before.id)
        if current is not None and current.secret_ref == written.reference:
            return current  # Our own first try had succeeded.
        if current is None or current.state in {"disconnecting", "disconnected"}:
            raise StateConflictError(
                "The connection was disconnected at the same moment.",
                code="connection_disconnected",
                hint="Connect the project again.",
            )
        if current.secret_ref != before.secret_ref:
            raise StateConflictError(
                "Somebody else replaced the key at the same moment.",
                code="key_replaced",
                hint="Look, then decide again.",
            )
        changed = current.model_copy(update={"secret_ref": written.reference})
        try:
            return (await app.store.commit(Swap(changed), drafts.used(app, written.draft))).of(changed)
        except ConflictError:
            continue
    raise StateConflictError("This connection is being changed by others.", hint="Send the call again.")
