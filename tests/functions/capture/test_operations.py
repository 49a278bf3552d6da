"""The five operations through HTTP against a local PostHog: what arrives, what is answered, what is refused."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.capture import identified
from functions.capture.events import Aside
from functions.capture.operations import perform
from hedgerow.capture_rules import CaptureRules, CatalogRules, EventRule, MergeRules, PropertyRule
from hedgerow.deliveries import Delivery
from hedgerow.models import Trouble
from hedgerow.ports import Where
from local.posthog.faults import Fault
from tests.functions.capture.operation_stage import Shop, shop
from tests.stage import ADMIN_KEY, NOW

if TYPE_CHECKING:
    from functions.capture.events import Frozen, Mark
    from hedgerow.adapters.sqlite import SqliteStore

URL = "https://mysite.com/products/123?utm=1"
BODIES: dict[str, dict[str, Any]] = {
    "alias": {"DistinctId": "user@example.com", "Alias": "anonymous_123"},
    "event": {"DistinctId": "u1", "EventName": "purchase_completed", "Properties": {"amount": 99.99, "none": None}},
    "identity": {
        "DistinctId": "u1",
        "Name": "Jöhn 🌿",
        "Plan": "pro",
        "SignupDate": "2024-02-03",
        "PropertiesSet": {"address": {"city": "Oslo"}},
    },
    "page": {"DistinctId": "u1", "PageUrl": URL, "Referrer": "https://google.com", "Properties": {"utm": "x"}},
    "screen": {"DistinctId": "u1", "ScreenViewName": "Home", "AppVersion": "2.1.0", "Properties": {"os": "14"}},
}
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
OK = {"Data": {"status": 1}, "OriginalStatusCode": 200, "StatusCode": 200, "ErrorMessage": ""}


async def deliveries(made: Shop) -> list[Delivery]:
    found = await made.stage.store.find(Delivery, Where("connection_id", "==", made.connection.id), limit=100)
    return list(found.items)


@pytest.mark.parametrize("operation", BODIES)
async def test_what_is_sent_is_what_posthog_keeps(operation: str) -> None:
    name, distinct_id, properties = STORED[operation]
    async with shop() as made:
        answer = await made.ask(operation, BODIES[operation])
        (event,) = await made.arrived()
        counted = await made.counted()
        assert await deliveries(made) == []
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
        (kept,) = await deliveries(made)
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
        assert await deliveries(made) == []
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
        assert await deliveries(made) == []
    said = answer.json()
    assert (answer.status_code, said["StatusCode"], said["OriginalStatusCode"]) == (200, 500, 0)
    assert "could not store" in said["ErrorMessage"]


async def test_keys_of_the_tenant_name_their_connection() -> None:
    async with shop() as made:
        query = f"?connection={made.connection.id}"
        for role in ("capture", "write"):
            key = await made.stage.key(made.tenant, role)
            assert (await made.ask("event", BODIES["event"], query, key)).json() == OK
        assert (await made.ask("event", BODIES["event"], query)).json() == OK
        assert len(await made.arrived()) == 3


async def test_strangers_and_wrong_addresses_are_refused_before_anything() -> None:
    async with shop() as made:
        own, here = await made.stage.key(made.tenant, "capture"), f"?connection={made.connection.id}"
        reader = await made.stage.key(made.tenant, "read")
        other = await made.stage.key(await made.stage.tenant(name="Other"), "write")
        cases: list[tuple[str, str, str, bytes, int, str]] = [
            ("event", "", "", b"{}", 401, "key_missing"),
            ("event", "", "phc_unknown0000000000000000", b"{}", 401, "project_token_unknown"),
            ("event", "", "phx_personal0000000000000", b"{}", 401, "personal_key_as_project_token"),
            ("event", here, "hdg_unknown", b"{}", 401, "key_unknown"),
            ("event", here, ADMIN_KEY, b"{}", 401, "project_token_unknown"),
            ("event", here, reader, b"{}", 403, "forbidden"),
            ("event", "", own, b"{}", 422, "connection_missing"),
            ("event", here, other, b"{}", 404, "not_found"),
            ("event", "?connection=con_nothing", own, b"{}", 404, "not_found"),
            ("event", "?connection=con_nothing", made.posthog.project_token, b"{}", 404, "not_found"),
            ("event", "?mode=fast", made.posthog.project_token, b"{}", 422, "mode_unknown"),
            ("event", "?moed=durable", made.posthog.project_token, b"{}", 422, "query_unknown"),
            ("event", "?mode=durable&mode=durable", made.posthog.project_token, b"{}", 422, "query_unknown"),
            ("events", "", made.posthog.project_token, b"{}", 404, "not_found"),
            ("event", "", made.posthog.project_token, b"{", 400, "malformed"),
            ("event", "", made.posthog.project_token, b"[]", 400, "malformed"),
        ]
        for operation, query, bearer, body, status, code in cases:
            answer = await made.ask(operation, body, query, bearer)
            assert (answer.status_code, answer.json()["code"]) == (status, code), (operation, query, code)
            assert answer.headers["content-type"] == "application/problem+json"
            assert not bearer or bearer not in answer.text
        absent = [await made.ask("event", b"{}", where, other) for where in (here, "?connection=con_nothing")]
        assert absent[0].json() == absent[1].json()
        assert made.posthog.requests == {}


async def test_a_body_that_is_too_large() -> None:
    async with shop() as made:
        answer = await made.ask("event", b'{"a":"' + b" " * 1_048_576 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("state", ["disconnecting", "disconnected"])
async def test_a_disconnected_connection_takes_no_operations(state: str) -> None:
    async with shop() as made:
        await made.change(state=state)
        key = await made.stage.key(made.tenant, "capture")
        for query, bearer in (("", None), (f"?connection={made.connection.id}", key)):
            answer = await made.ask("event", BODIES["event"], query, bearer)
            assert (answer.status_code, answer.json()["code"]) == (409, "connection_disconnected")


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
        project = replace(await made.project(), judges=(guard,))
        answer = await perform(made.host, "alias", project, body, durable=durable, address=None)
        assert [(each.state, each.lane) for each in await deliveries(made)] == ([kept] if kept else [])
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
        lanes = {(each.state, each.lane) for each in await deliveries(made)}
    assert (wrong["StatusCode"], refused["StatusCode"]) == (-1, -1)
    assert "amount_minor" in wrong["ErrorMessage"]
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
        project = replace(await made.project(), judges=(guard,))
        body = b'{"DistinctId": "u", "EventName": "paid", "Properties": {"amount": 1, "currency": "EUR"}}'
        await perform(made.host, "event", project, body, durable=False, address="203.0.113.9")
        (event,) = await made.arrived()
    assert event.properties == {"currency": "EUR", "$ip": "203.0.113.9"}
