"""The zip on Google's emulators, one target of each trigger: a call, a tick, and the message it publishes, pushed."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from functions.api.routes import targets
from hedgerow import wiring
from hedgerow.adapters.google import PubSubQueue
from hedgerow.messages import Message, SyncRequested
from hedgerow.models import SyncRun
from hedgerow.ports import Where
from hedgerow.settings import Settings
from tests.deploy.callers import install
from tests.deploy.deployment import ask

if TYPE_CHECKING:
    from pathlib import Path

    from hedgerow.app import App
    from tests.deploy.deployment import Answer, Deployment

HOST = "127.0.0.1:9"
SEALING_KEY = base64.b64encode(bytes(32)).decode()
PUSH_SECONDS = 60
ASKED = ("api", "capture", "sync_tick")


async def test_a_tick_of_the_zip_ends_in_a_run_of_the_zip(
    deployment: Deployment, firestore_host: str, pubsub_host: str, project: str, tmp_path: Path
) -> None:
    variables = {
        "FIRESTORE_EMULATOR_HOST": firestore_host,
        "PUBSUB_EMULATOR_HOST": pubsub_host,
        "HEDGEROW_STORE": "firestore",
        "HEDGEROW_QUEUE": "pubsub",
        "HEDGEROW_PROJECT": project,
        "HEDGEROW_SEALING_KEY": SEALING_KEY,
        "HEDGEROW_ALLOWED_PRIVATE_HOSTS": HOST,
    }
    app = wiring.build(_settings(firestore_host, pubsub_host, project))
    try:
        installation = await install(app, f"http://{HOST}")
        cases = installation.cases(targets())
        with ExitStack() as running:
            started = {
                name: await asyncio.to_thread(
                    running.enter_context,
                    deployment.started(targets()[name], variables, tmp_path / f"{name}.log"),
                )
                for name in (*ASKED, "sync_connection")
            }
            await _push_to(app, started["sync_connection"])
            for name in ASKED:
                for case in cases[name]:
                    log = tmp_path / f"{name}.log"
                    answer: Answer = await asyncio.to_thread(ask, started[name], case.request, log)
                    assert answer.status == case.status, f"{case.request.path}: {answer.body}\n{answer.log[-3000:]}"
                    if name == "sync_tick" and b"scale" in case.request.body:
                        assert json.loads(answer.body)["due"] == 1
            run = await _ended(app, installation.connection.id)
    finally:
        await wiring.close(app)
    # Its PostHog is down: that is the run's outcome, written by the process the push came to.
    assert run.kind == "scheduled"
    assert run.error is not None


def _settings(firestore: str, pubsub: str, project: str) -> Settings:
    return Settings(
        FIRESTORE_EMULATOR_HOST=firestore,
        PUBSUB_EMULATOR_HOST=pubsub,
        store="firestore",
        queue="pubsub",
        project=project,
        sealing_key=SEALING_KEY,
        public_url="https://hedgerow.test",
        allowed_private_hosts=(HOST,),
    )


async def _push_to(app: App, address: str) -> None:
    """Every topic as Terraform makes it; the syncs' own is pushed to the process that runs, the rest to nobody."""
    assert isinstance(app.queue, PubSubQueue)
    for kind in Message.__subclasses__():
        where = address if kind.topic == SyncRequested.topic else HOST
        await app.queue.ensure_push(kind.topic, f"http://{where}/")


async def _ended(app: App, connection_id: str) -> SyncRun:
    async with asyncio.timeout(PUSH_SECONDS):
        while True:
            page = await app.store.find(SyncRun, Where("connection_id", "==", connection_id))
            if page.items and page.items[0].state in {"succeeded", "failed"}:
                return page.items[0]
            await asyncio.sleep(0.2)
