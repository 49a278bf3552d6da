"""The stage of the capture benches: a store with one connection, servers as processes, bodies in files."""

from __future__ import annotations

import gzip
import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.children import child
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.models import Connection, Tenant, TokenClaim
from hedgerow.ports import Add
from hedgerow.posthog.keys import claim_id
from hedgerow.records import new_id
from hedgerow.settings import Settings

TOKEN = "phc_benchbenchbenchbenchbenchbench"  # noqa: S105 -- nobody's
_EPOCH = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def connected(data: Path, upstream: str, **settings: object) -> Connection:
    """Make a tenant with one connection whose events go to `upstream`."""
    app = wiring.build(Settings.model_validate({"data": data, **settings}))
    try:
        return await connect(app, upstream)
    finally:
        await app.store.close()
        await app.queue.close()


async def connect(app: App, upstream: str, token: str = TOKEN) -> Connection:
    """The same in an App that is open."""
    now = app.now()
    tenant = Tenant(id=new_id("ten"), name="Bench", tier="pro", created_at=now)
    connection = Connection(
        id=new_id("con"),
        tenant_id=tenant.id,
        name="Bench",
        host=upstream,
        ingestion_host=upstream,
        project_token=token,
        state="connected",
        state_since=now,
        tier="pro",
        created_at=now,
    )
    claim = TokenClaim(id=claim_id(token), connection_id=connection.id, proved=True)
    await app.store.commit(Add(tenant), Add(connection), Add(claim))
    return connection


@contextmanager
def serving(which: str, upstream: str, folder: Path, **variables: str) -> Iterator[tuple[str, int]]:
    """The address and process id of our host (`ours`) or of the bare pass-through (`bare`)."""
    log = folder / f"{which}.log"
    asked = {"HEDGEROW_DATA": str(folder / "data"), "HEDGEROW_ALLOWED_PRIVATE_HOSTS": upstream.partition("//")[2]}
    command = [sys.executable, "-m", "bench.capture_server", which, upstream]
    with child(command, log, {**asked, **variables}) as process:
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line:
            raise RuntimeError(log.read_text(encoding="utf-8")[-2000:])
        yield line, process.pid


def batch_of(count: int) -> bytes:
    """A batch as the Python SDK writes it: a server's events, with the properties the SDK adds."""
    events = [event(number) for number in range(count)]
    sent_at = (_EPOCH + timedelta(seconds=5)).isoformat()
    return json.dumps({"batch": events, "historical_migration": False, "sent_at": sent_at, "api_key": TOKEN}).encode()


def event(number: int) -> dict[str, object]:
    """One event of a shop's back end."""
    return {
        "event": ("payment.completed", "order viewed", "$pageview")[number % 3],
        "distinct_id": f"user-{number * 7919 % 10_007}",
        "timestamp": (_EPOCH + timedelta(milliseconds=number * 37)).isoformat(),
        "uuid": str(uuid.UUID(int=(0x0196_0000_0000_7000_8000_0000_0000_0000 + number))),
        "properties": {
            "amount_minor": number * 13 % 10_000,
            "currency": "EUR",
            "method": "card",
            "plan": "pro",
            "$lib": "posthog-python",
            "$lib_version": "7.91.1",
            "$python_runtime": "CPython",
            "$python_version": "3.11.7",
            "$os": "Linux",
            "$os_version": "6.1",
            "$geoip_disable": True,
            "$is_server": True,
        },
    }


def bodies(folder: Path) -> dict[str, Path]:
    """Bodies in files: one event, fifty plain, fifty gzip."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"one": batch_of(1), "fifty": batch_of(50), "fifty_gzip": gzip.compress(batch_of(50), 6)}
    paths = {}
    for name, body in written.items():
        paths[name] = folder / f"{name}.body"
        paths[name].write_bytes(body)
    return paths
