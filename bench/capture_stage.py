"""The stage of the capture benches: a store with one connection, and servers as processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.capture_bodies import TOKEN
from bench.children import child
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.models import Connection, Tenant, TokenClaim
from hedgerow.ports import Add
from hedgerow.posthog.keys import claim_id
from hedgerow.records import new_id
from hedgerow.settings import Settings


async def connected(settings: Settings, upstream: str) -> Connection:
    """Make a tenant with one connection whose events go to `upstream`."""
    app = wiring.build(settings)
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
        yield _address(process, log), process.pid


@contextmanager
def far_away(seconds: float, folder: Path) -> Iterator[str]:
    """The origin of an upstream that answers so many seconds after a request's last byte."""
    log = folder / "far.log"
    with child([sys.executable, "-m", "bench.slow_upstream", str(seconds)], log, {}) as process:
        yield _address(process, log)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    """What the child printed once it listened."""
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line:
        raise RuntimeError(log.read_text(encoding="utf-8")[-2000:])
    return line
