"""A connection with days of one metric, a channel and rules, for the incidents' tests: points in, incidents out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from functions.alerts.conditions.kinds import Condition, Threshold
from functions.alerts.incidents import after_runs
from functions.alerts.records import AlertRule, Channel, Incident, Notification, RuleState
from functions.alerts.spec import MetricSeries, Policy, SeriesSpec
from hedgerow import months
from hedgerow.activity import Activity
from hedgerow.app import App
from hedgerow.messages import NotificationDue, RunEnded
from hedgerow.models import Connection, MetricMonth, Tenant
from hedgerow.months import Month, Point
from hedgerow.ports import Add, Change, Swap, Where
from hedgerow.records import new_id
from tests.stage import Stage, month_record

TODAY = date(2026, 11, 20)
YESTERDAY = TODAY - timedelta(days=1)
METRIC = "posthog_dau"


@dataclass
class AlertStage:
    """One connection of one tenant, told in one channel."""

    stage: Stage
    tenant: Tenant
    connection_id: str
    channel: Channel
    runs: list[str] = field(default_factory=list)

    @property
    def app(self) -> App:
        return self.stage.app

    async def connection(self) -> Connection:
        found = await self.stage.store.get(Connection, self.connection_id)
        assert found is not None
        return found

    async def change_connection(self, **fields: object) -> None:
        connection = await self.connection()
        await self.stage.store.commit(Swap(connection.model_copy(update=fields)))

    async def rule(
        self,
        name: str = "DAU drop",
        condition: Condition | None = None,
        series: SeriesSpec | None = None,
        **fields: object,
    ) -> AlertRule:
        """A kept rule: below 50, told in the channel, no cool-down."""
        now = self.stage.clock()
        rule = AlertRule(
            id=new_id("rule"),
            tenant_id=self.tenant.id,
            connection_id=self.connection_id,
            name=name,
            series=series or MetricSeries(name=METRIC),
            condition=condition or Threshold(below=50),
            policy=Policy(cooldown_minutes=0),
            channels=(self.channel.id,),
            created_at=now,
            updated_at=now,
        )
        return await self.stage.add(rule.model_copy(update=fields))

    async def change_rule(self, rule: AlertRule, **fields: object) -> AlertRule:
        found = await self.stage.store.get(AlertRule, rule.id)
        assert found is not None
        changed = found.model_copy(update=fields)
        return (await self.stage.store.commit(Swap(changed))).of(changed)

    async def points(self, values: Mapping[date, float], name: str = METRIC) -> None:
        """Write these days as a sync at this instant does, over whatever was there."""
        connection, now = await self.connection(), self.stage.clock()
        write = self.stage.write(connection)
        by_month: dict[str, dict[date, float]] = {}
        for day, value in values.items():
            by_month.setdefault(f"{day:%Y-%m}", {})[day] = value
        changes: list[Change] = []
        for month, mine in by_month.items():
            held = await self.stage.store.get(MetricMonth, months.record_id(connection.id, month))
            unpacked = months.unpack(held.month, held.packed) if held is not None else Month(month)
            for day, value in mine.items():
                unpacked.put(name, day, Point(value, write))
            record = month_record(connection, unpacked, now)
            changes.append(
                Swap(record.model_copy(update={"version": held.version})) if held is not None else Add(record)
            )
        progress = connection.progress.model_copy(
            update={"last_success_at": now, "newest_event_at": now, "asked_at": now, "last_success_day": now.date()}
        )
        await self.stage.store.commit(*changes, Swap(connection.model_copy(update={"progress": progress})))

    async def day_passes(self, value: float) -> None:
        """The clock goes on by a day, and the day that ended then has this value."""
        ended = self.stage.clock().date()
        self.stage.clock.forward(timedelta(days=1))
        await self.points({ended: value})

    async def evaluate(self, app: App | None = None) -> None:
        """A run ended."""
        message = RunEnded(connection_id=self.connection_id, run_id=new_id("run"))
        await after_runs.evaluate(app or self.app, message)

    async def incidents(self) -> list[Incident]:
        """Every incident of the connection, oldest first."""
        mine = Where("connection_id", "==", self.connection_id)
        return sorted((await self.stage.store.find(Incident, mine)).items, key=lambda each: (each.opened_at, each.id))

    async def incident(self) -> Incident:
        """The only incident."""
        (only,) = await self.incidents()
        return only

    async def notifications(self) -> list[Notification]:
        mine = Where("connection_id", "==", self.connection_id)
        found = (await self.stage.store.find(Notification, mine)).items
        return sorted(found, key=lambda each: (each.created_at, each.subject_id, each.step))

    async def told(self) -> list[str]:
        """The kinds of what was planned to be told, in order."""
        return [each.kind for each in await self.notifications()]

    async def states(self) -> list[RuleState]:
        mine = Where("connection_id", "==", self.connection_id)
        return list((await self.stage.store.find(RuleState, mine)).items)

    async def activities(self) -> list[str]:
        mine = Where("connection_id", "==", self.connection_id)
        found = (await self.stage.store.find(Activity, mine)).items
        return [each.kind for each in sorted(found, key=lambda each: (each.at, each.kind))]

    async def announced(self) -> list[str]:
        return await self.stage.published(NotificationDue.topic)

    async def everything(self) -> list[object]:
        """All records that an evaluation could write, with their versions."""
        return [
            *await self.incidents(),
            *await self.notifications(),
            *sorted(await self.states(), key=lambda each: each.id),
            await self.connection(),
            *await self.activities(),
        ]


async def alert_stage(stage: Stage, days: Mapping[date, float] | None = None) -> AlertStage:
    """A connection whose last ten days had 100 users each, unless told otherwise."""
    tenant = await stage.tenant("scale")
    connection = await stage.connection(tenant)
    channel = await stage.add(
        Channel(
            id=new_id("chn"),
            tenant_id=tenant.id,
            name="ops",
            kind="webhook",
            secret_ref="none",
            shown="example.com",
            created_at=stage.clock(),
        )
    )
    made = AlertStage(stage, tenant, connection.id, channel)
    await made.points(days or {TODAY - timedelta(days=back): 100 for back in range(1, 11)})
    return made


def at(stage: Stage, **ahead: float) -> datetime:
    """An instant from now."""
    return stage.clock() + timedelta(**ahead)
