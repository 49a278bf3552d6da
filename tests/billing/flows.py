"""What everything beside the syncs is billed: ticks over nothing, capture, redelivery, judging, telling, forgetting.

Each is measured as one more of it: the cost with some, less the cost with none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from functions.alerts.incidents import after_runs, ticking
from functions.alerts.notifying import notifying
from functions.capture.redelivery import redelivering
from functions.sync import retention
from hedgerow.activity import Activity, entry
from hedgerow.messages import NotificationDue, RunEnded
from hedgerow.models import SyncRun, Tenant
from hedgerow.records import new_id
from tests.billing.bill import Bill, Operations, billed
from tests.functions.alerts.incident_stage import TODAY, YESTERDAY, AlertStage, alert_stage
from tests.functions.alerts.notifying_room import notifying_room
from tests.functions.capture.accept_room import room as capture_room
from tests.functions.capture.counting_upstream import Batch
from tests.functions.capture.redelivery_room import events, room, upstream
from tests.stage import staged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hedgerow.app import App
    from tests.stage import Stage

SOME = 20
ANSWERED = Operations(reads=1)
"""A question that finds something does not cost, on top, what one costs that finds nothing."""


async def alerts_tick() -> Operations:
    """A tick of the alerts over nothing."""
    async with staged() as stage:
        return await _cost(stage.app, ticking.tick)


async def redeliver_tick() -> Operations:
    """A tick of redelivery while the outbox is empty."""
    async with staged() as stage:
        return await _cost(stage.app, redelivering.redeliver)


async def retention_tick() -> Operations:
    """A tick of retention with nothing to forget and no connection to trim."""
    async with staged() as stage:
        return await _cost(stage.app, retention.retain)


async def lookup_and_count() -> tuple[Operations, Operations]:
    """What capture reads to know a project, and what it writes when it counts what one connection accepted."""
    bill = Bill()
    async with capture_room(before=lambda app: billed(app, bill)) as capture:
        token = await capture.project()
        costs: list[Operations] = []
        for _ in range(2):
            before = bill.so_far
            (await capture.v0(token, events(1))).raise_for_status()
            await capture.host.counts.flush()
            costs.append(bill.so_far - before)
        return costs[0] - costs[1], costs[1]


async def kept_and_redelivered() -> tuple[Operations, Operations]:
    """A request whose events PostHog did not take: keeping it, beyond counting it; and its way out of the outbox."""
    _, counted = await lookup_and_count()
    bill = Bill()
    async with capture_room(refusing, before=lambda app: billed(app, bill)) as capture:
        token = await capture.project()
        costs: list[Operations] = []
        for _ in range(2):
            before = bill.so_far
            (await capture.v0(token, events(1))).raise_for_status()
            await capture.host.counts.flush()
            costs.append(bill.so_far - before)
    async with upstream() as posthog, room(posthog) as outbox:
        connection = await outbox.connection(posthog.origin)
        for _ in range(SOME):
            await outbox.kept(connection, events(10))
        outbox.stage.clock.forward(timedelta(minutes=1))
        sent = await _cost(outbox.stage.app, redelivering.redeliver)
    return costs[1] - counted, (sent - await redeliver_tick()).times(1 / SOME)


async def evaluation(rules: int) -> Operations:
    """Judging a connection's rules again when a sync of it has ended; nothing changed."""
    async with staged() as stage:
        alerts = await alert_stage(stage)
        for number in range(rules):
            await alerts.rule(f"rule {number}")
        await alerts.evaluate()
        return await _evaluated(alerts)


async def incident() -> Operations:
    """An evaluation that opens an incident, beyond one that changes nothing."""
    async with staged() as stage:
        alerts = await alert_stage(stage)
        await alerts.rule()
        await alerts.evaluate()
        quiet = await _evaluated(alerts)
        stage.clock.forward(timedelta(days=1))
        await alerts.points({YESTERDAY: 100, TODAY: 1})
        opened = await _evaluated(alerts)
        assert len(await alerts.incidents()) == 1
        return opened - quiet


async def notification() -> Operations:
    """One message to one channel."""
    async with notifying_room() as told:
        rule = await told.rule(await told.channel())
        (id,) = await told.ids(await told.opened(rule))
        bill = Bill()
        await notifying.notify(billed(told.app, bill), NotificationDue(notification_id=id))
        assert [each.state for each in await told.told()] == ["sent"]
        return bill.so_far


async def activity() -> Operations:
    """Something told of a tenant without webhooks: looked at by a tick, forgotten after 90 days."""
    async with staged() as stage:
        tenant = await stage.tenant()
        idle = await _cost(stage.app, ticking.tick)
        for number in range(SOME):
            await stage.add(_told(stage, tenant, number))
        queued = await _cost(stage.app, ticking.tick)
        stage.clock.forward(timedelta(days=91))
        forgotten = await _cost(stage.app, ticking.tick)
        return (queued + forgotten - idle.times(2)).times(1 / SOME)


async def run_forgotten() -> Operations:
    """A run, 90 days later."""
    async with staged() as stage:
        idle = await _cost(stage.app, retention.retain)
        connection = await stage.connection(await stage.tenant())
        for number in range(SOME):
            now = stage.clock()
            run = SyncRun(
                id=f"run_{number}",
                connection_id=connection.id,
                tenant_id=connection.tenant_id,
                kind="scheduled",
                state="succeeded",
                from_day=now.date(),
                to_day=now.date(),
                created_at=now,
            )
            await stage.add(run)
        stage.clock.forward(timedelta(days=91))
        return (await _cost(stage.app, retention.retain) - idle + ANSWERED).times(1 / SOME)


async def trimmed() -> Operations:
    """What an hour's retention asks about a connection whose tier forgets, when there is nothing to forget."""
    async with staged() as stage:
        idle = await _cost(stage.app, retention.retain)
        tenant = await stage.tenant("basic")
        for _ in range(SOME):
            await stage.connection(tenant)
        return (await _cost(stage.app, retention.retain) - idle + ANSWERED).times(1 / SOME)


def refusing(batch: Batch) -> web.StreamResponse:
    """A PostHog that is ill."""
    return web.Response(status=500)


def _told(stage: Stage, tenant: Tenant, number: int) -> Activity:
    return entry("run.succeeded", tenant.id, None, stage.clock(), {}, str(number))


async def _evaluated(alerts: AlertStage) -> Operations:
    message = RunEnded(connection_id=alerts.connection_id, run_id=new_id("run"))
    return await _cost(alerts.app, lambda app: after_runs.evaluate(app, message))


async def _cost(app: App, work: Callable[[App], Awaitable[object]]) -> Operations:
    bill = Bill()
    await work(billed(app, bill))
    return bill.so_far
