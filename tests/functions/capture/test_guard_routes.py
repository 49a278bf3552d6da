"""The guards over HTTP and in the rules: shown in words and counts, changed in part, with a key that stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from functions.capture.guards.guard_routes import router
from functions.capture.guards.hash_keys import key_of
from hedgerow import disconnection, drafts
from hedgerow.capture_rules import CaptureRules, PrivacyRules, hash_key_name
from hedgerow.errors import MissingError, SecretGoneError
from hedgerow.models import Connection
from hedgerow.ports import Where
from hedgerow.problems import Guard, application
from hedgerow.records import new_id
from hedgerow.sealed_secrets import SealedSecret
from hedgerow.tallies import CaptureCount, count_id
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from hedgerow.models import Role


@asynccontextmanager
async def shop(role: Role = "write") -> AsyncIterator[tuple[Stage, Connection, httpx.AsyncClient, str]]:
    family: ASGIApp = Guard(application("outbox", router))

    async def target(request: Request) -> ASGIApp:
        return family

    async with staged() as stage:
        tenant = await stage.tenant()
        connection = await stage.connection(tenant, token="phc_shop")
        async with stage.calling(target, await stage.key(tenant, role)) as client:
            yield stage, connection, client, f"/v1/connections/{connection.id}/guards"


async def rules_of(stage: Stage, connection: Connection) -> CaptureRules:
    found = await stage.store.get(CaptureRules, connection.id)
    assert found is not None
    return found


async def hashing(stage: Stage, connection: Connection) -> CaptureRules:
    return await stage.add(
        CaptureRules(
            id=connection.id,
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            privacy=PrivacyRules(identity="hash"),
        )
    )


async def test_the_defaults_report_and_merge_nothing_away() -> None:
    async with shop("read") as (_, _, client, path):
        shown = (await client.get(path)).json()
    assert set(shown["privacy"]["actions"].values()) == {"report"}
    assert (shown["privacy"]["identity"], shown["privacy"]["no_ip"], shown["merges"]["on"]) == ("keep", False, False)
    assert "E-mail addresses in event properties are counted and left as they are." in shown["privacy"]["sentences"]
    assert shown["merges"]["sentences"] == ["Off: merges go to PostHog as they come."]
    assert shown["privacy"]["counts"] == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_change_names_what_it_changes(method: str) -> None:
    async with shop() as (stage, connection, client, path):
        first = await client.request(method, path, json={"privacy": {"actions": {"email": "mask"}, "exempt": ["to"]}})
        second = await client.request(method, path, json={"privacy": {"actions": {"card": "drop"}}})
        third = await client.request(method, path, json={"merges": {"on": True, "most_ids": 7}})
        nothing = await client.request(method, path, json={})
        rules = await rules_of(stage, connection)
    assert [each.status_code for each in (first, second, third, nothing)] == [200] * 4
    assert rules.privacy.actions == {"email": "mask", "card": "drop"}
    assert rules.privacy.exempt == ("to",)
    assert (rules.merges.on, rules.merges.most_ids) == (True, 7)
    assert "Never touched: to." in nothing.json()["privacy"]["sentences"]
    assert "more than 7 ids" in nothing.json()["merges"]["sentences"][1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"privacy": {"actions": {"email": "burn"}}}, "privacy.actions.email"),
        ({"privacy": {"actions": {"name": "mask"}}}, "privacy.actions.name.[key]"),
        ({"privacy": {"identity": "mask"}}, "privacy.identity"),
        ({"privacy": {"exempt": [""]}}, "privacy.exempt"),
        ({"merges": {"most_ids": 1}}, "merges.most_ids"),
        ({"merge": {}}, "merge"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(body: dict[str, object], field: str) -> None:
    async with shop() as (stage, connection, client, path):
        answer = await client.put(path, json=body)
        stored = await stage.store.get(CaptureRules, connection.id)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert stored is None


async def test_readers_change_nothing_and_strangers_see_nothing() -> None:
    async with shop("read") as (stage, _, client, path):
        foreign = await stage.connection(await stage.tenant(name="Other"))
        assert (await client.put(path, json={"merges": {"on": True}})).status_code == 403
        assert (await client.get(f"/v1/connections/{foreign.id}/guards")).status_code == 404


async def test_a_connection_on_its_way_out_keeps_its_guards() -> None:
    async with shop() as (stage, connection, client, path):
        await disconnection.begin(stage.app, connection)
        answer = await client.put(path, json={"merges": {"on": True}})
    assert (answer.status_code, answer.json()["code"]) == (409, "connection_disconnecting")


async def test_the_last_24_hours_are_counted() -> None:
    async with shop("read") as (stage, connection, client, path):
        for hours, instance in ((0, "a"), (0, "b"), (23, "a"), (30, "a")):
            hour = NOW.replace(minute=0) - timedelta(hours=hours)
            marks = {"privacy.email.masked": 2, "merges.illegal_id": 1, "passed": 9}
            await stage.add(
                CaptureCount(
                    id=count_id(connection.id, hour, instance),
                    tenant_id=connection.tenant_id,
                    connection_id=connection.id,
                    hour=hour,
                    marks=marks,
                )
            )
        shown = (await client.get(path)).json()
    assert shown["privacy"]["counts"] == {"email.masked": 6}
    assert shown["merges"]["counts"] == {"illegal_id": 3}


async def test_the_key_is_made_with_the_rule_and_never_shown() -> None:
    async with shop() as (stage, connection, client, path):
        answer = await client.put(path, json={"privacy": {"identity": "hash"}})
        rules = await rules_of(stage, connection)
        key = await key_of(stage.app, rules)
        await client.put(path, json={"privacy": {"actions": {"email": "hash"}}})
        assert await key_of(stage.app, await rules_of(stage, connection)) == key
    assert rules.hash_key_ref is not None
    assert key is not None
    assert len(key) == 32
    assert key.hex() not in answer.text
    assert rules.hash_key_ref not in answer.text


async def test_rules_that_hash_nothing_need_no_key() -> None:
    async with shop() as (stage, connection, client, path):
        await client.put(path, json={"privacy": {"actions": {"email": "mask"}}})
        assert await key_of(stage.app, await rules_of(stage, connection)) is None


async def test_all_who_need_the_key_at_once_get_the_same() -> None:
    async with shop() as (stage, connection, _, _):
        rules = await hashing(stage, connection)
        keys = await asyncio.gather(*(key_of(stage.app, rules) for _ in range(8)))
        # What lost the race is destroyed by whom may, at the next tick.
        await drafts.sweep(stage.app, stage.clock())
        await stage.carry_out()
        kept = await stage.store.find(SealedSecret, Where("name", "==", hash_key_name(connection.id)))
    assert len(set(keys)) == 1
    assert len(kept.items) == 1


async def test_the_key_outlives_the_personal_key_and_goes_with_the_purge() -> None:
    async with shop() as (stage, connection, _, _):
        rules = await hashing(stage, connection)
        key = await key_of(stage.app, rules)
        rules = await rules_of(stage, connection)
        kept = await stage.app.vault.write(connection.id, SecretStr("phx_another0123456789"))
        await stage.app.vault.destroy(connection.id, keep=kept)
        assert await key_of(stage.app, rules) == key
        gone = await disconnection.begin(stage.app, connection)
        await disconnection.finish(stage.app, gone.connection)
        assert await key_of(stage.app, rules) == key
        held = await stage.store.get(Connection, connection.id)
        assert held is not None
        purged = await disconnection.begin(stage.app, held, purge=True)
        await disconnection.finish(stage.app, purged.connection)
        with pytest.raises(SecretGoneError):
            await key_of(stage.app, rules)


async def test_no_key_is_made_for_what_is_gone() -> None:
    async with shop() as (stage, connection, _, _):
        with pytest.raises(MissingError):
            await key_of(
                stage.app, (await hashing(stage, connection)).model_copy(update={"connection_id": new_id("con")})
            )
        await disconnection.begin(stage.app, connection, purge=True)
        with pytest.raises(MissingError):
            await key_of(stage.app, await rules_of(stage, connection))
