"""What the Google adapters promise beyond the ports: one client per loop, readable documents, errors in our words."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import PubSubQueue
from hedgerow.adapters.pubsub_requests import chunks
from hedgerow.errors import TransientError
from hedgerow.messages import RunEnded
from hedgerow.parts import Part
from hedgerow.ports import Add
from hedgerow.records import Record
from tests.contract.posts import Letterbox, PubSubPost
from tests.contract.specimens import NOON, Berry, Everything, Leaf


async def _add(store: FirestoreStore, id: str) -> None:
    await store.commit(Add(Leaf(id=id)))


async def _count_and_close(store: FirestoreStore) -> int:
    number = await store.count(Leaf)
    await store.close()
    return number


def test_one_store_serves_one_event_loop_after_another(firestore_host: str, project: str) -> None:
    store = FirestoreStore(project, emulator_host=firestore_host)

    for id in "ab":
        asyncio.run(_add(store, id))

    assert asyncio.run(_count_and_close(store)) == 2


async def test_documents_are_native_maps_for_the_console(firestore_host: str, project: str, monkeypatch: Any) -> None:
    from google.cloud.firestore import AsyncClient

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    store = FirestoreStore(project, emulator_host=firestore_host)
    record = Everything(id="x", maybe=None, at=NOON, raw=b"\xff", counts={"a.b": 1}, berry=Berry(name="haw"))
    await store.commit(Add(record))

    client = AsyncClient(project=project)
    shown = (await client.collection("everything").document("x").get()).to_dict()
    await client._firestore_api.transport.close()
    await store.close()

    assert shown is not None
    assert shown["at"] == NOON
    assert shown["day"] == "2026-03-29"
    assert shown["span"] == 0
    assert shown["raw"] == b"\xff"
    assert shown["counts"] == {"a.b": 1}
    assert shown["berry"] == {"name": "haw", "seeds": b"", "picked_at": None}
    assert "maybe" not in shown
    assert {"id", "version"}.isdisjoint(shown)


class Grid(Record):
    """What Firestore cannot hold."""

    collection = "grids"

    rows: tuple[tuple[int, ...], ...]


class Odd(Part):
    """A part of a type no document has."""

    number: complex


class Oddity(Record):
    """As above."""

    collection = "oddities"

    odd: Odd


@pytest.mark.parametrize(
    "record", [Grid(id="x", rows=((1,),)), Oddity(id="x", odd=Odd(number=1j))], ids=["array", "type"]
)
async def test_what_firestore_cannot_hold_is_refused_before_it_is_sent(record: Record) -> None:
    with pytest.raises(TypeError, match=r"no array inside an array|a complex cannot be stored"):
        await FirestoreStore("nowhere", emulator_host="127.0.0.1:9").commit(Add(record))


async def test_a_topic_that_is_not_there_is_worth_another_try(pubsub_host: str, project: str) -> None:
    queue = PubSubQueue(project, emulator_host=pubsub_host)

    with pytest.raises(TransientError, match="no topic"):
        await queue.publish(RunEnded(connection_id="con_1", run_id="run_1"))
    await queue.close()


def test_no_request_is_larger_than_pubsub_takes() -> None:
    """The emulator takes any size; the service takes 1,000 messages and 10 MB."""
    from google.pubsub_v1.types import PublishRequest

    large = [RunEnded(connection_id="c" * (number * 10_000), run_id="run_1") for number in range(60)]
    small = [RunEnded(connection_id="con_1", run_id=f"run_{number}") for number in range(2_500)]

    requests = [PublishRequest.pb()(topic="t" * 300, messages=chunk) for chunk in chunks([*large, *small])]

    assert sum(len(request.messages) for request in requests) == 2_560
    assert max(len(request.messages) for request in requests) <= 1_000
    assert max(request.ByteSize() for request in requests) < 10_000_000
    assert len(requests) == 5


async def test_a_push_subscription_follows_its_server(pubsub_host: str, project: str) -> None:
    """The second server of the same project takes over from the first, as after a restart on another port."""
    letterbox = Letterbox()
    async with PubSubPost(project, pubsub_host).open("run-ended") as first:
        await first.queue.close()
    async with PubSubPost(project, pubsub_host).open("run-ended") as second:
        async with second.delivering(letterbox):
            await second.queue.publish(RunEnded(connection_id="con_1", run_id="run_1"))
            await letterbox.until(lambda: bool(letterbox.envelopes))
        await second.queue.close()

    assert letterbox.runs() == ["run_1"]


@pytest.mark.parametrize(
    "module", ["firestore", "google", "google_clients", "google_errors", "sqlite", "embedded", "courier", "sealed"]
)
def test_importing_an_adapter_loads_no_client(module: str) -> None:
    # The packages `google` and `google.cloud` themselves are made, empty, by pip's .pth files.
    heavy = (
        "[name for name in sys.modules if name.startswith(('google.a', 'google.p', 'google.cloud.', 'grpc', 'crypto'))]"
    )
    code = f"import sys, hedgerow.adapters.{module}; print({heavy})"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
