"""The tick: what only time decides, bounded and cheap; and what is too old goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import acting, retiring, ticking
from functions.alerts.notifying.gathering import thread_id
from functions.alerts.records import Incident, Notification, RuleState, Thread
from functions.alerts.spec import BacklogSeries, Policy
from hedgerow import activity
from hedgerow.deliveries import Delivery, hour_of
from hedgerow.ports import Add, Delete, Where
from hedgerow.records import new_id
from tests.crash import CountingStore, Ledger
from tests.functions.alerts.incident_stage import YESTERDAY, AlertStage, alert_stage
from tests.stage import staged


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


async def waiting_delivery(alerts: AlertStage) -> Delivery:
    now = alerts.stage.clock()
    return await alerts.stage.add(
        Delivery(
            id=new_id("dlv"),
            tenant_id=alerts.tenant.id,
            connection_id=alerts.connection_id,
            state="pending",
            accepted_at=now,
            hour=hour_of(now),
            due_at=now,
            shard=0,
            count=1,
            size=1,
            payload=b"1",
            chunks=0,
        )
    )


async def test_nothing_due_costs_a_handful_of_reads_and_no_write(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.evaluate()
    ledger = Ledger()
    done = await ticking.tick(replace(alerts.app, store=CountingStore(alerts.stage.store, ledger)))
    assert not any(done.values())
    assert (ledger.writes, ledger.deletes) == (0, 0)
    assert ledger.reads <= 14


async def test_the_end_of_a_cool_down_opens_what_still_fires(alerts: AlertStage) -> None:
    await alerts.rule(policy=Policy(cooldown_minutes=60 * 24 * 2))
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.day_passes(100)
    await alerts.evaluate()
    ended = alerts.stage.clock()
    await alerts.day_passes(10)
    await alerts.evaluate()
    assert len(await alerts.incidents()) == 1
    alerts.stage.clock.at = ended + timedelta(days=2, seconds=-1)
    await ticking.tick(alerts.app)
    assert len([each for each in await alerts.incidents() if each.rule_name == "DAU drop"]) == 1
    alerts.stage.clock.forward(timedelta(seconds=1))
    await ticking.tick(alerts.app)
    assert len([each for each in await alerts.incidents() if each.rule_name == "DAU drop"]) == 2


async def test_a_backlog_is_looked_at_every_five_minutes(alerts: AlertStage) -> None:
    await alerts.rule("backlog", Threshold(above=900), BacklogSeries())
    await alerts.evaluate()
    delivery = await waiting_delivery(alerts)
    for _ in range(3):
        alerts.stage.clock.forward(timedelta(minutes=5))
        assert (await ticking.tick(alerts.app))["judged"] == 1
        assert await alerts.incidents() == []
    alerts.stage.clock.forward(timedelta(minutes=5))
    await ticking.tick(alerts.app)
    assert (await alerts.incident()).state == "open"
    await alerts.stage.store.commit(Delete(Delivery, delivery.id))
    alerts.stage.clock.forward(timedelta(minutes=5))
    await ticking.tick(alerts.app)
    assert (await alerts.incident()).state == "resolved"


async def test_the_tick_ends_what_a_disconnection_left_open(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.change_connection(state="disconnected", secret_ref=None, due_at=None)
    alerts.stage.clock.forward(timedelta(minutes=30))
    assert (await ticking.tick(alerts.app))["resolved"] == 1
    assert await alerts.told() == ["opened"]


async def test_states_of_a_purged_connection_go(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    connection = await alerts.connection()
    await alerts.stage.store.commit(Delete(type(connection), connection.id))
    alerts.stage.clock.forward(timedelta(minutes=30))
    assert (await ticking.tick(alerts.app))["states"] == 1
    assert await alerts.states() == []


async def test_a_snoozed_rule_is_looked_at_when_its_snooze_ends(alerts: AlertStage) -> None:
    until = alerts.stage.clock() + timedelta(minutes=50)
    await alerts.rule(snoozed_until=until)
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    assert await alerts.incidents() == []
    alerts.stage.clock.at = until
    await ticking.tick(alerts.app)
    assert (await alerts.incident()).opened_at == until


async def test_what_is_too_old_goes_and_what_is_open_stays(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    incident = await alerts.incident()
    now = alerts.stage.clock()
    thread = Thread(
        id=thread_id(incident.id, alerts.channel.id),
        connection_id=alerts.connection_id,
        reference={"ts": "1"},
        told_at=now,
    )
    happened = activity.entry("run.succeeded", alerts.tenant.id, alerts.connection_id, now, {}, "run_1")
    await alerts.stage.store.commit(Add(thread), Add(happened))
    alerts.stage.clock.at = now + timedelta(days=retiring.NOTIFICATION_DAYS)
    await retiring.retire(alerts.app)
    assert await alerts.notifications() == []
    alerts.stage.clock.at = now + timedelta(days=activity.KEPT_DAYS)
    await retiring.retire(alerts.app)
    assert await alerts.activities() == []
    alerts.stage.clock.at = now + timedelta(days=retiring.INCIDENT_DAYS)
    await retiring.retire(alerts.app)
    assert (await alerts.incident()).state == "open"
    await acting.resolve_of_rule(alerts.app, await alerts.connection(), rule, "Enough.")
    assert (await retiring.retire(alerts.app))[Incident.collection] == 1
    assert await alerts.incidents() == []
    mine = Where("connection_id", "==", alerts.connection_id)
    assert await alerts.stage.store.count(Thread, mine) == 0
    assert await alerts.stage.store.count(RuleState, mine) == 1
    assert await alerts.stage.store.count(Notification, mine) == 1, "the resolution was told just now"
