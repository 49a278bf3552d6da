"""Disconnecting a connection: the state first, then the credential, then what the state forbids.

Begun by the store: the swap to `disconnecting` decides, everything after it may run
twice or die, and `sweep` hands what was left lying to `purge_connection`: a tick may
destroy nothing. Removing history is not done here: it is announced as `PurgeRequested`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hedgerow import drafts
from hedgerow.activity import Activity, Scalar, entry
from hedgerow.app import App
from hedgerow.errors import ConflictError
from hedgerow.messages import PurgeRequested, RunEnded
from hedgerow.models import Connection, SyncRun, TokenClaim, Trouble
from hedgerow.ports import Add, Change, Delete, Swap, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.records import derived_id

# One finisher at a time, to spare the second one the work.
LEASE = timedelta(seconds=30)
PAGE = 100
RUN_PAGES = 4
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Begun:
    """A connection on its way out. `mine`: whoever began it here is the one to `finish` it."""

    connection: Connection
    mine: bool


async def begin(app: App, connection: Connection, *, purge: bool = False, refuse_traffic: bool = False) -> Begun:
    """Swap to `disconnecting`, due never, and take the finishing, unless somebody has it.

    Safe to repeat: what was asked for before stays asked for. Raises `ConflictError` when
    others keep writing the connection.
    """
    for _ in range(_TRIES):
        begun = _begun(app.now(), connection, purge=purge, refuse_traffic=refuse_traffic)
        if begun.connection == connection:
            return begun
        try:
            written = await app.store.commit(Swap(begun.connection))
            return Begun(written.of(begun.connection), begun.mine)
        except ConflictError:
            current = await app.store.get(Connection, connection.id)
            if current is None:
                return Begun(connection, mine=False)
            connection = current
    raise ConflictError(f"Connection {connection.id} changed too often while it was disconnected.")


async def finish(app: App, connection: Connection) -> Connection:
    """Carry out what `begin` decided, by the one whose it is, and ask for the purge; the connection as it then stands."""
    connection = await end(app, connection)
    if connection.state == "disconnecting":
        await app.queue.publish(PurgeRequested(connection_id=connection.id))
    return connection


async def end(app: App, connection: Connection) -> Connection:
    """As `finish`, by the one who purges, who need not be asked to.

    The credential goes first. A purge stays `disconnecting` until it is done; else the
    connection is `disconnected`, its history kept as the tier says.
    """
    for _ in range(_TRIES):
        is_purge = connection.disconnect_purge
        names = (connection.id, *_hash_keys(connection.id)) if is_purge else (connection.id,)
        current = await _destroyed(app, connection.id, names)
        if current is None or current.state != "disconnecting":
            return current or connection
        connection = current
        if connection.disconnect_purge != is_purge:
            continue
        if not connection.disconnect_purge:
            await _fail_pending_runs(app, connection)
        over = _finished(app, connection)
        try:
            changes = (Swap(over), *await _token(app, over), *await _told(app, connection))
            connection = (await app.store.commit(*changes)).of(over)
            break
        except ConflictError:
            continue  # Perhaps it came back, and this is another ending: its credential must go as well.
    else:
        raise ConflictError(f"Connection {connection.id} changed too often while it was disconnected.")
    if not connection.disconnect_purge:
        # Its alert rules are looked at once more, which ends what they have open; a tick would, later.
        await app.queue.publish(RunEnded(connection_id=connection.id, run_id="disconnected"))
    return connection


def _hash_keys(id: str) -> tuple[str, ...]:
    from hedgerow.capture_rules import hash_key_names

    # Without its key a hash says nothing any more. A disconnection that keeps its history keeps the key too: whoever
    # connects again finds the same persons.
    return hash_key_names(id)


async def _destroyed(app: App, id: str, names: tuple[str, ...]) -> Connection | None:
    """The connection as it stands, what was written under these names destroyed if it is still ending.

    Nobody who connects afterwards can use what was seen before: this may come as late as it likes.
    """
    seen = {name: await app.vault.versions(name) for name in names}
    for name in names:
        await drafts.fence(app, name)
    connection = await app.store.get(Connection, id)
    if connection is not None and connection.state == "disconnecting":
        for name in names:
            await app.vault.destroy(name, only=seen[name])
    return connection


async def sweep(app: App) -> int:
    """Hand on the connections that somebody began to disconnect and left; how many there were."""
    swept = 0
    cursor: str | None = None
    while True:
        page = await app.store.find(Connection, Where("state", "==", "disconnecting"), limit=PAGE, cursor=cursor)
        left = [one.id for one in page.items if one.finishing_until is None or one.finishing_until <= app.now()]
        await app.queue.publish(*(PurgeRequested(connection_id=id) for id in left))
        swept += len(left)
        cursor = page.next_cursor
        if cursor is None:
            return swept


def receipt_id(purged_id: str) -> str:
    """The id of the receipt of a connection's, or a tenant's, latest purge."""
    return derived_id("rcp", purged_id)


async def release_token(app: App, connection: Connection) -> list[Change]:
    """The change that frees the project token, if it is still this connection's."""
    if connection.project_token is None:
        return []
    claim = await app.store.get(TokenClaim, claim_id(connection.project_token))
    if claim is None or claim.connection_id != connection.id:
        return []
    return [Delete(TokenClaim, claim.id, claim.version)]


