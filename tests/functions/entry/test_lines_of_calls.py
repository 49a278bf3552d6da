"""The lines of an API call say whose it is, in the trace of the call."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from functions.sync.main import sync
from hedgerow.errors import TransientError
from hedgerow.records import new_id
from tests.crash import CountingStore, Ledger
from tests.stage import staged

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class BrokenStore(CountingStore):
    """A store that loses its connections."""

    async def get(self, kind, id):  # type: ignore[no-untyped-def]
        if kind.collection == "connections":
            raise TransientError("The store is away.")
        return await super().get(kind, id)


async def test_a_failed_call_names_tenant_connection_target_and_trace(capfd: pytest.CaptureFixture[str]) -> None:
    async with staged() as stage:
        tenant = await stage.tenant()
        key, connection_id = await stage.key(tenant), new_id("con")
        stage.app = replace(stage.app, store=BrokenStore(stage.store, Ledger()))
        async with stage.calling(sync, key) as client:
            client.headers["X-Cloud-Trace-Context"] = f"{TRACE}/1;o=1"
            answer = await client.get(f"/v1/connections/{connection_id}/runs")
            assert answer.status_code == 503
            assert (await client.get("/v1/connections/con_not-an-id/nowhere")).status_code == 404
    (line,) = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert line["event"] == "request.failed"
    assert (line["tenant_id"], line["connection_id"], line["target"]) == (tenant.id, connection_id, "sync")
    assert line["logging.googleapis.com/trace"] == TRACE
