"""A room for whoever tells: a stage, a tenant with a connection, a receiver on loopback that answers what a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from functions.alerts.channels import channels
from functions.alerts.channels.channels import ChannelWanted
from functions.alerts.conditions.kinds import Threshold
from functions.alerts.notifying import notifying, planning
from functions.alerts.records import AlertRule, Channel, Incident, Notification, NotificationKind, Step
from functions.alerts.spec import MetricSeries, Policy
from hedgerow.adapters.embedded import Wanted
from hedgerow.app import App
from hedgerow.messages import NotificationDue
from hedgerow.models import Connection, Tenant
from hedgerow.ports import Add, Change, Store, Swap
from hedgerow.records import new_id
from tests.loopback import http
from tests.stage import Stage, staged

OK = http(b"ok")


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, the last one for ever; `delay` before each."""

    answers: list[bytes] = field(default_factory=lambda: [OK])
    delay: float = 0.0
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0/B0/x"

    @property
    def texts(self) -> list[str]:
        """What was said: Slack's fallback text, or a webhook's type."""
        return [str(body.get("text") or body.get("type")) for body in self.bodies]

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value.strip() for name, _, value in lines}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.headers.append(headers)
                self.bodies.append(json.loads(body))
                self.came.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await asyncio.sleep(self.delay)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(*answers: bytes) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers) or [OK])
    server = await asyncio.start_server(receiver.meet, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@dataclass
class NotifyingRoom:
    stage: Stage
    tenant: Tenant
    connection: Connection
    receiver: Receiver
    numbered: int = 0

    @property
    def app(self) -> App:
        return self.stage.app

    async def channel(self, name: str = "ops", receiver: Receiver | None = None, **more: Any) -> Channel:
        wanted = ChannelWanted(
            name=name, kind=more.pop("kind", "slack"), url=SecretStr((receiver or self.receiver).url), **more
        )
        return (await channels.create(self.app, self.tenant.id, wanted))[0]

    async def rule(self, *told: Channel, policy: Policy | None = None, **more: Any) -> AlertRule:
        self.numbered += 1
        rule = AlertRule(
            id=new_id("rule"),
            tenant_id=self.tenant.id,
            connection_id=self.connection.id,
            name=more.pop("name", f"Rule {self.numbered}"),
            series=MetricSeries(name="posthog_dau"),
            condition=Threshold(below=10),
            policy=policy or Policy(),
            channels=tuple(one.id for one in told),
            created_at=self.stage.clock(),
            updated_at=self.stage.clock(),
            **more,
        )
        return await self.stage.add(rule)

    async def opened(self, rule: AlertRule) -> Incident:
        """An incident of the rule opens, as an evaluation writes it; nothing is announced."""
        now = self.stage.clock()
        sentence = f"{rule.name}: 5 active users, usually 40–60."
        incident = Incident(
            id=new_id("inc"),
            tenant_id=rule.tenant_id,
            connection_id=rule.connection_id,
            rule_id=rule.id,
            rule_name=rule.name,
            connection_name="Shop",
            severity=rule.severity,
            since=now - timedelta(hours=1),
            opened_at=now,
            sentence=sentence,
            timeline=(Step(at=now, kind="opened", sentence=sentence),),
        )
        told = await planning.plan(self.app, rule, incident, 0, "opened", now)
        incident = incident.model_copy(update={"channels": planning.channels_of(told)})
        return (await self.app.store.commit(Add(incident), *told)).of(incident)

    async def step(self, rule: AlertRule, id: str, kind: NotificationKind, **fields: Any) -> list[str]:
        """A further step of an incident; the answer is the ids of its notifications."""
        incident = await self.app.store.get(Incident, id)
        assert incident is not None
        now = self.stage.clock()
        line = Step(at=now, kind=kind, sentence=f"{rule.name}: it is {kind}.")
        if kind == "resolved":
            fields = {"state": "resolved", "resolved_at": now, **fields}
        changed = incident.model_copy(update={"timeline": (*incident.timeline, line), **fields})
        told: list[Change] = await planning.plan(self.app, rule, changed, len(changed.timeline) - 1, kind, now)
        await self.app.store.commit(Swap(changed), *told)
        return [one.id for one in planning.notifications_of(told)]

    async def told(self, state: str | None = None) -> list[Notification]:
        """Every notification, oldest first."""
        found = (await self.app.store.find(Notification, limit=1_000)).items
        kept = [one for one in found if state is None or one.state == state]
        return sorted(kept, key=lambda one: (one.created_at, one.subject_id, one.step))

    async def ids(self, incident: Incident) -> list[str]:
        return [one.id for one in await self.told() if one.subject_id == incident.id]

    async def notify(self, *ids: str, app: App | None = None) -> None:
        for id in ids:
            await notifying.notify(app or self.app, NotificationDue(notification_id=id))

    async def drain(self) -> None:
        """Sweep, and deliver every message until none is left, as the tick and the topic do."""
        await notifying.sweep(self.app)
        for _ in range(50):
            if not await self.deliver():
                return

    async def deliver(self) -> int:
        """Deliver what is published; how many messages there were."""
        waiting = await self.stage.queue.exchange([], [_wanted()])
        for one in waiting:
            message = NotificationDue.model_validate_json(one.body)
            await notifying.notify(self.app, message)
        await self.stage.queue.exchange([one.id for one in waiting], [_wanted(0)])
        return len(waiting)

    async def later(self, step: timedelta) -> None:
        """Time passes, and a tick comes."""
        self.stage.clock.forward(step)
        await self.drain()

    async def incident(self, id: str) -> Incident:
        found = await self.app.store.get(Incident, id)
        assert found is not None
        return found

    def now(self) -> datetime:
        return self.stage.clock()


def _wanted(most: int = 1_000) -> Wanted:
    return Wanted(NotificationDue.topic, 0, most)


@asynccontextmanager
async def notifying_room(
    *answers: bytes, store: Store | None = None, allowed: tuple[str, ...] = ()
) -> AsyncIterator[NotifyingRoom]:
    async with receiving(*answers) as receiver, staged([f"127.0.0.1:{receiver.port}", *allowed], store) as stage:
        tenant = await stage.tenant()
        connection = await stage.connection(tenant)
        yield NotifyingRoom(stage, tenant, connection, receiver)