def _begun(now: datetime, connection: Connection, *, purge: bool, refuse_traffic: bool) -> Begun:
    """What to write, the same record when nothing. Who finishes keeps the finishing until its lease ends."""
    purge, refuse = purge or connection.disconnect_purge, refuse_traffic or connection.refuse_traffic
    wishes = {"disconnect_purge": purge, "refuse_traffic": refuse}
    is_more = (purge, refuse) != (connection.disconnect_purge, connection.refuse_traffic)
    if connection.state == "disconnected" and not is_more:
        return Begun(connection, mine=False)
    if connection.state == "disconnecting":
        if connection.finishing_until is not None and connection.finishing_until > now:
            return Begun(connection.model_copy(update=wishes), mine=False)
        return Begun(connection.model_copy(update={**wishes, "finishing_until": now + LEASE}), mine=True)
    begun: dict[str, object] = {"state": "disconnecting", "state_since": now, "due_at": None, "trouble": None}
    return Begun(connection.model_copy(update={**wishes, **begun, "finishing_until": now + LEASE}), mine=True)


def _finished(app: App, connection: Connection) -> Connection:
    update: dict[str, object] = {"secret_ref": None, "key_since": None}
    if not connection.disconnect_purge:
        update |= {"state": "disconnected", "state_since": app.now(), "finishing_until": None}
    return connection.model_copy(update=update)


async def _token(app: App, connection: Connection) -> list[Change]:
    # Kept for whoever still sends: traffic passes straight through until it is refused. A purge frees and counts it.
    return await release_token(app, connection) if connection.refuse_traffic and not connection.disconnect_purge else []


async def _told(app: App, connection: Connection) -> list[Change]:
    """That it is disconnected, once: a purge passes here again when it died before it was announced.

    A purge takes the connection's activity too; this entry, which must still be told, is not among it.
    """
    fields: dict[str, Scalar | list[str]] = {
        "connection_id": connection.id,
        "name": connection.name,
        "host": connection.host,
        "project_id": connection.project_id,
        "purge": connection.disconnect_purge,
    }
    since = connection.state_since.isoformat()
    whose = None if connection.disconnect_purge else connection.id
    told = entry("connection.disconnected", connection.tenant_id, whose, app.now(), fields, connection.id, since)
    return [] if await app.store.get(Activity, told.id) is not None else [Add(told)]


async def _fail_pending_runs(app: App, connection: Connection) -> None:
    """End the runs that wait, newest first. One that runs loses at its next write; one missed here fails when its turn comes."""
    trouble = Trouble(
        code="disconnected",
        detail="The connection was disconnected before this run began.",
        hint="Connect the project again, then refresh.",
    )
    cursor: str | None = None
    for _ in range(RUN_PAGES):
        page = await app.store.find(SyncRun, Where("connection_id", "==", connection.id), limit=PAGE, cursor=cursor)
        for run in page.items:
            is_whole = run.parts > 1 and run.whole_id is None
            if run.state != "pending" and not (is_whole and run.state == "running"):
                continue
            over = run.model_copy(
                update={"state": "failed", "error": trouble, "finished_at": app.now(), "due_at": None}
            )
            try:
                await app.store.commit(Swap(over))
            except ConflictError:
                continue  # It was claimed just now, and will find the connection gone.
        cursor = page.next_cursor
        if cursor is None:
            return
