"""Secrets about to be written, so that whatever races or crashes leaks none and destroys none that is in use.

Who writes a secret commits a draft first, and removes it, by its version, in the commit
that puts the secret to use. Who destroys lists the versions first, then fences the drafts
or leaves the name to those at work, then reads what is in use: no version listed can come
into use afterwards, however late it is destroyed. A draft that outlives its time belongs
to an attempt that died: `sweep` hands it to `purge_connection`, which alone may remove names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta

from hedgerow.app import App
from hedgerow.errors import ConflictError
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection
from hedgerow.ports import Add, Delete, Swap, Where
from hedgerow.records import Index, Instant, Record, new_id

LIFE = timedelta(minutes=15)
SWEPT_AT_ONCE = 100
_TRIES = 8


class SecretDraft(Record):
    """An attempt to write a secret under the name `connection_id`: a connection's, a hash key's, a channel's or webhook's.

    One that is `fenced` cannot put its secret to use any more: the commit that would have
    names its former version. It stays until what it may still write was looked for.
    """

    collection = "secret_drafts"
    indexes = (Index("due_at"), Index("connection_id", "-due_at"))

    connection_id: str
    due_at: Instant
    fenced: bool = False


async def begin(app: App, name: str) -> SecretDraft:
    """Say, durably, that a secret of this name is about to be written."""
    draft = SecretDraft(id=new_id("draft"), connection_id=name, due_at=app.now() + LIFE)
    return (await app.store.commit(Add(draft))).of(draft)


def used(app: App, draft: SecretDraft) -> Swap:
    """In the commit that puts a secret to use, by whom may delete no record: the next sweep looks for strays and deletes."""
    return Swap(draft.model_copy(update={"fenced": True, "due_at": app.now()}))


async def give_up(app: App, draft: SecretDraft) -> None:
    """What this attempt wrote is not wanted, by whom may destroy nothing: the next sweep hands it on."""
    with suppress(ConflictError):  # It is fenced already, and looked after.
        await app.store.commit(used(app, draft))


def emptied(app: App, name: str) -> Add:
    """What has the name of a destroyed secret removed from the vault: due at once, the next sweep hands it on.

    For a channel or webhook, in the commit that removes its record: its id never comes back.
    """
    return Add(SecretDraft(id=new_id("draft"), connection_id=name, due_at=app.now(), fenced=True))


async def sweep(app: App, now: datetime) -> int:
    """Hand what dead attempts left behind to whoever may remove it; the answer is how many drafts there were."""
    due = await app.store.find(SecretDraft, Where("due_at", "<=", now), limit=SWEPT_AT_ONCE)
    left = dict.fromkeys(draft.connection_id for draft in due.items)
    await app.queue.publish(*(PurgeRequested(connection_id=id) for id in left))
    return len(due.items)


async def fence(app: App, name: str) -> None:
    """Let no attempt that is under way put its secret of this name to use. Raises `ConflictError` when others interfere."""
    for _ in range(_TRIES):
        at_work = [draft async for draft in _drafts(app, name) if not draft.fenced]
        try:
            for draft in at_work:
                await app.store.commit(Swap(draft.model_copy(update={"fenced": True})))
        except ConflictError:
            continue
        return
    raise ConflictError(f"Too many write secrets of {name} at once.")


async def is_at_work(app: App, name: str, *, but: str | None = None) -> bool:
    """Does somebody, `but` the draft of this id, still mean to put a secret of this name to use? He tidies up then."""
    return any([not draft.fenced and draft.id != but async for draft in _drafts(app, name)])


async def settle(app: App, name: str) -> None:
    """Destroy what attempts that died wrote under this name.

    Each is looked after twice, `LIFE` apart: one that slept may have written after the first time.
    """
    due = [draft async for draft in _drafts(app, name) if draft.due_at <= app.now()]
    if not due:
        return
    again = [draft for draft in due if not draft.fenced]
    if again:
        later = {"fenced": True, "due_at": app.now() + LIFE}
        await app.store.commit(*(Swap(draft.model_copy(update=later)) for draft in again))
    if await clear(app, name):
        over = [draft for draft in due if draft.fenced]
        await app.store.commit(*(Delete(SecretDraft, draft.id, draft.version) for draft in over))


async def clear(app: App, name: str) -> bool:
    """Destroy what is not in use of this name, and the name where nobody could use it; False when somebody is at work."""
    seen = await app.vault.versions(name)
    if await is_at_work(app, name):
        return False
    is_known, reference = await _in_use(app, name)
    await app.vault.destroy(name, keep=reference, only=seen)
    if not is_known:
        await app.vault.remove(name)
    return True


async def _drafts(app: App, name: str) -> AsyncIterator[SecretDraft]:
    cursor: str | None = None
    while True:
        page = await app.store.find(SecretDraft, Where("connection_id", "==", name), cursor=cursor)
        for draft in page.items:
            yield draft
        cursor = page.next_cursor
        if cursor is None:
            return


async def _in_use(app: App, name: str) -> tuple[bool, str | None]:
    """Is there a record that secrets of this name are written for, and which of them it names."""
    # Not at the top: a purge with nothing to do should load none of it.
    from hedgerow import alert_traces
    from hedgerow.capture_rules import CaptureRules, connection_of_hash_key

    if (connection_id := connection_of_hash_key(name)) is not None:
        rules = await app.store.get(CaptureRules, connection_id)
        return rules is not None, rules.hash_key_ref if rules else None
    if (kind := alert_traces.address_of(name)) is not None:
        address = await app.store.get(kind, name)
        return address is not None, address.secret_ref if address else None
    connection = await app.store.get(Connection, name)
    return connection is not None, connection.secret_ref if connection else None
