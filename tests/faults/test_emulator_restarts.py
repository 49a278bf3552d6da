"""Google's emulators killed and started again under work: nothing is lost, and one line says what is the matter.

The emulators keep everything in memory: Firestore's comes back empty, Pub/Sub's without
topics. What is to be found again lies in the other one.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import SecretStr
from structlog.testing import capture_logs

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import PubSubQueue
from hedgerow.logs import log
from hedgerow.messages import SyncRequested
from hedgerow.models import SyncRun
from hedgerow.ports import Add, Swap, Where
from local.private import PrivateTargets
from tests.contract.posts import Letterbox, PubSubPost
from tests.contract.specimens import Leaf
from tests.emulators import firestore_emulator, pubsub_emulator
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager

    from hedgerow.ports import Store


@dataclass
class Emulator:
    """One that can be killed and started again on its port."""

    start: Callable[[int | None], AbstractContextManager[str]]
    host: str
    stack: ExitStack

    async def kill(self) -> None:
        await asyncio.to_thread(self.stack.close)

    async def restart(self) -> None:
        port = int(self.host.rpartition(":")[2])
        self.host = await asyncio.to_thread(self.stack.enter_context, self.start(port))


@asynccontextmanager
async def running(start: Callable[[int | None], AbstractContextManager[str]]) -> AsyncIterator[Emulator]:
    with ExitStack() as stack:
        host = await asyncio.to_thread(stack.enter_context, start(None))
        yield Emulator(start, host, stack)


@asynccontextmanager
async def targets(store: Store, queue: PubSubQueue) -> AsyncIterator[tuple[Stage, PrivateTargets]]:
    """The real targets, on Google's own clients."""
    log()  # Configured here, lest the first line do it in the middle of capturing.
    async with staged(store=store) as stage:
        settings = stage.app.settings.model_copy(update={"invoker": SecretStr("the-restarts")})
        stage.app = replace(stage.app, settings=settings, queue=queue)
        private = PrivateTargets(stage.app)
        yield stage, private
        await private.close()


async def test_what_pubsub_forgot_is_published_again_by_the_tick(firestore_host: str, project: str) -> None:
    async with running(pubsub_emulator) as emulator:
        store = FirestoreStore(project, emulator_host=firestore_host)
        queue = PubSubQueue(project, emulator_host=emulator.host)
        letterbox = Letterbox()
        async with targets(store, queue) as (stage, private):
            connection = await stage.connection(await stage.tenant("scale"))
            due = connection.model_copy(update={"due_at": stage.clock()})
            await store.commit(Swap(due))
            await queue.ensure_push(SyncRequested.topic, "http://127.0.0.1:9/nobody")
            await emulator.kill()

            with capture_logs() as lines:
                refused = await private.call("sync_tick", {"tier": "scale"})
            said = [line for line in lines if line["event"] == "target.failed"]
            assert refused == 503
            assert [line["code"] for line in said] == ["emulator_away"]
            assert emulator.host in said[0]["detail"]

            await emulator.restart()
            with capture_logs() as lines:
                assert await private.call("sync_tick", {"tier": "scale"}) == 503
            assert [line["code"] for line in lines if line["event"] == "target.failed"] == ["no_topic"]

            async with PubSubPost(project, emulator.host).open(SyncRequested.topic) as post:
                async with post.delivering(letterbox):
                    assert await private.call("sync_tick", {"tier": "scale"}) == 200
                    await letterbox.until(lambda: bool(letterbox.envelopes))
                await post.queue.close()
            runs = await store.find(SyncRun, Where("state", "==", "pending"))
            assert {run.connection_id for run in runs.items} <= {connection.id}
            assert {Letterbox.body(envelope)["connection_id"] for _, envelope in letterbox.envelopes} == {connection.id}
        await queue.close()
        await store.close()


async def test_the_targets_work_on_when_firestore_is_back(pubsub_host: str, project: str) -> None:
    async with running(firestore_emulator) as emulator:
        store = FirestoreStore(project, emulator_host=emulator.host)
        queue = PubSubQueue(project, emulator_host=pubsub_host)
        async with targets(store, queue) as (_, private):
            assert await private.call("sync_tick", {"tier": "scale"}) == 200
            await emulator.kill()
            with capture_logs() as lines:
                assert await private.call("sync_tick", {"tier": "scale"}) == 503
            said = [line for line in lines if line["event"] == "target.failed"]
            assert [line["code"] for line in said] == ["emulator_away"]
            assert "FIRESTORE_EMULATOR_HOST" in str(said[0]) or emulator.host in said[0]["detail"]

            # Begun while it is away, done once it is back: the calls wait within their patience.
            writing = [asyncio.create_task(store.commit(Add(Leaf(id=f"leaf_{number}")))) for number in range(20)]
            await emulator.restart()
            await asyncio.gather(*writing)
            assert await store.count(Leaf) == 20
            assert await private.call("sync_tick", {"tier": "scale"}) == 200
        await queue.close()
        await store.close()
