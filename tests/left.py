"""A connection with everything a connection can leave behind, and what is left of it. For the endings' tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from pydantic import SecretStr

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.records import AlertRule, Incident, Notification, RuleState, Thread
from functions.alerts.spec import MetricSeries
from hedgerow import hours
from hedgerow.activity import Activity, entry
from hedgerow.capture_rules import CaptureRules, CatalogRules, CatalogVersion, hash_key_name, hash_key_names
from hedgerow.deliveries import Delivery, DeliveryChunk, chunk_id, hour_of
from hedgerow.hours import HOUR, HourMonth, HourPoint, Hours
from hedgerow.last_answers import LastAnswer
from hedgerow.models import (
    ChangeSet,
    Connection,
    MetricMonth,
    QueryText,
    RunState,
    SyncRun,
    Tenant,
    TokenClaim,
    ValueChange,
)
from hedgerow.ports import Add, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.records import Record, new_id
from hedgerow.sealed_secrets import SealedSecret
from hedgerow.tallies import CaptureCount, CountRow
from tests.stage import Stage

TODAY = date(2026, 11, 20)
TOKEN = "phc_of_the_shop"
LEAVINGS: tuple[type[Record], ...] = (
    SyncRun,
    MetricMonth,
    HourMonth,
    QueryText,
    ChangeSet,
    Delivery,
    DeliveryChunk,
    CaptureCount,
    CaptureRules,
    CatalogVersion,
    LastAnswer,
    AlertRule,
    RuleState,
    Incident,
    Notification,
    Thread,
    Activity,
)


def run_of(
    stage: Stage, connection: Connection, state: RunState = "succeeded", age: timedelta = timedelta()
) -> SyncRun:
    """A run of the connection, created so long ago; a pending one waits for its time."""
    return SyncRun(
        id=new_id("run"),
        connection_id=connection.id,
        tenant_id=connection.tenant_id,
        kind="scheduled",
        state=state,
        from_day=TODAY,
        to_day=TODAY,
        created_at=stage.clock() - age,
        due_at=stage.clock() + timedelta(minutes=1) if state in ("pending", "running") else None,
    )


def change_of(stage: Stage, connection: Connection, *changed: date, age: timedelta = timedelta()) -> ChangeSet:
    """A change set of the connection about days of one month."""
    changes = tuple(ValueChange(metric="posthog_dau", day=day, old=1, new=2) for day in changed)
    return ChangeSet(
        id=new_id("chg"), connection_id=connection.id, run_id="run_x", at=stage.clock() - age, changes=changes
    )


async def hourly(stage: Stage, connection: Connection, days: int = 40) -> None:
    """An hourly series of the connection over the days up to today, whole UTC days."""
    end = int(datetime.combine(TODAY + timedelta(days=1), time(), UTC).timestamp())
    by_month: dict[str, Hours] = {}
    for hour in range(end - days * 24 * HOUR, end, HOUR):
        month = by_month.setdefault(hours.month_of(hour), Hours(hours.month_of(hour)))
        month.series.setdefault("measure:msr_x", {})[hour] = HourPoint(1, stage.clock())
    await stage.store.commit(
        *(
            Add(
                HourMonth(
                    id=hours.record_id(connection.id, month.month),
                    connection_id=connection.id,
                    month=month.month,
                    packed=hours.pack(month),
                    updated_at=stage.clock(),
                )
            )
            for month in by_month.values()
        )
    )


async def captured(stage: Stage, connection: Connection) -> None:
    """One of everything capture keeps of a connection."""
    now, whose = stage.clock(), {"tenant_id": connection.tenant_id, "connection_id": connection.id}
    waits = Delivery(
        id=new_id("dlv"),
        state="pending",
        accepted_at=now,
        hour=hour_of(now),
        due_at=now,
        shard=0,
        count=1,
        size=1,
        payload=b"1",
        chunks=1,
        **whose,
    )
    rest = DeliveryChunk(id=chunk_id(waits.id, 1), connection_id=connection.id, delivery_id=waits.id, payload=b"2")
    row = CountRow(name="paid", accepted=5, delivered=4, pending=1)
    count = CaptureCount(id=new_id("cnt"), hour=hour_of(now), rows=(row,), marks={"passed": 2}, **whose)
    reference = await stage.app.vault.write(hash_key_name(connection.id), SecretStr("00"))
    rules = CaptureRules(id=connection.id, hash_key_ref=reference, **whose)
    version = CatalogVersion(id=new_id("cat"), catalog=CatalogRules(), **whose)
    answer = LastAnswer(
        id=new_id("ans"), connection_id=connection.id, question="q", kept_at=now, headers={}, body=b"", digest=""
    )
    await stage.store.commit(Add(waits), Add(rest), Add(count), Add(rules), Add(version), Add(answer))


async def told(stage: Stage, connection: Connection) -> None:
    """One of everything alerts keep of a connection."""
    now, whose = stage.clock(), {"tenant_id": connection.tenant_id, "connection_id": connection.id}
    rule = AlertRule(
        id=new_id("rul"),
        name="DAU drop",
        series=MetricSeries(name="posthog_dau"),
        condition=Threshold(below=1),
        created_at=now,
        updated_at=now,
        **whose,
    )
    incident = Incident(
        id=new_id("inc"),
        rule_id=rule.id,
        rule_name=rule.name,
        connection_name=connection.name,
        severity="warning",
        since=now,
        opened_at=now,
        sentence="DAU 0, below 1.",
        **whose,
    )
    state = RuleState(id=new_id("rst"), rule_id=rule.id, revision=1, phase="open", incident_id=incident.id, **whose)
    told = Notification(
        id=new_id("ntf"), channel_id="chn_1", subject_id=incident.id, kind="opened", created_at=now, **whose
    )
    thread = Thread(id=new_id("thr"), connection_id=connection.id, reference={"ts": "1"}, told_at=now)
    opened = entry("incident.opened", connection.tenant_id, connection.id, now, {"rule": rule.name}, incident.id)
    await stage.store.commit(Add(rule), Add(incident), Add(state), Add(told), Add(thread), Add(opened))


async def lived_in(stage: Stage, tenant: Tenant, runs: int = 3, token: str = TOKEN) -> Connection:
    """A connection that has synced two months, been changed, captured events, and whose token is claimed."""
    connection = await stage.connection(tenant, token=token)
    await stage.points(connection, {("posthog_dau", TODAY - timedelta(days=back)): 1 for back in range(40)})
    text = QueryText(id=new_id("qry"), connection_id=connection.id, text="select 1")
    claim = TokenClaim(id=claim_id(token), connection_id=connection.id, proved=True)
    await stage.store.commit(Add(text), Add(claim), Add(change_of(stage, connection, TODAY)))
    await stage.store.commit(Add(run_of(stage, connection, "pending")), Add(run_of(stage, connection, "running")))
    await hourly(stage, connection)
    await captured(stage, connection)
    await told(stage, connection)
    for begin in range(0, runs, 200):
        await stage.store.commit(*(Add(run_of(stage, connection)) for _ in range(min(200, runs - begin))))
    return connection


async def left_of(stage: Stage, connection_id: str) -> dict[str, int]:
    """How many records of each kind are left of a connection; kinds with none are left out."""
    mine = Where("connection_id", "==", connection_id)
    counts = {kind.collection: await stage.store.count(kind, mine) for kind in LEAVINGS}
    counts["connections"] = int(await stage.store.get(Connection, connection_id) is not None)
    secrets = [connection_id, *hash_key_names(connection_id)]
    counts["sealed_secrets"] = sum(
        [await stage.store.count(SealedSecret, Where("name", "==", name)) for name in secrets]
    )
    return {collection: number for collection, number in counts.items() if number}
