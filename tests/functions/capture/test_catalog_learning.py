"""A catalogue learnt from a local PostHog: types and presence from samples, the owner's words kept, nothing stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import httpx
from pydantic import SecretStr

from functions.capture.catalogue.catalog_routes import router
from hedgerow import keys, wiring
from hedgerow.models import ProjectSlot
from hedgerow.ports import Add, Swap
from hedgerow.problems import Guard, application
from hedgerow.slots import slot_id
from tests.sync_stage import NOW, SyncStage, sync_stage


def an_event(name: str, number: int, **properties: object) -> dict[str, Any]:
    at = NOW - timedelta(hours=number + 1)
    return {
        "uuid": str(uuid5(NAMESPACE_DNS, f"{name} {number}")),
        "event": name,
        "distinct_id": f"user-{number}",
        "timestamp": at.isoformat(),
        "properties": properties,
    }


@asynccontextmanager
async def learning(events: list[dict[str, Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """A client beside a local PostHog that holds these events."""
    async with sync_stage(events) as stage, calling(stage) as client:
        yield client


@asynccontextmanager
async def calling(stage: SyncStage) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this stage's connection."""
    record, text = keys.make(stage.tenant.id, "test", "write", stage.app.now())
    await stage.store.commit(Add(record))
    headers = {"Authorization": f"Bearer {text.get_secret_value()}"}
    transport = httpx.ASGITransport(app=Guard(application("outbox", router)))
    base = f"http://hedgerow.test/v1/connections/{stage.connection_id}/"
    with wiring.override(stage.app):
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
            yield client


async def test_a_catalogue_is_learnt_and_stands_once_it_is_put() -> None:
    events = [
        *(
            an_event("cart.paid", n, total=n, price=1.5 if n % 2 else 2, gift=n % 2 == 0, **{"$ip": "1"})
            for n in range(8)
        ),
        *(an_event("cart.paid", n, total=n, price=1, tags=["a"], note=None) for n in range(8, 10)),
        an_event("cart.seen", 1, total="x"),
        *(an_event("payment.completed", n, amount_minor=5, coupon="x") for n in range(6)),
        an_event("$pageview", 1, total=5),
    ]
    async with learning(events) as client:
        answer = await client.post("catalog/learn")
        untouched = (await client.get("catalog")).json()
        put = await client.put("catalog", json=answer.json()["catalog"])
        again = (await client.post("catalog/learn")).json()
    proposal = answer.json()
    assert answer.status_code == 200
    assert untouched["default"]
    learnt = {event["name"]: event["properties"] for event in proposal["catalog"]["events"]}
    assert set(learnt) == {"cart.paid", "cart.seen", "payment.completed"}
    assert learnt["cart.paid"] == {
        "gift": {"type": "boolean"},
        "price": {"type": "number", "required": True},
        "tags": {"type": "array"},
        "total": {"type": "integer", "required": True},
    }
    assert learnt["cart.seen"] == {"total": {"type": "string"}}
    assert learnt["payment.completed"]["amount_minor"]["required"] is True
    assert learnt["payment.completed"]["coupon"] == {"type": "string"}
    assert proposal["added"] == ["cart.paid", "cart.seen"]
    assert proposal["extended"] == {"payment.completed": ["coupon"]}
    assert put.json()["version"] == 2
    assert (again["added"], again["extended"]) == ([], {})
    assert again["catalog"] == {
        name: value for name, value in put.json().items() if name not in {"default", "updated_at"}
    }


async def test_a_key_that_may_not_list_definitions_learns_from_events_alone() -> None:
    async with sync_stage([an_event("cart.seen", n, total=n) for n in range(6)]) as stage:
        connection = await stage.connection()
        key = stage.posthog.add_key(scopes=["query:read"])
        reference = await stage.app.vault.write(connection.id, SecretStr(key))
        await stage.store.commit(Swap(connection.model_copy(update={"secret_ref": reference})))
        async with calling(stage) as client:
            proposal = (await client.post("catalog/learn")).json()
        slot = await stage.store.get(ProjectSlot, slot_id(connection))
    assert [event["name"] for event in proposal["catalog"]["events"]] == ["cart.seen"]
    assert "definitions could not be read" in proposal["notes"][0]
    assert slot is not None
    assert slot.holder_run_id is None


async def test_a_posthog_without_events_teaches_nothing() -> None:
    async with learning([]) as client:
        proposal = (await client.post("catalog/learn")).json()
    assert len(proposal["catalog"]["events"]) == 8
    assert "nothing to learn from" in proposal["notes"][0]
