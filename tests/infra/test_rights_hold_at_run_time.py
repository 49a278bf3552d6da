"""Targets run on ports that write down what is asked of them: it is never more than the manifest's rights."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.alerts.main import alerts_tick, evaluate_alerts, notify
from functions.capture.main import redeliver_tick
from functions.disconnect.main import disconnect, purge_connection
from functions.sync.main import retention_tick, sync_connection, sync_tick
from hedgerow import disconnection, drafts
from hedgerow.messages import NotificationDue, PurgeRequested, RunEnded, SyncRequested
from tests.crash import Fuse, armed
from tests.functions.alerts.notifying_room import notifying_room
from tests.infra.calling import called, push
from tests.infra.hcl import REPOSITORY
from tests.left import lived_in
from tests.stage import ADMIN_KEY, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.infra.calling import Target

MANIFEST: dict[str, dict[str, Any]] = json.loads((REPOSITORY / "functions" / "manifest.json").read_text("utf-8"))
VAULT = {"read": "read", "write": "write", "destroy": "destroy", "versions": "destroy", "remove": "delete"}


def beyond(name: str, calls: list[str]) -> list[str]:
    """The calls that the rights of a target do not cover."""
    rights = MANIFEST[name]["rights"]
    refused = []
    for call in calls:
        port, _, rest = call.partition(".")
        verb, _, what = rest.partition(" ")
        if port == "vault":
            allowed = VAULT[verb] in rights["secrets"]
        elif port == "queue":
            allowed = verb == "reach" or set(what.split()) <= set(rights["publish"])
        elif verb == "commit":
            changes = set(re.findall(r"(Add|Swap|Patch|Delete)\(", what))
            needed = {"delete" if each == "Delete" else "write" for each in changes}
            allowed = needed <= set(rights["store"])
        else:
            allowed = "read" in rights["store"]
        refused += [] if allowed else [call]
    return refused


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def test_nothing_is_asked_beyond_the_rights_when_things_go_wrong(stage: Stage) -> None:
    """A tenant that lived, a connection nobody finished to disconnect, a draft that died: every tick and topic over it."""
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    ending = await lived_in(stage, tenant, token="phc_other")
    await disconnection.begin(stage.app, ending, purge=True)
    await drafts.begin(stage.app, "con_of_nobody")
    stage.clock.forward(timedelta(days=40))
    bodies: list[tuple[Target, str, bytes]] = [
        (sync_tick, "sync_tick", b'{"tier": "pro"}'),
        (retention_tick, "retention_tick", b"{}"),
        (redeliver_tick, "redeliver_tick", b"{}"),
        (alerts_tick, "alerts_tick", b"{}"),
        (sync_connection, "sync_connection", push(SyncRequested(connection_id=connection.id, due_at=stage.clock()))),
        (evaluate_alerts, "evaluate_alerts", push(RunEnded(connection_id=connection.id, run_id="run_1"))),
        (purge_connection, "purge_connection", push(PurgeRequested(connection_id=ending.id))),
        (purge_connection, "purge_connection", push(PurgeRequested(connection_id="con_of_nobody"))),
        (purge_connection, "purge_connection", b"nothing that could be read"),
    ]
    asked: set[str] = set()
    for target, name, body in bodies:
        fuse = Fuse()
        await called(armed(stage.app, fuse), target, body)
        assert fuse.calls, name
        assert beyond(name, fuse.calls) == []
        asked |= {f"{name} {call}" for call in fuse.calls}
    assert {"purge_connection vault.remove", "sync_tick queue.publish purge-requested"} <= asked
    assert not {call for call in asked if "tick vault." in call}


async def test_telling_a_channel_stays_within_its_rights() -> None:
    async with notifying_room() as room:
        await room.opened(await room.rule(await room.channel()))
        (waits,) = await room.told()
        fuse = Fuse()
        due = NotificationDue(notification_id=waits.id, attempt=waits.attempts)
        await called(armed(room.app, fuse), notify, push(due))
    assert "vault.read" in fuse.calls
    assert beyond("notify", fuse.calls) == []


async def test_deleting_a_tenant_removes_no_name_from_the_vault(stage: Stage) -> None:
    tenant = await stage.tenant()
    await lived_in(stage, tenant)
    fuse = Fuse()
    stage.app, whole = armed(stage.app, fuse), stage.app
    async with stage.calling(disconnect, ADMIN_KEY) as client:
        assert (await client.delete(f"/v1/tenants/{tenant.id}")).status_code == 200
    stage.app = whole
    assert "vault.destroy" in fuse.calls
    assert beyond("disconnect", fuse.calls) == []
    assert "vault.remove" not in fuse.calls


def test_a_call_beyond_the_rights_would_be_told() -> None:
    calls = ["vault.read", "store.commit Delete(runs)", "queue.publish run-ended", "store.find runs"]
    assert beyond("sync_tick", calls) == calls[:3]
