"""The outbox's own API over real traffic: PostHog away, an instance killed before it counted, PostHog back."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from functions.capture import hosting
from functions.capture.main import outbox
from functions.capture.redelivery import redelivering
from local.posthog.faults import Fault
from tests.functions.capture.operation_stage import Shop, shop
from tests.stage import ADMIN_KEY, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx


@asynccontextmanager
async def engineer(here: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        yield client


async def send(here: Shop, *names: str, sdk: str = "posthog-node/5.70.0") -> list[str]:
    """A batch as a server's SDK sends it; the uuids of its events."""
    events = [
        {"event": name, "distinct_id": "u1", "uuid": str(uuid4()), "timestamp": NOW.isoformat(), "properties": {}}
        for name in names
    ]
    body = json.dumps({"api_key": here.posthog.project_token, "batch": events}).encode()
    answer = await here.client.post("/batch/", content=body, headers={"User-Agent": sdk})
    assert answer.status_code == 200, answer.text
    return [str(event["uuid"]) for event in events]


async def books(client: httpx.AsyncClient, here: Shop) -> dict[str, Any]:
    answer = await client.get(f"/v1/connections/{here.connection.id}/reconciliation")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_an_outage_with_a_kill_in_it_ends_with_balanced_books() -> None:
    async with shop() as here, engineer(here) as client:
        con = f"/v1/connections/{here.connection.id}"
        (direct,) = await send(here, "before")
        await here.host.counts.flush()
        here.posthog.faults.set(Fault(kind="status", status=503, path="/batch"))
        (waits, _) = await send(here, "cart", "sale")
        await here.host.counts.flush()
        # Its next second of counts does not come: this instance is killed in it.
        here.host.counts._flushed = time.monotonic() + 3_600
        lost = await send(here, "cart", "cart", "lost")
        here.host.counts._tallies.clear()
        hosting._hosts.clear()
        first, second = await books(client, here), await books(client, here)
        listed = (await client.get(f"{con}/outbox")).json()
        told = (await client.get(f"{con}/events/{waits}")).json()
        known = (await client.get(f"{con}/events/{direct}")).json()
        here.posthog.faults.clear()
        here.stage.clock.forward(timedelta(minutes=1))
        here.posthog.clock.move_to(here.stage.clock())
        await redelivering.redeliver(here.stage.app)
        last = await books(client, here)
        after = (await client.get(f"{con}/events/{lost[2]}")).json()
        emptied = (await client.get(f"{con}/outbox")).json()

    assert first["here"] == {"accepted": 6, "delivered": 1, "pending": 5, "held": 0, "dead": 0}
    assert (first["ok"], first["errors"], first["booked_now"], second["booked_now"]) == (True, [], 3, 0)
    assert listed["totals"]["pending"]["events"] == 5
    assert "posthog-node/5.70.0" in listed["items"][0]["sdks"]
    assert (told["source"], told["state"], told["name"]) == ("hedgerow", "pending", "cart")
    assert (known["source"], known["name"]) == ("posthog", "before")
    assert last["here"] == {"accepted": 6, "delivered": 6, "pending": 0, "held": 0, "dead": 0}
    assert (last["ok"], last["errors"], last["posthog"]["differences"]) == (True, [], [])
    assert (last["posthog"]["delivered"], last["posthog"]["arrived"]) == (6, 6)
    assert (after["state"], after["tries"]) == ("delivered", 2)
    assert after["timeline"][-1]["what"] == "delivered: PostHog took it"
    assert emptied["items"] == []


async def test_a_token_of_nobody_reaches_the_operators_list() -> None:
    async with shop() as here, here.stage.calling(outbox, ADMIN_KEY) as client:
        body = b'{"api_key": "phc_of_nobody_wxyz", "batch": [{"event": "a", "distinct_id": "b"}]}'
        assert (await here.client.post("/batch/", content=body)).status_code == 401
        await here.host.counts.flush()
        shown = (await client.get("/v1/capture/unknown-tokens")).json()
    assert [(each["token_ends"], each["count"]) for each in shown["items"]] == [("wxyz", 1)]


async def test_what_came_broken_is_dead_and_its_bytes_are_shown() -> None:
    async with shop() as here, engineer(here) as client:
        con = f"/v1/connections/{here.connection.id}"
        body = b'{"api_key": "%s", "batch": [{"event": "a", "distinct_id": "b"}, {"event": "ca' % (
            here.posthog.project_token.encode()
        )
        assert (await here.client.post("/batch/", content=body)).status_code == 200
        await here.host.counts.flush()
        (dead,) = (await client.get(f"{con}/outbox?state=dead")).json()["items"]
        refused = await client.post(f"{con}/outbox/redeliver", json={"ids": [dead["id"]]})
        said = await books(client, here)
    assert (refused.status_code, refused.json()["code"]) == (409, "unreadable")
    assert (said["ok"], said["here"]["dead"]) == (True, 1)
