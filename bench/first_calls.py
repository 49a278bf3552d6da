"""The first call that a fresh process of each target gets, and the folder it finds: what `bench.starts` asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from pydantic import SecretStr

from bench.capture_backlog import delivery, packed
from bench.capture_bodies import TOKEN, batches
from bench.capture_stage import connect
from bench.installation import ADMIN_KEY
from bench.pushing import envelope
from bench.years import NAMES, fill
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.messages import PurgeRequested, SyncRequested
from hedgerow.models import Connection, Tenant
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.settings import Settings

SYNC, DISCONNECT = "functions/sync/main.py", "functions/disconnect/main.py"
LONELY = "phc_lonelylonelylonelylonelylonely"
"""The token of the connection whose PostHog is down."""


@dataclass(frozen=True, slots=True)
class Call:
    """The first call a fresh process gets."""

    target: str
    source: str
    limit: float | None
    method: str = "GET"
    path: str = "/"
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    does: str = ""


async def prepare(data: Path, closed: str, alive: str) -> dict[str, Call]:
    """A folder with two years of one tenant, and what each target is first asked to do with it."""
    app = wiring.build(Settings(data=data, admin_key=SecretStr(ADMIN_KEY)))
    try:
        filled = await fill(app)
        tenant, due, leaving = await _others(app, closed)
        for token, upstream in ((TOKEN, alive), (LONELY, closed)):
            connection = await connect(app, upstream, token)
            if upstream == alive:
                await app.store.commit(Add(delivery(connection, next(packed(100)), app.now(), 0)))
    finally:
        await app.store.close()
        await app.queue.close()
    of_one = f"/v1/connections/{filled.connection_id}"
    key = {"Authorization": f"Bearer {filled.key}"}
    push = SyncRequested(connection_id=due.id, due_at=due.due_at)
    doubled = push.model_copy(update={"due_at": tenant.created_at})
    return {
        **_private(push, doubled, PurgeRequested(connection_id=leaving.id)),
        **_api(of_one, key),
        **_capture(of_one, key),
    }


def _private(push: SyncRequested, doubled: SyncRequested, purge: PurgeRequested) -> dict[str, Call]:
    return {
        "sync_tick (schedule)": Call(
            "sync_tick", SYNC, 2.0, "POST", body=b'{"tier":"scale"}', does="one connection due"
        ),
        "retention_tick (schedule)": Call("retention_tick", SYNC, 2.0, "POST", body=b"{}"),
        "sync_connection (topic)": Call(
            "sync_connection",
            SYNC,
            2.0,
            "POST",
            status=204,
            body=envelope(push),
            does="a whole scheduled run: claim, key, PostHog tried at a closed port, end committed",
        ),
        "sync_connection (topic), a doubled message": Call(
            "sync_connection",
            SYNC,
            None,
            "POST",
            status=204,
            body=envelope(doubled),
            does="acknowledged after one read; for comparison",
        ),
        "purge_connection (topic)": Call("purge_connection", DISCONNECT, 2.0, "POST", status=204, body=envelope(purge)),
    }


def _api(of_one: str, key: dict[str, str]) -> dict[str, Call]:
    asked = urlencode([("name", name) for name in NAMES])
    return {
        "api": Call(
            "api",
            "functions/api/main.py",
            3.0,
            path=f"{of_one}/metrics?{asked}",
            headers=key,
            does="30 days of 12 series",
        ),
        "connect (API)": Call("connect", "functions/connect/main.py", 3.0, path="/v1/connections", headers=key),
        "sync (API)": Call("sync", SYNC, 3.0, path=f"{of_one}/runs", headers=key),
        "metrics (API)": Call(
            "metrics",
            "functions/metrics/main.py",
            3.0,
            path=f"{of_one}/metrics?{asked}",
            headers=key,
            does="30 days of 12 series",
        ),
        "disconnect (API)": Call(
            "disconnect",
            DISCONNECT,
            3.0,
            "POST",
            f"{of_one}/disconnect",
            202,
            b"{}",
            {**key, "Content-Type": "application/json"},
        ),
    }


def _capture(of_one: str, key: dict[str, str]) -> dict[str, Call]:
    source, json = "functions/capture/main.py", {"Content-Type": "application/json"}
    event = next(batches(1))
    return {
        "capture": Call(
            "capture", source, 2.2, "POST", "/batch/", 200, event, json, "an event, PostHog there: forwarded"
        ),
        "capture, PostHog down": Call(
            "capture",
            source,
            2.2,
            "POST",
            "/batch/",
            200,
            event.replace(TOKEN.encode(), LONELY.encode()),
            json,
            "an event, PostHog a closed port: into the outbox",
        ),
        "redeliver_tick (schedule)": Call(
            "redeliver_tick", source, 2.0, "POST", body=b"{}", does="a delivery of 100 events is due, and sent"
        ),
        "outbox (API)": Call("outbox", source, 3.0, path=f"{of_one}/outbox", headers=key),
    }


async def _others(app: App, closed: str) -> tuple[Tenant, Connection, Connection]:
    """A connection that is due, whose PostHog is a closed port; and one that waits to be purged."""
    now = app.now()
    tenant = Tenant(id=new_id("ten"), name="Bench", tier="scale", created_at=now)
    id = new_id("con")
    due = Connection(
        id=id,
        tenant_id=tenant.id,
        name="Due",
        host=closed,
        project_id="1",
        secret_ref=await app.vault.write(id, SecretStr("phx_nobodys0123456789")),
        state="connected",
        state_since=now,
        tier="scale",
        created_at=now,
        due_at=now - timedelta(minutes=1),
    )
    leaving = due.model_copy(
        update={
            "id": new_id("con"),
            "state": "disconnecting",
            "disconnect_purge": True,
            "secret_ref": None,
            "due_at": None,
        }
    )
    await app.store.commit(Add(tenant), Add(due), Add(leaving))
    return tenant, due, leaving
