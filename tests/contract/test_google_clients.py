"""Google's own clients under our adapters: their loops, credentials and connections, and what is too large for them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from functions.api.timetable import planned
from hedgerow.adapters.cloud_scheduler import CloudSchedules
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import PubSubQueue, SecretManagerVault
from hedgerow.adapters.google_clients import PATIENCE_SECONDS
from hedgerow.errors import MisconfiguredError, TooLargeError
from hedgerow.messages import RunEnded
from hedgerow.ports import Add
from hedgerow.records import Record
from tests.contract.scheduler_server import CloudScheduler, scheduler_server
from tests.contract.secret_manager_server import SecretManager, secret_manager_server
from tests.contract.specimens import NOON, Leaf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


async def _use_each(
    store: FirestoreStore, queue: PubSubQueue, vault: SecretManagerVault, schedules: CloudSchedules
) -> tuple[int, int]:
    await queue.ensure_push("run-ended", "http://127.0.0.1:9/nobody")
    await queue.publish(RunEnded(connection_id="con_1", run_id="run_1"))
    reference = await vault.write("con_1", SecretStr("phx_nobodys"))
    assert (await vault.read(reference)).get_secret_value() == "phx_nobodys"
    found = await store.count(Leaf), len(await schedules.list())
    for seam in (store, queue, vault, schedules):
        await seam.close()
    return found


def test_every_client_serves_one_event_loop_after_another(firestore_host: str, pubsub_host: str, project: str) -> None:
    """Their servers live in a thread with a loop of its own, as the service does elsewhere."""
    scheduler = CloudScheduler(NOON)
    scheduler.add(f"projects/{project}/locations/europe-west1", planned("hedgerow-"))
    with elsewhere(secret_manager_server()) as secrets, elsewhere(scheduler_server(scheduler)) as times:
        clients = (
            FirestoreStore(project, emulator_host=firestore_host),
            PubSubQueue(project, emulator_host=pubsub_host),
            SecretManagerVault(project, emulator_host=secrets),
            CloudSchedules(project, "europe-west1", emulator_host=times),
        )
        for _ in range(3):
            assert asyncio.run(_use_each(*clients)) == (0, len(planned("")))


@contextmanager
def elsewhere(server: AbstractAsyncContextManager[str]) -> Iterator[str]:
    """A server in a thread of its own for the length of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _get(project: str) -> None:
    await FirestoreStore(project).get(Leaf, "x")


async def _publish(project: str) -> None:
    await PubSubQueue(project).publish(RunEnded(connection_id="con_1", run_id="run_1"))


async def _read(project: str) -> None:
    await SecretManagerVault(project).read(f"projects/{project}/secrets/hedgerow-x/versions/1")


async def _list(project: str) -> None:
    await CloudSchedules(project, "europe-west1").list()


@pytest.mark.parametrize("call", [_get, _publish, _read, _list])
async def test_without_credentials_the_remedy_is_told(
    call: Callable[[str], Awaitable[None]], project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nobody.json"))

    with pytest.raises(MisconfiguredError, match="no valid Google credentials") as raised:
        await call(project)

    assert raised.value.code == "no_credentials"
    assert "gcloud auth application-default login" in raised.value.hint


@pytest.mark.parametrize("adapter", ["store", "queue", "vault", "schedules"])
async def test_with_credentials_each_client_opens_the_service_s_own_address(
    adapter: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The credentials are nobody's and nothing is called: a channel opens at its first call."""
    nobody = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    (tmp_path / "adc.json").write_text(json.dumps(nobody))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    clients: dict[str, Any] = {
        "store": FirestoreStore(project)._clients,
        "queue": PubSubQueue(project)._pubsub.publishers,
        "vault": SecretManagerVault(project)._clients,
        "schedules": CloudSchedules(project, "europe-west1")._clients,
    }
    client = clients[adapter].get()

    assert clients[adapter].get() is client
    assert client.transport.host.endswith(".googleapis.com:443")
    await clients[adapter].close()


class Large(Record):
    """As long as somebody makes it."""

    collection = "larges"

    text: str
    more: str = ""


@pytest.mark.parametrize(
    "record",
    [
        Large(id="x", text="a" * 1_100_000),
        Large(id="x", text="a" * 900_000, more="b" * 900_000),
        Large(id="x", text="a" * 12_000_000),
    ],
    ids=["field", "document", "request"],
)
async def test_a_document_that_is_too_large_is_named_and_never_retried(
    firestore_host: str, project: str, record: Large
) -> None:
    store = FirestoreStore(project, emulator_host=firestore_host)
    began = time.monotonic()
    with pytest.raises(TooLargeError, match="larges/x") as raised:
        await store.commit(Add(Leaf(id="small")), Add(record))
    await store.close()

    assert not raised.value.transient
    assert time.monotonic() - began < PATIENCE_SECONDS / 2


async def test_a_message_that_is_too_large_keeps_none_from_being_sent_twice(project: str) -> None:
    queue = PubSubQueue(project, emulator_host="127.0.0.1:9")

    with pytest.raises(TooLargeError, match="run-ended"):
        await queue.publish(RunEnded(connection_id="c" * 9_500_000, run_id="run_1"))
    await queue.close()


async def test_a_secret_that_is_too_large_makes_no_secret(project: str) -> None:
    manager = SecretManager()
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        with pytest.raises(TooLargeError, match="65,536"):
            await vault.write("con_1", SecretStr("p" * 65_537))
        await vault.write("con_2", SecretStr("p" * 65_536))
        await vault.close()

    assert list(manager.secrets) == [(project, "hedgerow-con_2")]


async def test_a_connection_that_died_idle_is_opened_again(firestore_host: str, project: str) -> None:
    """As behind a load balancer that forgot the connection while the instance was throttled."""
    cuts: list[asyncio.StreamWriter] = []
    over: list[asyncio.Task[None]] = []

    async def carry(near: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await near.read(65_536):
                to.write(part)
        to.close()
        with suppress(OSError):
            await to.wait_closed()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = firestore_host.split(":")
        far, there = await asyncio.open_connection(host, int(port))
        cuts.extend((writer, there))
        over.extend((asyncio.create_task(carry(reader, there)), asyncio.create_task(carry(far, writer))))

    between = await asyncio.start_server(accept, "127.0.0.1", 0)
    store = FirestoreStore(project, emulator_host=f"127.0.0.1:{between.sockets[0].getsockname()[1]}")
    await store.commit(Add(Leaf(id="before")))
    for each in cuts:
        each.transport.abort()
    await store.commit(Add(Leaf(id="after")))

    assert await store.count(Leaf) == 2
    assert len(cuts) >= 4
    await store.close()
    between.close()
    for each in cuts:
        each.close()
    await asyncio.gather(*over)
