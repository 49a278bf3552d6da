"""The five operations through HTTP against a local PostHog: what arrives, what is answered, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.capture.operating.operations import perform
from hedgerow import wiring
from local.posthog.faults import Fault
from tests.functions.capture.operation_stage import BODIES, OK, URL, shop
from tests.stage import NOW

if TYPE_CHECKING:
    from hedgerow.adapters.sqlite import SqliteStore

STORED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "alias": ("$create_alias", "user@example.com", {"distinct_id": "user@example.com", "alias": "anonymous_123"}),
    "event": ("purchase_completed", "u1", {"amount": 99.99, "none": None}),
    "identity": (
        "$identify",
        "u1",
        {
            "$set": {"name": "Jöhn 🌿", "plan": "pro", "address": {"city": "Oslo"}},
            "$set_once": {"signup_date": "2024-02-03"},
        },
    ),
    "page": (
        "$pageview",
        "u1",
        {
            "$current_url": URL,
            "$pathname": "/products/123",
            "title": "/products/123",
            "$referrer": "https://google.com",
            "utm": "x",
        },
    ),
    "screen": ("$screen", "u1", {"$screen_name": "Home", "app_version": "2.1.0", "os": "14"}),
}


@pytest.mark.parametrize("operation", BODIES)
async def test_what_is_sent_is_what_posthog_keeps(operation: str) -> None:
    name, distinct_id, properties = STORED[operation]
    async with shop() as made:
        answer = await made.ask(operation, BODIES[operation])
        (event,) = await made.arrived()
        counted = await made.counted()
        assert await made.deliveries() == []
    assert (answer.status_code, answer.json()) == (200, OK)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["hedgerow-event-id"] == event.uuid
    assert (event.name, event.distinct_id, event.at) == (name, distinct_id, NOW)
    assert event.properties == properties | {"$ip": "127.0.0.1"}
    assert (counted[name].accepted, counted[name].delivered, counted[name].pending) == (1, 1, 0)


async def test_a_person_is_set_and_two_are_merged() -> None:
    async with shop() as made:
        await made.ask("identity", BODIES["identity"])
        await made.ask("identity", {"distinct_id": "u1", "plan": "free", "signup_date": "2026-01-01"})
        await made.ask("alias", {"distinct_id": "u1", "alias": "anonymous_123"})
        persons = await made.persons()
    known = {"name": "Jöhn 🌿", "plan": "free", "signup_date": "2024-02-03", "address": {"city": "Oslo"}}
    assert persons == [(["anonymous_123", "u1"], known)]


async def test_a_timestamp_moves_the_event_and_leaves_its_properties() -> None:
    async with shop() as made:
        for operation in ("event", "page", "screen"):
            body = BODIES[operation]
            await made.ask(operation, body | {"Properties": body["Properties"] | {"timestamp": 1704096000000}})
        arrived = await made.arrived()
    assert [event.at for event in arrived] == [datetime(2024, 1, 1, 8, tzinfo=UTC)] * 3
    assert not any("timestamp" in event.properties for event in arrived)


async def test_a_bad_parameter_reaches_nobody() -> None:
    async with shop() as made:
        answer = await made.ask("page", BODIES["page"] | {"PageUrl": "mysite.com", "Zzz": 1})
        counted = await made.counted()
        assert made.posthog.requests == {}
    said = answer.json()
    assert (answer.status_code, said["StatusCode"], said["OriginalStatusCode"], said["Data"]) == (200, -1, 0, {})
    assert "`PageUrl` must be a full URL" in said["ErrorMessage"]
    assert "`Zzz` is no parameter" in said["ErrorMessage"]
    assert "hedgerow-event-id" not in answer.headers
    assert counted == {}


@pytest.mark.parametrize("operation", BODIES)
async def test_the_durable_mode_keeps_and_asks_nobody(operation: str) -> None:
    name, _, _ = STORED[operation]
    async with shop(personal_key=False) as made:
        made.posthog.faults.is_off = True
        answer = await made.ask(operation, BODIES[operation], "?mode=durable")
        (kept,) = await made.deliveries()
        counted = await made.counted()
        assert made.posthog.requests == {}
    assert (answer.status_code, answer.json()) == (200, OK | {"OriginalStatusCode": 0})
    assert (kept.state, kept.lane, kept.count, kept.tally[0].name) == ("pending", "events", 1, name)
    assert kept.uuids.hex() == answer.headers["hedgerow-event-id"].replace("-", "")
    assert (kept.parcels[0].path, kept.parcels[0].sdk[:6]) == (f"/v1/capture/{operation}", "python")
    assert (counted[name].accepted, counted[name].pending) == (1, 1)


FAULTS: list[tuple[Fault, int, int, int, str]] = [
    # fault; OriginalStatusCode; StatusCode of page and identity; of the others; a word of the message
    (Fault(kind="status", status=429, headers={"Retry-After": "3"}, path="/batch"), 429, 429, 429, "wait 3 s"),
    (Fault(kind="status", status=503, path="/batch"), 503, 503, 500, "503"),
    (Fault(kind="status", status=500, path="/batch"), 500, 500, 500, "?mode=durable"),
    (Fault(kind="status", status=401, path="/batch"), 401, 401, 500, "project token"),
    (Fault(kind="status", status=400, path="/batch"), 400, 400, 500, "refused the event (400)"),
    (Fault(kind="cloudflare", path="/batch"), 403, 403, 500, "another site"),
    (Fault(kind="reset", path="/batch"), 0, 500, 500, "may have taken"),
]


@pytest.mark.parametrize(("fault", "original", "passing", "fixed", "word"), FAULTS)
async def test_what_posthog_answers_is_handed_on_and_not_counted(
    fault: Fault, original: int, passing: int, fixed: int, word: str
) -> None:
    async with shop(personal_key=False) as made:
        made.posthog.faults.set(fault)
        answers = {operation: await made.ask(operation, body) for operation, body in BODIES.items()}
        assert await made.arrived() == []
        assert await made.counted() == {}
        assert await made.deliveries() == []
    for operation, answer in answers.items():
        said = answer.json()
        expected = passing if operation in {"page", "identity"} else fixed
        assert (answer.status_code, said["StatusCode"], said["OriginalStatusCode"]) == (200, expected, original)
        assert word in said["ErrorMessage"]
        assert answer.headers["hedgerow-event-id"]


@pytest.mark.parametrize(("operation", "code"), [("page", 504), ("event", 500), ("identity", 500), ("screen", 500)])
async def test_a_posthog_that_does_not_answer_in_time(operation: str, code: int) -> None:
    async with shop(personal_key=False) as made:
        made.posthog.faults.set(Fault(kind="slow", seconds=0.5, path="/batch"))
        body = str(BODIES[operation]).replace("'", '"').replace("None", "null").encode()
        answer = await perform(
            made.host, operation, await made.project(), body, durable=False, address=None, seconds=0.1
        )
    assert (answer.envelope["StatusCode"], answer.envelope["OriginalStatusCode"]) == (code, 0)
    assert "did not answer within 0.1 s" in answer.envelope["ErrorMessage"]


async def test_a_posthog_that_is_not_there() -> None:
    async with shop(personal_key=False) as made:
        await made.change(ingestion_host="http://127.0.0.1:1")
        refused = (await made.ask("event", BODIES["event"])).json()
        await made.change(ingestion_host="https://no-such-host.invalid")
        unknown = (await made.ask("event", BODIES["event"])).json()
    for said, word in ((refused, "HEDGEROW_ALLOWED_PRIVATE_HOSTS"), (unknown, "Check the host")):
        assert (said["StatusCode"], said["OriginalStatusCode"], said["Data"]) == (500, 0, {})
        assert word in said["ErrorMessage"]


async def test_the_durable_mode_says_so_when_the_store_is_down() -> None:
    async with shop(personal_key=False) as made:
        await made.project()
        store = cast("SqliteStore", made.stage.store)
        await store._thread.run(lambda connection: connection.execute("pragma query_only = 1"))
        answer = await made.ask("event", BODIES["event"], "?mode=durable")
        await store._thread.run(lambda connection: connection.execute("pragma query_only = 0"))
        assert await made.deliveries() == []
    said = answer.json()
    assert (answer.status_code, said["StatusCode"], said["OriginalStatusCode"]) == (200, 500, 0)
    assert "could not store" in said["ErrorMessage"]


async def test_an_operation_behind_the_prefix_is_an_operation() -> None:
    async with shop() as here:
        settings = here.stage.app.settings.model_copy(update={"capture_prefix": "/ph"})
        with wiring.override(replace(here.stage.app, settings=settings)):
            answer = await here.client.post(
                "/ph/v1/capture/event",
                json={"EventName": "bought", "DistinctId": "u1"},
                headers={"Authorization": f"Bearer {here.posthog.project_token}"},
            )
        arrived = [each.name for each in await here.arrived()]
    assert (answer.json()["StatusCode"], arrived) == (200, ["bought"])
