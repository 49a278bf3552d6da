"""The alerts' tick, every minute: what only time decides, what a crash left, connections in trouble, what is too old.

Each part does a bounded piece and costs one question when nothing is due; the next tick
goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable

from functions.alerts.incidents import retiring
from functions.alerts.notifying import sweeping
from functions.alerts.tick_records import RuleState
from hedgerow import tiers, walks
from hedgerow.app import App
from hedgerow.errors import HedgerowError, InvalidError
from hedgerow.logs import log
from hedgerow.models import Connection, ConnectionState, RetentionWalk, Tier
from hedgerow.ports import Delete, Where
from hedgerow.records import Index, Instant, Record

PAGE = 100
MOST_DUE = 500
OVERDUE = 2
"""Intervals that a connection's due time lies in the past when nothing syncs it any more."""


class TroubledConnection(Record):
    """What the tick reads of a connection that needs attention."""

    collection = Connection.collection
    indexes = (Index("state", "-created_at"),)
    partial = True

    state: ConnectionState
    created_at: Instant


class OverdueConnection(Record):
    """What the tick reads of a connection that nothing syncs."""

    collection = Connection.collection
    indexes = (Index("tier", "due_at"),)
    partial = True

    tier: Tier
    due_at: Instant | None = None


async def tick(app: App) -> dict[str, int]:
    """What was done, counted. A part that fails is logged, and stops no other."""
    done: Counter[str] = Counter()
    for part in (_due, _troubled, _overdue, retiring.retire, sweeping.sweep):
        done.update(await _bounded(part(app)))
    log().info("alerts.ticked", **done)
    return dict(done)


async def _bounded(part: Awaitable[dict[str, int]]) -> dict[str, int]:
    done, failure = await _kept_apart(part)
    if failure is not None:
        log().warning("alerts.tick_unfinished", **failure)
        return {"unfinished": 1}
    return done


async def _kept_apart(work: Awaitable[dict[str, int]]) -> tuple[dict[str, int], dict[str, str] | None]:
    """What the work counted, or how it failed. In a task of its own, so that not even a bug in it stops what follows."""
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    if isinstance(outcome, HedgerowError):
        return {}, {"code": outcome.code, "detail": outcome.detail}
    if isinstance(outcome, Exception):
        return {}, {"code": type(outcome).__name__, "detail": str(outcome)[:300]}
    if isinstance(outcome, BaseException):
        raise outcome  # The process is to end.
    return outcome, None


async def _due(app: App) -> dict[str, int]:
    """Rules whose time has come: cool-downs and snoozes that ended, data that may have arrived, backlogs."""
    done: Counter[str] = Counter()
    page = await app.store.find(RuleState, Where("due_at", "<=", app.now()), limit=MOST_DUE)
    rules: dict[str, set[str]] = {}
    for state in page.items:
        rules.setdefault(state.connection_id, set()).add(state.rule_id)
    for connection_id, only in rules.items():
        connection = await app.store.get(Connection, connection_id)
        if connection is None:
            # It was purged while a rule of it was judged.
            orphans = [state for state in page.items if state.connection_id == connection_id]
            await app.store.commit(*(Delete(RuleState, state.id) for state in orphans))
            done["states"] += len(orphans)
            continue
        done["judged"] += len(only)
        done.update(await _judged(app, connection, only))
    return done


async def _judged(app: App, connection: Connection, only: set[str]) -> dict[str, int]:
    """Judge these rules; an error of one connection is told and does not stop the others."""
    from functions.alerts.incidents import evaluating

    done, failure = await _kept_apart(evaluating.evaluate_connection(app, connection, only))
    if failure is not None:
        log().warning("alerts.unjudged", connection_id=connection.id, **failure)
        return {"failed": 1}
    return done


async def _troubled(app: App) -> dict[str, int]:
    """Connections that need attention: each is told of once."""
    return await _walk(app, TroubledConnection, "needs_attention", Where("state", "==", "needs_attention"))


async def _overdue(app: App) -> dict[str, int]:
    """Connections that should have been synced two intervals ago."""
    done: Counter[str] = Counter()
    for tier, rules in tiers.load(app.settings.tiers_file).items():
        if rules.every is not None:
            late = Where("due_at", "<=", app.now() - OVERDUE * rules.every)
            done.update(await _walk(app, OverdueConnection, f"overdue:{tier}", Where("tier", "==", tier), late))
    return done


async def _walk(
    app: App, kind: type[TroubledConnection | OverdueConnection], name: str, *where: Where
) -> dict[str, int]:
    """One page of these connections, from where the last tick stopped; at the end the walk begins anew."""
    id = f"alerts:{name}"
    walk = await app.store.get(RetentionWalk, id)
    try:
        page = await app.store.find(kind, *where, limit=PAGE, cursor=walk.cursor if walk is not None else None)
    except InvalidError:  # A cursor of an older revision's index.
        page = await app.store.find(kind, *where, limit=PAGE)
    done = await _unwell(app, [found.id for found in page.items])
    await walks.remember(app, walk, id, page.next_cursor)
    return done


async def _unwell(app: App, connection_ids: list[str]) -> dict[str, int]:
    """Judge the health of those of which no incident is open yet."""
    done: Counter[str] = Counter()
    if not connection_ids:
        return done
    from functions.alerts.incidents import health, machine

    rule_ids = [health.rule_id(connection_id) for connection_id in connection_ids]
    states = await app.store.get_many(RuleState, [machine.state_id(rule_id, None) for rule_id in rule_ids])
    for connection_id, rule_id, state in zip(connection_ids, rule_ids, states, strict=True):
        if state is not None and state.phase != "quiet":
            continue  # It is open, or held back until it is due.
        connection = await app.store.get(Connection, connection_id)
        if connection is not None:
            done["unwell"] += 1
            done.update(await _judged(app, connection, {rule_id}))
    return done
