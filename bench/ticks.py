"""A tick over due connections on Google's emulators, against a bare loop of the same reads and publishes.

The floor uses Google's own generated clients and nothing of Hedgerow: pages of 2,000 of
the same documents, a publish request for each thousand, and the two questions for left runs
that a tick asks beside them. It reads of each document only what the message needs. Beside the
time the tick's memory: the peak of a process that ticks a tenth of the connections, and of
one that ticks them all.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import SecretStr

from bench import tick_memory
from bench.figures import Must, Row, compared, ratio, spread, unmeasured
from bench.installation import ADMIN_KEY, NOW
from bench.pushing import call
from bench.rounds import in_turn, timing
from bench.sizes import Sizes
from functions.sync.main import sync_tick
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import PubSubQueue
from hedgerow.adapters.sealed import SealedVault
from hedgerow.app import App
from hedgerow.messages import SyncRequested
from hedgerow.models import Capability, CapabilityName, Connection, SyncProgress, Tier
from hedgerow.outbound import GuardedOutbound
from hedgerow.ports import Add
from hedgerow.records import derived_id
from hedgerow.settings import Settings
from tests.emulators import EmulatorMissingError, firestore_emulator, pubsub_emulator

if TYPE_CHECKING:
    from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
    from google.pubsub_v1 import PublisherAsyncClient

NAME = "ticks"
PAGE = 2_000
# Pub/Sub takes no more in one request; Firestore's emulator writes no faster in larger batches.
REQUEST, WRITTEN = 1_000, 500
# Every message names the trace that its tick began.
TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"
# In turn, after one that does not count. The emulator looks through all connections for each page: a minute each.
ROUNDS = 2
LIMIT = 1.3
# A tick holds two pages; what grew with the connections would show ten times.
FLAT = 1.1
CAPABILITIES: tuple[CapabilityName, ...] = (
    "reach",
    "authenticate",
    "project",
    "query",
    "feature_flags",
    "event_definitions",
    "capture",
)


def measure(sizes: Sizes) -> list[Row]:
    """The time, and the memory."""
    what = f"tick over {sizes.connections:,} due connections against a bare loop, emulators"
    try:
        with firestore_emulator() as firestore, pubsub_emulator() as pubsub:
            return asyncio.run(_measure(what, sizes, firestore, pubsub))
    except EmulatorMissingError as missing:
        return [unmeasured(NAME, what, str(missing), Must(LIMIT, "ratio"))]


async def _measure(what: str, sizes: Sizes, firestore: str, pubsub: str) -> list[Row]:
    project = f"bench-{uuid4().hex[:12]}"
    store = FirestoreStore(project, emulator_host=firestore)
    queue = PubSubQueue(project, emulator_host=pubsub)
    app = App(
        Settings(admin_key=SecretStr(ADMIN_KEY)),
        store,
        SealedVault(store, bytes(32)),
        queue,
        GuardedOutbound(()),
        lambda: NOW,
    )
    loop = BareLoop(project, firestore, pubsub)
    try:
        await loop.make_topic()
        for begin in range(0, sizes.connections, WRITTEN):
            numbers = range(begin, min(begin + WRITTEN, sizes.connections))
            await store.commit(*(Add(connection(number)) for number in numbers))
        tenth = sizes.connections // 10
        for begin in range(0, tenth, WRITTEN):
            numbers = range(sizes.connections + begin, sizes.connections + min(begin + WRITTEN, tenth))
            await store.commit(*(Add(connection(number, "pro")) for number in numbers))
        few = await asyncio.to_thread(tick_memory.peak, firestore, pubsub, project, "pro", tenth)
        all_of_them = await asyncio.to_thread(tick_memory.peak, firestore, pubsub, project, "scale", sizes.connections)

        async def tick() -> None:
            answer = await call(app, sync_tick, b'{"tier": "scale"}')
            if json.loads(bytes(answer.body)) != {"tier": "scale", "due": sizes.connections}:
                raise RuntimeError(f"the tick answered {bytes(answer.body)!r}")

        async def floor() -> None:
            if (due := await loop.run()) != sizes.connections:
                raise RuntimeError(f"the bare loop found {due}")

        seconds = await in_turn(ROUNDS if sizes.full else sizes.rounds, {"tick": timing(tick), "floor": timing(floor)})
    finally:
        await loop.close()
        await queue.close()
        await store.close()
    note = f"pages of {PAGE:,} and batched publishing in both"
    memory = Row(
        NAME,
        f"peak memory of a process that ticks {sizes.connections:,} connections against one that ticks {tenth:,}",
        spread([all_of_them]),
        "MB",
        spread([few]),
        ratio([all_of_them], [few]),
        Must(FLAT, "ratio"),
        "resident, the interpreter and the Google clients included",
    )
    return [compared(NAME, what, seconds["tick"], seconds["floor"], limit=LIMIT, note=note), memory]


def connection(number: int, tier: Tier = "scale") -> Connection:
    """One due connection, as full of fields as a real one."""
    id = derived_id("con", str(number))
    good = tuple(
        Capability(
            name=name, ok=True, required=name in CAPABILITIES[:4], code="ok", detail=f"The key may {name}.", hint=""
        )
        for name in CAPABILITIES
    )
    return Connection(
        id=id,
        tenant_id=derived_id("ten", str(number // 3)),
        name=f"Shop {number}",
        host="https://us.posthog.com",
        project_id=str(number),
        project_token=f"phc_{number:032}",
        secret_ref=f"{id}.0123456789abcdef",
        state="connected",
        state_since=NOW - timedelta(days=40),
        capabilities=good,
        tier=tier,
        timezone="Europe/Berlin",
        created_at=NOW - timedelta(days=40),
        due_at=NOW - timedelta(seconds=number % 1800),
        progress=SyncProgress(
            last_success_at=NOW - timedelta(minutes=30), last_success_day=NOW.date(), heavy_at=NOW - timedelta(hours=1)
        ),
    )


class BareLoop:
    """The same reads and publishes by Google's clients alone."""

    def __init__(self, project: str, firestore: str, pubsub: str) -> None:
        self._root = f"projects/{project}/databases/(default)"
        self._topic = f"projects/{project}/topics/hedgerow-{SyncRequested.topic}"
        self._firestore = _firestore(firestore)
        self._publisher = _publisher(pubsub)

    async def make_topic(self) -> None:
        """The topic both publish to."""
        await self._publisher.create_topic({"name": self._topic})

    async def run(self) -> int:
        """How many connections were due and published."""
        due = 0
        behind: list[dict[str, Any]] = []
        tier = _condition("tier", "EQUAL", {"string_value": "scale"})
        while True:
            page = await self._page("connections", tier, behind)
            if not page:
                break
            messages = [_message(document) for document in page]
            chunks = [messages[begin : begin + REQUEST] for begin in range(0, len(messages), REQUEST)]
            await asyncio.gather(
                *(self._publisher.publish({"topic": self._topic, "messages": chunk}) for chunk in chunks)
            )
            due += len(page)
            if len(page) < PAGE:
                break
            behind = [
                {"timestamp_value": page[-1].fields["due_at"].timestamp_value},
                {"reference_value": page[-1].name},
            ]
        for state in ("pending", "running"):
            await self._page("sync_runs", _condition("state", "EQUAL", {"string_value": state}), [])
        return due

    async def close(self) -> None:
        """Close both channels."""
        await self._firestore.transport.close()  # type: ignore[no-untyped-call]
        await self._publisher.transport.close()  # type: ignore[no-untyped-call]

    async def _page(self, collection: str, equal: dict[str, Any], behind: list[dict[str, Any]]) -> list[Any]:
        query: dict[str, Any] = {
            "from_": [{"collection_id": collection}],
            "where": {
                "composite_filter": {
                    "op": "AND",
                    "filters": [equal, _condition("due_at", "LESS_THAN_OR_EQUAL", {"timestamp_value": NOW})],
                }
            },
            "order_by": [_ascending("due_at"), _ascending("__name__")],
            "limit": PAGE,
        }
        if behind:
            query["start_at"] = {"values": behind, "before": False}
        answers = await self._firestore.run_query(
            {"parent": f"{self._root}/documents", "structured_query": query},
            metadata=[("google-cloud-resource-prefix", self._root), ("authorization", "Bearer owner")],
        )
        return [type(answer).pb(answer).document async for answer in answers if type(answer).pb(answer).document.name]


def _message(document: Any) -> dict[str, Any]:
    """The message a tick makes of this document: the same bytes, as many attributes."""
    id = document.name.rsplit("/", 1)[1]
    stored = document.fields["due_at"].timestamp_value
    at = datetime.fromtimestamp(stored.seconds, UTC).replace(microsecond=stored.nanos // 1000)
    body = f'{{"connection_id":"{id}","run_id":null,"due_at":"{at.isoformat().replace("+00:00", "Z")}"}}'
    return {"data": body.encode(), "attributes": {"key": f"{id}@{at.isoformat()}", "traceparent": TRACE}}


def _condition(field: str, op: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"field_filter": {"field": {"field_path": field}, "op": op, "value": value}}


def _ascending(field: str) -> dict[str, Any]:
    return {"field": {"field_path": field}, "direction": "ASCENDING"}


def _firestore(host: str) -> FirestoreAsyncClient:
    import grpc.aio
    from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
    from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

    return FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(host)))


def _publisher(host: str) -> PublisherAsyncClient:
    import grpc.aio
    from google.pubsub_v1 import PublisherAsyncClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(host)))
