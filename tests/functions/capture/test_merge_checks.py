"""The merge guard's second look, against a local PostHog with real persons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from functions.capture.guards.merge_checks import check
from hedgerow.capture_rules import CaptureRules, MergeRules
from hedgerow.models import Connection, ProjectSlot
from hedgerow.ports import Add, Swap
from hedgerow.posthog.errors import PostHogError
from hedgerow.slots import slot_id
from tests.sync_stage import SyncStage, sync_stage


def seen(distinct_id: str, event: str = "seen", **properties: Any) -> dict[str, Any]:
    return {"event": event, "distinct_id": distinct_id, "properties": properties}


def identify(known: str, anonymous: str) -> dict[str, Any]:
    return seen(known, "$identify", **{"$anon_distinct_id": anonymous})


def alias(into: str, source: str) -> dict[str, Any]:
    return seen(into, "$create_alias", alias=source)


def dangerously(into: str, source: str) -> dict[str, Any]:
    return seen(into, "$merge_dangerously", alias=source)


TWO_KNOWN = [identify("ann", "anon-1"), identify("bob", "anon-2")]


@asynccontextmanager
async def guarded(*events: dict[str, Any], most_ids: int = 20, on: bool = True) -> AsyncIterator[SyncStage]:
    async with sync_stage([]) as stage:
        transport = httpx.ASGITransport(app=stage.posthog.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://posthog.test") as client:
            body = {"api_key": stage.posthog.project_token, "batch": list(events)}
            assert (await client.post("/batch/", json=body)).status_code == 200
        rules = CaptureRules(
            id=stage.connection_id,
            tenant_id=stage.tenant.id,
            connection_id=stage.connection_id,
            merges=MergeRules(on=on, most_ids=most_ids),
        )
        await stage.store.commit(Add(rules))
        yield stage


async def codes(stage: SyncStage, *events: dict[str, Any], **update: Any) -> list[str | None]:
    connection = (await stage.connection()).model_copy(update=update)
    return [None if each is None else each.code for each in await check(stage.app, connection, events)]


async def test_two_identified_persons_are_not_joined_by_any_event() -> None:
    async with guarded(*TWO_KNOWN) as stage:
        asked = [identify("ann", "bob"), alias("ann", "anon-2"), dangerously("bob", "ann"), alias("ann", "anon-1")]
        assert await codes(stage, *asked) == [*["merge_joins_identified"] * 3, None]
        troubles = await check(stage.app, await stage.connection(), asked)
    assert troubles[0] is not None
    assert "refuse" in troubles[0].detail
    assert troubles[2] is not None
    assert "cannot undo" in troubles[2].detail
    assert "hedgerow outbox" in troubles[2].hint


async def test_anonymous_and_new_persons_are_joined() -> None:
    async with guarded(*TWO_KNOWN, seen("anon-3")) as stage:
        asked = [identify("ann", "anon-3"), identify("new", "newer"), alias("bob", "never-seen")]
        assert await codes(stage, *asked) == [None, None, None]


async def test_a_batch_is_judged_in_its_order() -> None:
    async with guarded(seen("a"), seen("b"), seen("c")) as stage:
        chain = [identify("a", "anon-a"), identify("b", "anon-b"), dangerously("a", "anon-b"), alias("a", "c")]
        assert await codes(stage, *chain) == [None, None, "merge_joins_identified", None]
        # What is held joins nobody: the next one is judged without it.
        assert await codes(stage, *chain, dangerously("c", "b")) == [
            *(None, None, "merge_joins_identified", None, "merge_joins_identified")
        ]


async def test_an_unusual_number_of_ids_is_held() -> None:
    grown = [identify("ann", f"anon-{number}") for number in range(3)]
    async with guarded(*grown, seen("x"), most_ids=5) as stage:
        assert await codes(stage, identify("ann", "x"), identify("ann", "y")) == [None, "merge_many_ids"]
        assert await codes(stage, identify("ann", "anon-1")) == [None]
        troubles = await check(stage.app, await stage.connection(), [identify("ann", "x"), identify("ann", "y")])
    assert troubles[1] is not None
    assert "6 ids" in troubles[1].detail


async def test_one_question_is_asked_and_ids_cannot_break_it() -> None:
    odd = "o'brien\\'); select {1} -- \u00e9\U0001f600"
    async with guarded(identify("ann", "anon-1"), identify(odd, "anon-9")) as stage:
        before = sum(stage.posthog.requests.values())
        assert await codes(stage, dangerously("ann", odd), identify("ann", "z")) == ["merge_joins_identified", None]
        assert sum(stage.posthog.requests.values()) == before + 1


async def test_where_nothing_can_or_may_be_asked_merges_pass() -> None:
    async with guarded(*TWO_KNOWN) as stage:
        before = sum(stage.posthog.requests.values())
        asked = dangerously("bob", "ann")
        assert await codes(stage, asked, secret_ref=None, project_id=None) == [None]
        assert await codes(stage, asked, activity_tracking=False) == [None]
        assert await codes(stage, seen("bob"), {"event": "$create_alias", "distinct_id": "bob"}) == [None, None]
        assert sum(stage.posthog.requests.values()) == before
    async with guarded(*TWO_KNOWN, on=False) as stage:
        assert await codes(stage, dangerously("bob", "ann")) == [None]


async def test_without_an_answer_merges_wait() -> None:
    async with guarded(*TWO_KNOWN) as stage:
        stage.posthog.revoke_key(stage.posthog.personal_api_key)
        with pytest.raises(PostHogError):
            await codes(stage, dangerously("bob", "ann"))


async def test_posthogs_wish_for_quiet_is_respected() -> None:
    async with guarded(*TWO_KNOWN) as stage:
        connection: Connection = await stage.connection()
        until = stage.app.now() + timedelta(minutes=3)
        held = await stage.store.get(ProjectSlot, slot_id(connection))
        slot = ProjectSlot(id=slot_id(connection), version=held.version if held else 0, closed_until=until)
        await stage.store.commit(Swap(slot) if held else Add(slot))
        with pytest.raises(PostHogError) as refused:
            await codes(stage, dangerously("bob", "ann"))
    assert refused.value.code == "rate_limited"
    assert refused.value.retry_after == 180
