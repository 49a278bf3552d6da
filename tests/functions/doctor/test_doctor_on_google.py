"""The doctor in front of Google's services: the emulators as they stand and stopped, and a Firestore without an index."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from google.cloud.firestore_v1 import types
from pydantic import SecretStr

from functions.api.routes import targets
from hedgerow import messages, wiring
from hedgerow.adapters.google import PubSubQueue
from hedgerow.cli.operations.doctor import indexes, queue, store, vault
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.visiting import Terminal, case_of, visit
from hedgerow.errors import MisconfiguredError
from hedgerow.pushes import DEAD_TOPIC
from hedgerow.settings import Settings
from tests.functions.doctor.room import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hedgerow.app import App
    from hedgerow.cli.operations.doctor.case import Case

NOWHERE = "http://127.0.0.1:1"


def settings(folder: Path, project: str, firestore: str, pubsub: str) -> Settings:
    found = {"FIRESTORE_EMULATOR_HOST": firestore, "PUBSUB_EMULATOR_HOST": pubsub}
    return Settings(data=folder, store="firestore", queue="pubsub", project=project, **found)


async def close(app: App, case: Case) -> None:
    await case.inspection.close()
    await wiring.close(app)


async def test_the_emulators_before_and_after_a_server_ran_on_them(
    tmp_path: Path, project: str, firestore_host: str, pubsub_host: str
) -> None:
    app = wiring.build(settings(tmp_path, project, firestore_host, pubsub_host))
    case = case_of(app, Terminal(url=NOWHERE))
    assert isinstance(app.queue, PubSubQueue)
    before = await diagnose(case)
    topics = {each.topic for each in targets().values() if each.topic}
    missing = [each for each in before.findings if each.code == "queue.topic_missing"]
    assert {each.subject for each in missing} == topics
    assert {each.command for each in missing} == {f"hedgerow dev --emulators --data {tmp_path}"}

    with served(tmp_path):
        running = await diagnose(case)
    (said,) = {each.command for each in running.findings if each.code == "queue.topic_missing"}
    assert said == f"End the server, then: hedgerow dev --emulators --data {tmp_path}"

    for topic in [*(kind.topic for kind in messages.Message.__subclasses__()), DEAD_TOPIC]:
        await app.queue.ensure_push(topic, f"{NOWHERE}/{topic}")
    after = await diagnose(case)

    assert [each.code for each in after.findings if each.severity != "ok"] == ["server.down", "schedule.never_called"]
    await close(app, case)


async def test_a_subscription_without_dead_letters_or_none_at_all(
    tmp_path: Path, project: str, firestore_host: str, pubsub_host: str
) -> None:
    app = wiring.build(settings(tmp_path, project, firestore_host, pubsub_host))
    case = case_of(app, Terminal(url=NOWHERE))
    assert isinstance(app.queue, PubSubQueue)
    await app.queue.ensure_push(DEAD_TOPIC, f"{NOWHERE}/dead")
    publisher, subscriber = app.queue._pubsub.publishers.get(), app.queue._pubsub.subscribers.get()
    for name in ("run-ended", "notification-due"):
        await publisher.create_topic({"name": f"projects/{project}/topics/hedgerow-{name}"})
    await subscriber.create_subscription(
        {
            "name": f"projects/{project}/subscriptions/hedgerow-run-ended",
            "topic": f"projects/{project}/topics/hedgerow-run-ended",
            "push_config": {"push_endpoint": f"{NOWHERE}/run-ended"},
        }
    )

    found = {each.subject: each.code for each in await queue.check(case)}

    assert found["run-ended"] == "queue.no_dead_letter"
    assert found["notification-due"] == "queue.subscription_missing"
    assert found["sync-requested"] == "queue.topic_missing"
    assert "dead" not in found
    await close(app, case)


async def test_stopped_emulators_are_told_in_one_line_each(tmp_path: Path, project: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
        app = wiring.build(settings(tmp_path, project, host, host))
        case = case_of(app, Terminal(url=NOWHERE))
        report = await diagnose(case)
        await close(app, case)

    away = {each.code: each for each in report.of("problem")}
    assert set(away) == {"store.unreachable", "queue.unreachable", "server.down"}
    assert "FIRESTORE_EMULATOR_HOST" in away["store.unreachable"].command
    assert "PUBSUB_EMULATOR_HOST" in away["queue.unreachable"].command
    assert report.exit_code == 3
    assert report.findings[0].code == "store.unreachable"
    assert {"vault", "connections", "schedules"} <= set(report.skipped)
    assert report.looked_at.startswith(f"Firestore's emulator at {host}, project {project}, database (default); ")


async def test_a_folder_that_is_not_the_emulators_is_said_and_left_alone(tmp_path: Path, project: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    report = await visit(settings(elsewhere, project, "127.0.0.1:1", "127.0.0.1:1"), Terminal(url=NOWHERE))

    (finding,) = report.of("problem")
    assert str(elsewhere) in finding.what
    assert "--data" in finding.command
    assert not elsewhere.exists()
    with_key = settings(elsewhere, project, "127.0.0.1:1", "127.0.0.1:1").model_copy(
        update={"sealing_key": SecretStr(base64.b64encode(bytes(32)).decode())}
    )
    assert report.exit_code == 3
    assert "--data" not in (await visit(with_key, Terminal(url=NOWHERE))).findings[0].command


class Firestore:
    """Answers every query with nothing, or as a test says for a collection; takes no write that it is told to refuse."""

    def __init__(self) -> None:
        self.refusals: dict[str, tuple[grpc.StatusCode, str]] = {}

    async def run_query(self, request: types.RunQueryRequest, context: Any) -> AsyncIterator[types.RunQueryResponse]:
        collection = request.structured_query.from_[0].collection_id
        orders = [order.field.field_path for order in request.structured_query.order_by]
        if (refusal := self.refusals.get(collection)) is not None and len(orders) > 1:
            await context.abort(*refusal)
        yield types.RunQueryResponse()

    async def commit(self, request: types.CommitRequest, context: Any) -> types.CommitResponse:
        await context.abort(*self.refusals["commit"])
        raise AssertionError


@pytest.fixture
async def firestore(tmp_path: Path) -> AsyncIterator[tuple[Firestore, Case]]:
    there = Firestore()
    methods = {
        "RunQuery": grpc.unary_stream_rpc_method_handler(
            there.run_query, types.RunQueryRequest.deserialize, types.RunQueryResponse.serialize
        ),
        "Commit": grpc.unary_unary_rpc_method_handler(
            there.commit, types.CommitRequest.deserialize, types.CommitResponse.serialize
        ),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("google.firestore.v1.Firestore", methods),))
    host = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    app = wiring.build(settings(tmp_path, "p", host, host))
    case = case_of(app, Terminal(url=NOWHERE))
    yield there, case
    await close(app, case)
    await server.stop(None)


async def test_a_missing_index_is_found_before_a_tick_finds_it(firestore: tuple[Firestore, Case]) -> None:
    there, case = firestore
    assert [each.code for each in await indexes.check(case)] == ["ok"]

    link = "https://console.firebase.google.com/v1/r/project/p/firestore/indexes?create_composite=Cg"
    needs = f"The query requires an index. You can create it here: {link}"
    there.refusals["dead_messages"] = (grpc.StatusCode.FAILED_PRECONDITION, needs)
    findings = await indexes.check(case)

    assert {each.code for each in findings} == {"store.index_missing"}
    assert "dead_messages (topic, -at)" in {each.subject for each in findings}
    assert all("terraform apply" in each.command for each in findings)


async def test_an_index_the_vaults_check_lacks_is_not_the_vaults_fault(firestore: tuple[Firestore, Case]) -> None:
    there, case = firestore
    there.refusals["connections"] = (grpc.StatusCode.FAILED_PRECONDITION, "The query requires an index.")

    with pytest.raises(MisconfiguredError) as met:
        await vault.check(case)

    assert met.value.code == "index_missing"


async def test_missing_rights_are_one_line_and_say_what_gives_them(firestore: tuple[Firestore, Case]) -> None:
    there, case = firestore
    denied = (grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions.")
    there.refusals = dict.fromkeys(("connections", "sync_runs", "dead_messages", "commit"), denied)

    for findings in (await indexes.check(case), await store.check(case)):
        (finding,) = findings
        assert finding.code == "store.refused"
        assert "terraform apply" in finding.command


async def test_a_database_that_is_not_there(firestore: tuple[Firestore, Case]) -> None:
    there, case = firestore
    there.refusals["commit"] = (
        grpc.StatusCode.NOT_FOUND,
        "The database (default) does not exist for project p Please visit https://console.cloud.google.com/datastore/setup",
    )

    (finding,) = await store.check(case)

    assert finding.code == "store.refused"
    assert "HEDGEROW_PROJECT" in finding.command
