"""One call of each kind to each of Google's services, through a relay that fails as it is told."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from functions.api.timetable import planned
from hedgerow.adapters.cloud_scheduler import CloudSchedules
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import PubSubQueue, SecretManagerVault
from hedgerow.messages import RunEnded
from hedgerow.models import Connection
from hedgerow.ports import Add, Where
from tests.contract.faulting import Faults, relaying
from tests.contract.scheduler_server import CloudScheduler, scheduler_server
from tests.contract.secret_manager_server import secret_manager_server
from tests.contract.specimens import NOON, Leaf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pytest import FixtureRequest  # noqa: PT013 - the type alone

PROJECT = "hedge"
REGION = "europe-west1"
TICK = "hedgerow-sync-tick-scale"
SECRET = SecretStr("phx_nobodys")


@dataclass
class Called:
    """A call that can be made again and again, and the faults on its way."""

    call: Callable[[], Awaitable[Any]]
    faults: Faults


@asynccontextmanager
async def firestore(request: FixtureRequest, verb: str) -> AsyncIterator[Called]:
    faults = Faults()
    async with relaying(request.getfixturevalue("firestore_host"), faults) as host:
        store = FirestoreStore(request.getfixturevalue("project"), emulator_host=host)
        await store.commit(Add(Leaf(id="there")))
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "get": lambda: store.get(Leaf, "there"),
            "find": lambda: store.find(Leaf),
            "count": lambda: store.count(Leaf),
            "ask": lambda: store.find(Connection, Where("tier", "==", "pro"), Where("due_at", "<=", NOON)),
            "commit": lambda: store.commit(Add(Leaf(id="new"))),
        }
        yield Called(calls[verb], faults)
        await store.close()


@asynccontextmanager
async def pubsub(request: FixtureRequest, verb: str) -> AsyncIterator[Called]:
    faults = Faults()
    async with relaying(request.getfixturevalue("pubsub_host"), faults) as host:
        queue = PubSubQueue(request.getfixturevalue("project"), emulator_host=host)
        await queue.ensure_push("run-ended", "http://127.0.0.1:9/nobody")
        yield Called(lambda: queue.publish(RunEnded(connection_id="con_1", run_id="run_1")), faults)
        await queue.close()


@asynccontextmanager
async def vault(request: FixtureRequest, verb: str) -> AsyncIterator[Called]:
    faults = Faults()
    async with secret_manager_server() as upstream, relaying(upstream, faults) as host:
        opened = SecretManagerVault(PROJECT, emulator_host=host)
        reference = await opened.write("con_1", SECRET)
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "write": lambda: opened.write("con_1", SECRET),
            "read": lambda: opened.read(reference),
            "destroy": lambda: opened.destroy("con_1"),
            "remove": lambda: opened.remove("con_1"),
        }
        yield Called(calls[verb], faults)
        await opened.close()


@asynccontextmanager
async def scheduler(request: FixtureRequest, verb: str) -> AsyncIterator[Called]:
    faults = Faults()
    kept = CloudScheduler(datetime(2026, 11, 21, 12, tzinfo=UTC))
    kept.add(f"projects/{PROJECT}/locations/{REGION}", planned("hedgerow-"))
    async with scheduler_server(kept) as upstream, relaying(upstream, faults) as host:
        schedules = CloudSchedules(PROJECT, REGION, emulator_host=host)
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "list": schedules.list,
            "pause": lambda: schedules.pause(TICK),
            "resume": lambda: schedules.resume(TICK),
            "run": lambda: schedules.run(TICK),
        }
        yield Called(calls[verb], faults)
        await schedules.close()


SERVICES = {"Firestore": firestore, "Pub/Sub": pubsub, "Secret Manager": vault, "Cloud Scheduler": scheduler}
CALLS = (
    *(("Firestore", verb) for verb in ("get", "find", "count", "commit")),
    ("Pub/Sub", "publish"),
    *(("Secret Manager", verb) for verb in ("write", "read", "destroy", "remove")),
    *(("Cloud Scheduler", verb) for verb in ("list", "pause", "resume", "run")),
)


@asynccontextmanager
async def called(request: FixtureRequest, service: str, verb: str) -> AsyncIterator[Called]:
    """A call of `CALLS`, with nothing in its way yet."""
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(SERVICES[service](request, verb))
        ready.faults.calls.clear()
        yield ready
