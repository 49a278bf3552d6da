"""The first call that a fresh process of each target gets, and what it finds in its store: what `bench.starts` asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

from pydantic import SecretStr

from bench.capture_backlog import delivery, packed
from bench.capture_bodies import TOKEN, batches
from bench.capture_stage import connect
from bench.pushing import envelope
from bench.years import NAMES, fill
from hedgerow import keys
from hedgerow.app import App
from hedgerow.messages import Message, NotificationDue, PurgeRequested, RunEnded, SyncRequested
from hedgerow.models import Connection, Tenant
from hedgerow.ports import Add
from hedgerow.records import new_id

ALERTS, CAPTURE = "functions/alerts/main.py", "functions/capture/main.py"
SYNC, DISCONNECT = "functions/sync/main.py", "functions/disconnect/main.py"
JSON = {"Content-Type": "application/json"}
WORKER, API = 1.3, 2.0
RETAINING = "query" + ";query" * 7 + ";get;query" * 2 + ";query" * 2 + ";get;query"
NOBODY = "con_nobodys"


@dataclass(frozen=True, slots=True)
class Stage:
    """A store of its own for one start, and two PostHogs: one that answers, one that is down."""

    app: App
    alive: str
    closed: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the status it must be answered with."""

    method: str = "POST"
    path: str = "/"
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: JSON)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A target's first call. `limit`: of the ratio to the floor; None where it does more than the floor.

    `store`: the calls of the store it makes, and so the floor: groups in turn, those of a group at once.
    """

    target: str
    source: str
    does: str
    asked: Callable[[Stage], Awaitable[Asked]]
    limit: float | None = None
    store: str = "get"
    publishes: bool = False


def calls() -> tuple[Call, ...]:
    """Every kind of target with the least it may find to do, held to the floor; then an ordinary first call of each."""
    return (*_least(), *_ordinary())


def _least() -> tuple[Call, ...]:
    stranger = "an event of a project nobody connected: one get, and one commit that counts it"
    five, one = "nothing is due: five queries at once", "nothing is due: one query"
    thirteen = "nothing is due: ten queries and three gets"
    sixteen = "nothing is too old: thirteen queries and three gets"
    purged = "the connection is gone: one query, three gets"
    return (
        Call("capture", CAPTURE, stranger, _event_of_nobody, WORKER, "get;commit"),
        Call("sync_tick", SYNC, five, _tick(b'{"tier":"scale"}'), WORKER, "query,query,query,query,query"),
        Call("redeliver_tick", CAPTURE, one, _tick(), WORKER, "query"),
        Call("alerts_tick", ALERTS, thirteen, _tick(), WORKER, "query" + ";get;query" * 3 + ";query" * 6),
        Call("retention_tick", SYNC, sixteen, _tick(), WORKER, RETAINING),
        Call("sync_connection", SYNC, "one get: the connection is gone", _push(_sync_of_nobody), WORKER),
        Call("purge_connection", DISCONNECT, purged, _push(_purge_of_nobody), WORKER, "query;get;get;get"),
        Call("evaluate_alerts", ALERTS, "one get: the connection is gone", _push(_run_of_nobody), WORKER),
        Call("notify", ALERTS, "one get: the notification is gone", _push(_notice_of_nobody), WORKER),
        Call("api", "functions/api/main.py", "one get: the key; the catalogue of metrics", _catalogue, API),
    )


def _ordinary() -> tuple[Call, ...]:
    return (
        Call("capture", CAPTURE, "an event forwarded to PostHog", _event),
        Call("capture", CAPTURE, "an event while PostHog is down: into the outbox", _event_down),
        Call("sync_tick", SYNC, "one connection due, and published", _due, publishes=True),
        Call(
            "sync_connection", SYNC, "a whole run, PostHog tried at a closed port, end committed", _run, publishes=True
        ),
        Call("redeliver_tick", CAPTURE, "a delivery of 100 events, sent", _redelivery),
        Call("api", "functions/api/main.py", "30 days of 12 series", _series),
    )


async def _event_of_nobody(stage: Stage) -> Asked:
    return Asked(path="/batch/", body=next(batches(1)), status=401)


def _tick(body: bytes = b"{}") -> Callable[[Stage], Awaitable[Asked]]:
    async def asked(stage: Stage) -> Asked:
        return Asked(body=body)

    return asked


def _push(message: Callable[[Stage], Message]) -> Callable[[Stage], Awaitable[Asked]]:
    async def asked(stage: Stage) -> Asked:
        return Asked(body=envelope(message(stage)), status=204)

    return asked


def _sync_of_nobody(stage: Stage) -> Message:
    return SyncRequested(connection_id=NOBODY, due_at=stage.app.now())


def _purge_of_nobody(_: Stage) -> Message:
    return PurgeRequested(connection_id=NOBODY)


def _run_of_nobody(_: Stage) -> Message:
    return RunEnded(connection_id=NOBODY, run_id="run_nobodys")


def _notice_of_nobody(_: Stage) -> Message:
    return NotificationDue(notification_id="ntf_nobodys")


async def _catalogue(stage: Stage) -> Asked:
    record, key = keys.make("ten_bench", "bench", "read", stage.app.now())
    await stage.app.store.commit(Add(record.model_copy(update={"last_used_at": stage.app.now()})))
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
    return Asked("GET", "/v1/metrics/catalog", b"", headers)


async def _event(stage: Stage) -> Asked:
    await connect(stage.app, stage.alive)
    return Asked(path="/batch/", body=next(batches(1)))


async def _event_down(stage: Stage) -> Asked:
    await connect(stage.app, stage.closed)
    return Asked(path="/batch/", body=next(batches(1)))


async def _due(stage: Stage) -> Asked:
    await _due_connection(stage)
    return Asked(body=b'{"tier":"scale"}')


async def _run(stage: Stage) -> Asked:
    due = await _due_connection(stage)
    return Asked(body=envelope(SyncRequested(connection_id=due.id, due_at=due.due_at)), status=204)


async def _redelivery(stage: Stage) -> Asked:
    connection = await connect(stage.app, stage.alive, TOKEN)
    await stage.app.store.commit(Add(delivery(connection, next(packed(100)), stage.app.now(), 0)))
    return Asked()


async def _series(stage: Stage) -> Asked:
    filled = await fill(stage.app)
    query = urlencode([("name", name) for name in NAMES])
    path = f"/v1/connections/{filled.connection_id}/metrics?{query}"
    return Asked("GET", path, b"", {"Authorization": f"Bearer {filled.key}"})


async def _due_connection(stage: Stage) -> Connection:
    """Due a minute ago; its PostHog is a closed port."""
    now = stage.app.now()
    tenant = Tenant(id=new_id("ten"), name="Bench", tier="scale", created_at=now)
    id = new_id("con")
    due = Connection(
        id=id,
        tenant_id=tenant.id,
        name="Due",
        host=stage.closed,
        project_id="1",
        secret_ref=await stage.app.vault.write(id, SecretStr("phx_nobodys0123456789")),
        state="connected",
        state_since=now,
        tier="scale",
        created_at=now,
        due_at=now - timedelta(minutes=1),
    )
    await stage.app.store.commit(Add(tenant), Add(due))
    return due
