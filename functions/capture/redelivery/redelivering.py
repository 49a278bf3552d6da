"""A tick of redelivery: everything that is due goes to PostHog again, until nothing is or the minute is nearly over.

A doubled tick finds the lease taken and does nothing. A tick that dies leaves deliveries
pending as they were: what it had sent and not written down is sent again, the same rows
in PostHog.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from functions.capture.redelivery import backlog
from hedgerow import telemetry
from hedgerow.logs import log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from functions.capture.redelivery.draining import Tick
    from hedgerow.app import App


async def redeliver(app: App) -> dict[str, object]:
    """Drain what is due. The answer counts events by what became of them, and deliveries that failed or were split."""
    if not await backlog.is_anything_waiting(app):
        log().info("outbox.state", oldest_seconds=0, waiting=0)
        telemetry.record(app, telemetry.OUTBOX_OLDEST, 0)
        return {"waiting": False}
    # Most ticks find nothing, and start without what sends.
    from functions.capture.redelivery import oldness
    from functions.capture.redelivery.drain_lease import Lease
    from functions.capture.redelivery.draining import Tick
    from functions.capture.redelivery.settling import Settling

    lease = await Lease.take(app)
    if lease is None:
        return {"waiting": True, "busy": True}
    tick = Tick(app, lease, Settling(app))
    try:
        async with _beside(lease.keep(), tick.settling.run()):
            await _rounds(tick)
            await tick.settling.flush()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        await lease.release()
    done: dict[str, object] = {**tick.done, "closed": len(tick.closed), "lost": lease.is_lost}
    log().info("redelivery.done", **done)
    for outcome, events in tick.done.items():
        telemetry.record(app, telemetry.DELIVERIES, events, outcome=outcome)
    await oldness.tell(app)
    return {"waiting": True, **done}


async def _rounds(tick: Tick) -> None:
    """Look for what is due and drain it, again and again: halves of refused batches, and what came meanwhile."""
    from functions.capture.redelivery.draining import Drain

    while not tick.is_over():
        upstreams = [found for found in await backlog.upstreams(tick.app, tick.lame) if found.origin not in tick.closed]
        if not upstreams:
            return
        async with asyncio.TaskGroup() as group:
            for upstream in upstreams:
                group.create_task(Drain(tick, upstream).run())
        await tick.settling.flush()


@asynccontextmanager
async def _beside(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Work without an end, done beside the block; when it fails, so does the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        for task in tasks:
            task.cancel()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What happened first: the entry point knows errors, not groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
