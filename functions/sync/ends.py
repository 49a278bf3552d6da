"""How a run ends in the store: what follows is announced, then the run is committed, with its whole and its telling."""

from __future__ import annotations

from functions.sync import outcomes, telling
from hedgerow import tiers
from hedgerow.app import App
from hedgerow.errors import HedgerowError
from hedgerow.logs import log
from hedgerow.messages import Message, RunEnded, SyncRequested
from hedgerow.models import Connection, SyncRun
from hedgerow.ports import Add, Change, Swap


async def end(app: App, run: SyncRun) -> None:
    """Announce and commit a run that ends without its connection being written."""
    await app.queue.publish(*await following(app, run, is_news=True))
    await app.store.commit(Swap(run), *await changes_with(app, run))


async def give_up(app: App, run: SyncRun, connection: Connection, error: HedgerowError) -> None:
    """Announce and commit a run that may not be begun again, with what that means for its connection."""
    ended = outcomes.failed(run, connection, None, error, tiers.load(app.settings.tiers_file), app.now())
    await app.queue.publish(*await following(app, ended.run, is_news=True))
    await app.store.commit(Swap(ended.run), Swap(ended.connection), *await changes_with(app, ended.run, connection))
    log().error("sync.given_up", run_id=run.id, connection_id=connection.id, attempts=run.attempts)


async def changes_with(app: App, run: SyncRun, before: Connection | None = None) -> list[Change]:
    """What is committed together with a run that ends: the run the user asked for, when this is a part of it, and its telling.

    `before` is the connection as the run found it.
    """
    if run.state not in ("succeeded", "failed"):
        return []
    changes: list[Change] = []
    whole = await app.store.get(SyncRun, run.whole_id) if run.whole_id is not None else run
    if run.whole_id is not None:
        if whole is None or whole.state in ("succeeded", "failed"):
            return []
        whole = outcomes.whole_after(whole, run, app.now())
        changes.append(Swap(whole))
    if whole is not None:
        after_trouble = before is not None and outcomes.had_failed(before)
        changes += [Add(told) for told in telling.run_ended(whole, app.now(), after_trouble=after_trouble)]
    return changes


async def following(app: App, run: SyncRun, *, is_news: bool) -> list[Message]:
    """What a run's end announces: the next part, the runs that waited for it, and the end itself where it `is_news`."""
    if run.state not in ("succeeded", "failed"):
        return []
    messages: list[Message] = []
    if run.next_part_id:
        messages.append(SyncRequested(connection_id=run.connection_id, run_id=run.next_part_id))
    # Every connection to the project waits for the one slot, other tenants' too: each run goes on under its own.
    waiting = await app.store.get_many(SyncRun, run.waiting) if run.waiting else []
    messages += [SyncRequested(connection_id=one.connection_id, run_id=one.id) for one in waiting if one is not None]
    if is_news:
        messages.append(RunEnded(connection_id=run.connection_id, run_id=run.id))
    return messages


def is_news(run: SyncRun, before: Connection) -> bool:
    """Is there something to look at? A quiet sync of a connection nobody watches says nothing.

    `before` is the connection as the run found it: a success may have ended its failures.
    """
    return run.state == "failed" or run.points > 0 or before.is_watched or outcomes.had_failed(before)
