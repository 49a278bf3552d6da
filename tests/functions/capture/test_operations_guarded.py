"""Operations under the merge guard and the catalogue, and what an alias is warned of."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.capture.events import Aside, Guard
from functions.capture.operating import identified
from functions.capture.operating.operations import perform
from hedgerow.capture_rules import CaptureRules, CatalogRules, EventRule, MergeRules, PropertyRule
from hedgerow.models import Trouble
from local.posthog.faults import Fault
from tests.functions.capture.operation_stage import BODIES, OK, shop
from tests.stage import NOW

if TYPE_CHECKING:
    from functions.capture.events import Frozen, Mark


async def test_the_warning_of_an_alias_and_what_it_advises() -> None:
    async with shop() as made:
        alone = await made.ask("alias", {"distinct_id": "known", "alias": "first"})
        await made.ask("event", {"distinct_id": "visitor", "event_name": "seen"})
        wrong = await made.ask("alias", {"distinct_id": "visitor", "alias": "known"})
        apart = await made.persons()
        right = await made.ask("alias", {"distinct_id": "known", "alias": "visitor"})
        together = await made.persons()
        await made.ask("alias", {"distinct_id": "other", "alias": "second"})
        neither = await made.ask("alias", {"distinct_id": "other", "alias": "known"})
        same = await made.ask("alias", {"distinct_id": "known", "alias": "known"})
        durable = await made.ask("alias", {"distinct_id": "other", "alias": "known"}, "?mode=durable")
    for answer in (alone, wrong, right, neither, same, durable):
        assert answer.json()["StatusCode"] == 200
    assert "hedgerow-warning" not in alone.headers
    assert "hedgerow-warning" not in right.headers
    assert wrong.headers["hedgerow-warning"] == identified.EXCHANGE
    assert neither.headers["hedgerow-warning"] == durable.headers["hedgerow-warning"] == identified.NEITHER
    assert same.headers["hedgerow-warning"] == identified.SAME
    assert sorted(ids for ids, _ in apart) == [["first", "known"], ["visitor"]]
    assert [ids for ids, _ in together] == [["first", "known", "visitor"]]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="slow", seconds=4, path="/api"),
        Fault(kind="status", status=500, path="/api"),
        Fault(kind="wrong_type", path="/api"),
        Fault(kind="half", path="/api"),
    ],
)
async def test_a_look_that_fails_never_fails_the_alias(fault: Fault) -> None:
    async with shop() as made:
        made.posthog.faults.set(fault)
        began = time.monotonic()
        answer = await made.ask("alias", BODIES["alias"])
        assert time.monotonic() - began < 3.5
    assert answer.json() == OK
    assert "hedgerow-warning" not in answer.headers


TROUBLE = Trouble(code="why", detail="The reason.", hint="The remedy.")


@pytest.mark.parametrize(
    ("state", "durable", "code", "kept"),
    [
        ("dead", False, -1, None),
        ("dead", True, -1, None),
        ("held", False, -1, None),
        ("held", True, 200, ("held", "events")),
        ("merge", False, 200, ("pending", "merges")),
        ("merge", True, 200, ("pending", "merges")),
    ],
)
async def test_what_a_guard_puts_aside(state: Any, durable: bool, code: int, kept: tuple[str, str] | None) -> None:
    def guard(event: Frozen, mark: Mark) -> Aside | None:
        mark(f"guarded.{event.name}")
        return Aside(state, TROUBLE)

    body = b'{"DistinctId": "a", "Alias": "b"}'
    async with shop(personal_key=False) as made:
        project = replace(await made.project(), guards=(Guard(guard),))
        answer = await perform(made.host, "alias", project, body, durable=durable, address=None)
        assert [(each.state, each.lane) for each in await made.deliveries()] == ([kept] if kept else [])
        assert made.posthog.requests == {}
    assert answer.envelope["StatusCode"] == code
    assert ("Hedgerow-Warning" in answer.headers) is (kept is not None)
    assert answer.envelope["ErrorMessage"].startswith("The reason." if kept is None else "")


async def test_the_guards_of_a_connection_hold_for_operations() -> None:
    required = {"amount_minor": PropertyRule(type="integer", required=True)}
    catalogue = CatalogRules(
        events=(EventRule(name="cart.paid", policy="refuse", properties=required),), updated_at=NOW
    )
    async with shop(personal_key=False) as made:
        id = made.connection.id
        await made.stage.add(
            CaptureRules(
                id=id, tenant_id=made.tenant.id, connection_id=id, catalog=catalogue, merges=MergeRules(on=True)
            )
        )
        wrong = (await made.ask("event", {"distinct_id": "u1", "event_name": "cart.paid"})).json()
        right = {"distinct_id": "u1", "event_name": "cart.paid", "properties": {"amount_minor": 5}}
        assert (await made.ask("event", right)).json() == OK
        refused = (await made.ask("alias", {"distinct_id": "u1", "alias": "unknown"})).json()
        held = await made.ask("alias", {"distinct_id": "u1", "alias": "unknown"}, "?mode=durable")
        looked_at = await made.ask("alias", BODIES["alias"])
        assert [event.name for event in await made.arrived()] == ["cart.paid"]
        lanes = {(each.state, each.lane) for each in await made.deliveries()}
    assert (wrong["StatusCode"], refused["StatusCode"]) == (-1, -1)
    assert "amount_minor" in wrong["ErrorMessage"]
    assert wrong["ErrorMessage"].endswith("Mend the event, or the catalogue; nothing was sent or kept.")
    assert "redeliver" not in wrong["ErrorMessage"]
    assert "?mode=durable" in refused["ErrorMessage"]
    assert held.json() == looked_at.json() == OK | {"OriginalStatusCode": 0}
    assert "/outbox/refuse" in held.headers["hedgerow-warning"]
    assert "within about a minute" in looked_at.headers["hedgerow-warning"]
    assert lanes == {("held", "events"), ("pending", "merges")}


async def test_a_guard_may_change_what_is_sent() -> None:
    def guard(event: Frozen, mark: Mark) -> Aside | None:
        event.body["properties"].pop("amount")
        return None

    async with shop() as made:
        project = replace(await made.project(), guards=(Guard(guard),))
        body = b'{"DistinctId": "u", "EventName": "paid", "Properties": {"amount": 1, "currency": "EUR"}}'
        await perform(made.host, "event", project, body, durable=False, address="203.0.113.9")
        (event,) = await made.arrived()
    assert event.properties == {"currency": "EUR", "$ip": "203.0.113.9"}
