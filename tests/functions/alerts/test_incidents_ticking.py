"""The tick: what only time decides, bounded and cheap; and what is too old goes."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import evaluating, retiring, ticking
from functions.alerts.notifying.gathering import thread_id
from functions.alerts.records import Incident, Notification, RuleState, Thread
from functions.alerts.spec import BacklogSeries, Policy
from hedgerow import activity, months
from hedgerow.deliveries import Delivery, hour_of
from hedgerow.models import MetricMonth
from hedgerow.ports import Add, Delete, Page, Swap, Where
from hedgerow.records import Record, new_id
from tests.crash import CountingStore, Ledger
from tests.functions.alerts.incident_stage import YESTERDAY, AlertStage, alert_stage, at
from tests.stage import staged

R = TypeVar("R", bound=Record)


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


class BrokenStates(CountingStore):
    """Rule states cannot be found, for a reason nobody thought of."""

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        if issubclass(kind, RuleState):
            raise ZeroDivisionError
        return await super().find(kind, *where, limit=limit, cursor=cursor)


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
    off = await alerts.change_rule(rule, enabled=False)
    await evaluating.judge_rule(alerts.app, await alerts.connection(), off)
    assert (await retiring.retire(alerts.app))[Incident.collection] == 1
    assert await alerts.incidents() == []
    mine = Where("connection_id", "==", alerts.connection_id)
    assert await alerts.stage.store.count(Thread, mine) == 0
    assert await alerts.stage.store.count(RuleState, mine) == 1
    assert await alerts.stage.store.count(Notification, mine) == 1, "the resolution was told just now"


async def test_a_tenant_whose_records_are_broken_stops_nobody_else(alerts: AlertStage) -> None:
    """What no error of Hedgerow's says: the month of one connection cannot be read at all."""
    other = await alert_stage(alerts.stage)
    for each in (alerts, other):
        await each.rule(snoozed_until=at(alerts.stage, minutes=30))
        await each.points({YESTERDAY: 20})
        await each.evaluate()
    first = (await alerts.stage.store.find(RuleState, Where("due_at", ">", alerts.stage.clock()), limit=1)).items[0]
    broken, sound = (alerts, other) if first.connection_id == alerts.connection_id else (other, alerts)
    id = months.record_id(broken.connection_id, f"{YESTERDAY:%Y-%m}")
    held = await alerts.stage.store.get(MetricMonth, id)
    assert held is not None
    await alerts.stage.store.commit(Swap(held.model_copy(update={"packed": b"no month"})))
    with pytest.raises(zlib.error):
        await broken.evaluate()
    alerts.stage.clock.forward(timedelta(minutes=31))
    done = await ticking.tick(alerts.app)
    assert (done["failed"], done.get("unfinished")) == (1, None)
    assert (await sound.incident()).state == "open"
    assert await broken.incidents() == []


async def test_notifications_are_swept_though_every_other_part_fails(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    before = await alerts.announced()
    alerts.stage.clock.forward(timedelta(minutes=20))
    done = await ticking.tick(replace(alerts.app, store=BrokenStates(alerts.stage.store, Ledger())))
    assert done["unfinished"] >= 1
    assert len(await alerts.announced()) > len(before)
