"""Process start to first answer, embedded: every target as the cloud starts it, against an empty async function.

`functions-framework --target … --source …` with the cloud's packages, on a copy of one
prepared folder, from the start of the process to the whole first answer of a call that does the target's work: a tick, a
push that is a first delivery, a read with a key. The answer's status is checked.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from pydantic import SecretStr

from bench import cloud
from bench.children import ROOT, child
from bench.figures import Row, compared
from bench.installation import ADMIN_KEY
from bench.pushing import envelope
from bench.rounds import in_turn
from bench.sizes import Sizes
from bench.years import NAMES, fill
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.messages import PurgeRequested, SyncRequested
from hedgerow.models import Connection, Tenant
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.settings import Settings

NAME = "starts"
START_SECONDS = 60.0


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


EMPTY = Call("empty", "bench/empty.py", None)


def measure(sizes: Sizes) -> list[Row]:
    """A row for each schedule, topic and API target."""
    return asyncio.run(_measure(sizes))


async def _measure(sizes: Sizes) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        template, closed = Path(folder) / "template", _closed_port()
        calls = await _prepare(template, closed)
        variables = {"HEDGEROW_ADMIN_KEY": ADMIN_KEY, "HEDGEROW_ALLOWED_PRIVATE_HOSTS": f"127.0.0.1:{closed}"}
        python = cloud.environment(Path(folder) / "cloud")
        start = partial(_start, python=python, template=template, folder=Path(folder), variables=variables)
        rows: list[Row] = []
        for name, call in calls.items():
            seconds = await in_turn(sizes.rounds, {"figure": partial(start, call), "floor": partial(start, EMPTY)})
            what = f"start to first answer, {name}"
            rows.append(compared(NAME, what, seconds["figure"], seconds["floor"], limit=call.limit, note=call.does))
    return rows


async def _start(call: Call, python: Path, template: Path, folder: Path, variables: dict[str, str]) -> float:
    data, log, port = folder / "run", folder / "starts.log", _closed_port()
    shutil.copytree(template, data)
    source = str(ROOT / call.source)
    command = [str(python), "-m", "functions_framework", "--target", call.target, "--source", source]
    try:
        began = time.perf_counter()
        with child(
            [*command, "--host", "127.0.0.1", "--port", str(port)], log, {**variables, "HEDGEROW_DATA": str(data)}
        ) as process:
            status, body = await asyncio.to_thread(_first_answer, call, port, process.poll)
            took = time.perf_counter() - began
    finally:
        shutil.rmtree(data, ignore_errors=True)
    if status != call.status:
        said = log.read_text(encoding="utf-8")[-2000:]
        raise RuntimeError(f"{call.target} answered {status}: {body[:500]!r}\n{said}")
    return took


def _first_answer(call: Call, port: int, is_over: Callable[[], int | None]) -> tuple[int, bytes]:
    """Knock until the port opens, then make the call."""
    until = time.monotonic() + START_SECONDS
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        try:
            client.connect()
        except ConnectionRefusedError:
            if is_over() is not None or time.monotonic() > until:
                raise RuntimeError(f"{call.target} did not start") from None
            time.sleep(0.002)
            continue
        try:
            client.request(call.method, call.path, call.body, call.headers)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()


async def _prepare(data: Path, closed: int) -> dict[str, Call]:
    """A folder with two years of one tenant, and what each target is first asked to do with it."""
    app = wiring.build(Settings(data=data, admin_key=SecretStr(ADMIN_KEY)))
    try:
        filled = await fill(app)
        tenant, due, leaving = await _others(app, closed)
    finally:
        await app.store.close()
        await app.queue.close()
    key = {"Authorization": f"Bearer {filled.key}"}
    of_one = f"/v1/connections/{filled.connection_id}"
    asked = urlencode([("name", name) for name in NAMES])
    sync, disconnect = "functions/sync/main.py", "functions/disconnect/main.py"
    push = SyncRequested(connection_id=due.id, due_at=due.due_at)
    purge = PurgeRequested(connection_id=leaving.id)
    return {
        "sync_tick (schedule)": Call(
            "sync_tick", sync, 2.0, "POST", body=b'{"tier":"scale"}', does="one connection due"
        ),
        "retention_tick (schedule)": Call("retention_tick", sync, 2.0, "POST", body=b"{}"),
        "sync_connection (topic)": Call(
            "sync_connection",
            sync,
            2.0,
            "POST",
            status=204,
            body=envelope(push),
            does="a whole scheduled run: claim, key, PostHog tried at a closed port, end committed",
        ),
        "sync_connection (topic), a doubled message": Call(
            "sync_connection",
            sync,
            None,
            "POST",
            status=204,
            body=envelope(push.model_copy(update={"due_at": tenant.created_at})),
            does="acknowledged after one read; for comparison",
        ),
        "purge_connection (topic)": Call("purge_connection", disconnect, 2.0, "POST", status=204, body=envelope(purge)),
        "api": Call(
            "api",
            "functions/api/main.py",
            3.0,
            path=f"{of_one}/metrics?{asked}",
            headers=key,
            does="30 days of 12 series",
        ),
        "connect (API)": Call("connect", "functions/connect/main.py", 3.0, path="/v1/connections", headers=key),
        "sync (API)": Call("sync", sync, 3.0, path=f"{of_one}/runs", headers=key),
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
            disconnect,
            3.0,
            "POST",
            f"{of_one}/disconnect",
            202,
            b"{}",
            {**key, "Content-Type": "application/json"},
        ),
    }


async def _others(app: App, closed: int) -> tuple[Tenant, Connection, Connection]:
    """A connection that is due, whose PostHog is a closed port; and one that waits to be purged."""
    now = app.now()
    tenant = Tenant(id=new_id("ten"), name="Bench", tier="scale", created_at=now)
    id = new_id("con")
    due = Connection(
        id=id,
        tenant_id=tenant.id,
        name="Due",
        host=f"http://127.0.0.1:{closed}",
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


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
