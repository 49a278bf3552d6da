"""From points stored to the message in the channel, embedded: the courier, the targets and the store of `hedgerow dev`.

Each sample is a connection of its own whose newest day falls to a tenth of what is usual.
Its points are committed, its run's end is announced as a sync announces it, and the clock
stops when a loopback chat holds the whole request. Two rules fire, in one message.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bench.figures import Must, Row, Spread, spread
from functions.alerts.channels import channels
from functions.alerts.channels.channels import ChannelWanted
from functions.alerts.conditions.kinds import Anomaly, Condition, Threshold
from functions.alerts.records import AlertRule
from functions.alerts.spec import MetricSeries
from hedgerow import days, months, wiring
from hedgerow.adapters.courier import Courier
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.messages import RunEnded
from hedgerow.models import Connection, MetricMonth, SyncProgress, Tenant
from hedgerow.months import Month, Point, Write
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.settings import Settings
from local.private import PrivateTargets

if TYPE_CHECKING:
    from bench.sizes import Sizes
    from hedgerow.app import App

NAME = "told"
MUST_MS = 1_000.0
DAYS = 60
SECONDS_A_SAMPLE = 10.0
METRIC = "posthog_dau"


@dataclass
class Chat:
    """Takes a Slack webhook's posts; `arrived` says when each was there, by its path."""

    port: int = 0
    arrived: dict[str, float] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request as Slack does."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    int(line.partition(":")[2])
                    for line in head.split("\r\n")
                    if line.lower().startswith("content-length:")
                )
                await reader.readexactly(length)
                self.arrived.setdefault(head.split(" ", 2)[1], time.perf_counter())
                self.news.set()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def until(self, path: str) -> float:
        """When the message for this path was there."""
        async with asyncio.timeout(SECONDS_A_SAMPLE):
            while path not in self.arrived:
                self.news.clear()
                await self.news.wait()
        return self.arrived[path]


def measure(sizes: Sizes) -> list[Row]:
    """The p99, with the median and the slowest beside it."""
    samples = asyncio.run(_samples(500 if sizes.full else 50))
    ordered = sorted(each * 1_000 for each in samples[5:])  # The first ones import.
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    note = f"median {spread(ordered).middle:.0f} ms of {len(ordered)} connections; one fired after another"
    figure = Spread(p99, ordered[0], ordered[-1], len(ordered))
    return [
        Row(NAME, "points stored to message at the channel, p99", figure, "ms", must=Must(MUST_MS, "figure"), note=note)
    ]


async def _samples(number: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        async with _chat() as chat, _installation(Path(folder), chat) as app:
            tenant = Tenant(id=new_id("ten"), name="Bench", tier="pro", created_at=app.now())
            await app.store.commit(Add(tenant))
            return [await _sample(app, chat, tenant, each) for each in range(number)]


@asynccontextmanager
async def _chat() -> AsyncIterator[Chat]:
    chat = Chat()
    server = await asyncio.start_server(chat.meet, "127.0.0.1", 0)
    chat.port = server.sockets[0].getsockname()[1]
    try:
        yield chat
    finally:
        server.close()


@asynccontextmanager
async def _installation(folder: Path, chat: Chat) -> AsyncIterator[App]:
    settings = Settings(
        data=folder / "data",
        invoker=SecretStr(secrets.token_urlsafe(32)),
        allowed_private_hosts=(f"127.0.0.1:{chat.port}",),
        public_url="https://hedgerow.example",
    )
    settings.data.mkdir(mode=0o700)
    app = wiring.build(settings)
    assert isinstance(app.queue, EmbeddedQueue)
    private = PrivateTargets(app)
    carrying = asyncio.create_task(Courier(app.queue, private.deliver, private.subscribers, concurrency=64).run())
    try:
        yield app
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
        await private.close()
        await app.outbound.close()  # type: ignore[attr-defined]
        for seam in (app.queue, app.vault, app.store):
            await seam.close()


async def _sample(app: App, chat: Chat, tenant: Tenant, number: int) -> float:
    path = f"/services/T/B/{number}"
    url = SecretStr(f"http://127.0.0.1:{chat.port}{path}")
    connection = _connection(app, tenant)
    channel = await _channel(app, tenant, url)
    rules = [_rule(app, connection, channel, each) for each in (Threshold(below=40), Anomaly(direction="drop"))]
    await app.store.commit(Add(connection), *(Add(rule) for rule in rules))
    began = time.perf_counter()
    await app.store.commit(*(Add(month) for month in _months(app, connection)))
    await app.queue.publish(RunEnded(connection_id=connection.id, run_id=new_id("run")))
    return await chat.until(path) - began


async def _channel(app: App, tenant: Tenant, url: SecretStr) -> str:
    """A channel of its own; its predecessor goes, as a tenant may have fifty."""
    for old in (await channels.listed(app, tenant.id, 10, None)).items:
        await channels.remove(app, old)
    wanted = ChannelWanted(name="bench", kind="slack", url=url)
    return (await channels.create(app, tenant.id, wanted))[0].id


def _connection(app: App, tenant: Tenant) -> Connection:
    now = app.now()
    return Connection(
        id=new_id("con"),
        tenant_id=tenant.id,
        name="Bench",
        host="https://us.posthog.com",
        project_id="1",
        secret_ref="bench",  # noqa: S106
        state="connected",
        state_since=now,
        tier="pro",
        created_at=now - timedelta(days=DAYS),
        progress=SyncProgress(last_success_at=now, newest_event_at=now, asked_at=now, arrivals=(1.0, 5.0, 30.0, 60.0)),
    )


def _rule(app: App, connection: Connection, channel_id: str, condition: Condition) -> AlertRule:
    now = app.now()
    return AlertRule(
        id=new_id("rule"),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        name=condition.kind,
        series=MetricSeries(name=METRIC),
        condition=condition,
        channels=(channel_id,),
        created_at=now,
        updated_at=now,
    )


def _months(app: App, connection: Connection) -> list[MetricMonth]:
    """Sixty ordinary days, and a yesterday of a tenth."""
    now = app.now()
    today = days.today(now, connection.timezone)
    write = Write("run_of_the_bench", now, connection.timezone)
    by_month: dict[str, Month] = {}
    for back in range(1, DAYS):
        day = today - timedelta(days=back)
        value = 10.0 if back == 1 else 100.0 + (back * 7) % 11
        by_month.setdefault(days.month_of(day), Month(days.month_of(day))).put(METRIC, day, Point(value, write))
    return [
        MetricMonth(
            id=months.record_id(connection.id, month.month),
            connection_id=connection.id,
            month=month.month,
            packed=months.pack(month),
            updated_at=now,
        )
        for month in by_month.values()
    ]
