"""The catalogue over HTTP: shipped until changed, versioned, checked without storing, reported by day, learnt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from functions.capture.catalogue.catalog_keeping import KEPT_VERSIONS
from functions.capture.catalogue.catalog_routes import router
from hedgerow.capture_rules import CaptureRules, CatalogVersion, PrivacyRules
from hedgerow.ports import Where
from hedgerow.problems import Guard, application
from hedgerow.tallies import CaptureCount, CountRow
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from hedgerow.models import Connection, Role

CART = {"name": "cart.paid", "policy": "refuse", "properties": {"amount_minor": {"type": "integer", "required": True}}}


@asynccontextmanager
async def shop(role: Role = "write") -> AsyncIterator[tuple[Stage, Connection, httpx.AsyncClient]]:
    """A connection, and a client of the catalogue's routes; its base is the connection's."""
    family: ASGIApp = Guard(application("outbox", router))

    async def target(request: Request) -> ASGIApp:
        return family

    async with staged() as stage:
        tenant = await stage.tenant()
        connection = await stage.connection(tenant, zone="Europe/Berlin", token="phc_shop")
        async with stage.calling(target, await stage.key(tenant, role)) as client:
            client.base_url = httpx.URL(f"http://hedgerow.test/v1/connections/{connection.id}/")
            yield stage, connection, client


async def test_the_shipped_catalogue_stands_until_one_is_put() -> None:
    async with shop() as (_, _, client):
        shipped = await client.get("catalog")
        put = await client.put("catalog", json={"version": 1, "naming": "snake_case", "events": [CART]})
        own = (await client.get("catalog")).json()
        first = (await client.get("catalog", params={"version": 1})).json()
    assert (shipped.json()["default"], shipped.json()["version"], len(shipped.json()["events"])) == (True, 1, 8)
    assert shipped.headers["etag"] == '"1"'
    assert put.status_code == 200
    assert put.json() == own
    assert put.headers["etag"] == '"2"'
    assert (own["default"], own["version"], own["naming"], own["events"]) == (False, 2, "snake_case", [CART])
    assert own["updated_at"] == NOW.isoformat()
    assert first["events"] == shipped.json()["events"]


async def test_an_empty_catalogue_that_was_put_is_not_the_shipped_one() -> None:
    async with shop() as (_, _, client):
        await client.put("catalog", json={"version": 1, "events": []})
        own = (await client.get("catalog")).json()
    assert (own["events"], own["default"]) == ([], False)


async def test_what_get_answers_may_be_put_as_it_is_and_makes_no_new_version() -> None:
    async with shop() as (_, _, client):
        for version in (1, 2):
            stands = (await client.get("catalog")).json()
            answer = await client.put("catalog", json=stands)
            assert (answer.status_code, answer.json(), stands["version"]) == (200, stands, version)
            await client.put("catalog", json={"version": version, "events": [CART]})
        assert (await client.put("catalog", json={"version": 1, "events": [CART]})).json()["version"] == 2
        over = await client.put("catalog", json={"version": 2, "events": [CART], "naming": "off"})
        stale = await client.put("catalog", json={"version": 2, "events": [CART]})
    assert over.json()["version"] == 3
    assert (stale.status_code, stale.json()["code"]) == (409, "version_changed")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({"version": 2, "events": []}, {}, 409, "version_changed"),
        ({"version": 1, "events": []}, {}, 409, "version_changed"),
        ({"version": 3, "events": []}, {}, 200, None),
        ({"events": []}, {"If-Match": '"3"'}, 200, None),
        ({"events": []}, {"If-Match": 'W/"3"'}, 200, None),
        ({"events": []}, {"If-Match": '"2"'}, 409, "version_changed"),
        ({"events": []}, {"If-Match": "*"}, 422, "invalid"),
        ({"version": 2, "events": []}, {"If-Match": '"3"'}, 422, "invalid"),
        ({"events": []}, {}, 422, "invalid"),
        ({"version": 3, "events": [{"name": "a", "policy": "no"}]}, {}, 422, "catalog_invalid"),
        ([], {}, 422, "catalog_invalid"),
    ],
)
async def test_a_change_names_the_version_it_was_made_from(
    body: object, headers: dict[str, str], status: int, code: str | None
) -> None:
    async with shop() as (_, _, client):
        for version, name in ((1, "cart.seen"), (2, "cart.paid")):
            sent = {"version": version, "events": [{**CART, "name": name}]}
            assert (await client.put("catalog", json=sent)).status_code == 200
        answer = await client.put("catalog", json=body, headers=headers)
        stands = (await client.get("catalog")).json()
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert stands["version"] == (4 if status == 200 else 3)
    if status == 409:
        assert answer.json()["version"] == 3


async def test_of_two_changes_at_once_one_is_told() -> None:
    async with shop() as (_, _, client):
        changes: list[dict[str, object]] = [
            {"version": 1, "naming": naming, "events": []} for naming in ("off", "snake_case")
        ]
        answers = await asyncio.gather(*(client.put("catalog", json=change) for change in changes))
        stands = (await client.get("catalog")).json()
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert stands["version"] == 2
    assert stands == next(answer.json() for answer in answers if answer.status_code == 200)


async def test_the_last_twenty_versions_are_kept() -> None:
    async with shop() as (stage, connection, client):
        for version in range(1, KEPT_VERSIONS + 3):
            await client.put("catalog", json={"version": version, "events": [{**CART, "name": f"cart.v{version + 1}"}]})
        gone = await client.get("catalog", params={"version": 2})
        oldest = await client.get("catalog", params={"version": 4})
        kept = await stage.store.find(CatalogVersion, Where("connection_id", "==", connection.id), limit=100)
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert oldest.json()["events"][0]["name"] == "cart.v4"
    assert len(kept.items) == KEPT_VERSIONS


async def test_the_other_guards_rules_stay_as_they_are() -> None:
    async with shop() as (stage, connection, client):
        privacy = PrivacyRules(actions={"email": "mask"})
        owner = {"tenant_id": connection.tenant_id, "connection_id": connection.id}
        await stage.add(CaptureRules(id=connection.id, privacy=privacy, **owner))
        shipped = (await client.get("catalog")).json()
        await client.put("catalog", json={"version": 1, "events": [CART]})
        held = await stage.store.get(CaptureRules, connection.id)
    assert shipped["default"], "rules of another guard are no catalogue"
    assert held is not None
    assert held.privacy == privacy
    assert held.catalog.events[0].name == "cart.paid"


async def test_readers_read_and_check_and_change_nothing() -> None:
    async with shop("read") as (_, _, client):
        assert (await client.get("catalog")).status_code == 200
        assert (await client.get("catalog/report")).status_code == 200
        assert (await client.post("catalog/check", json={"event": "a"})).status_code == 200
        refused = [
            await client.put("catalog", json={"version": 1, "events": []}),
            await client.post("catalog/learn"),
        ]
    assert [answer.status_code for answer in refused] == [403, 403]


async def test_anothers_connection_and_none_answer_alike() -> None:
    async with shop() as (stage, _, client):
        other = await stage.connection(await stage.tenant(name="Other"))
        for id in (other.id, "con_none"):
            client.base_url = httpx.URL(f"http://hedgerow.test/v1/connections/{id}/")
            answers = [
                await client.get("catalog"),
                await client.put("catalog", json={"version": 1, "events": []}),
                await client.get("catalog/report"),
                await client.post("catalog/check", json=[]),
                await client.post("catalog/learn"),
            ]
            assert {answer.status_code for answer in answers} == {404}


async def test_events_are_checked_without_a_trace() -> None:
    events: list[dict[str, Any]] = [
        {"event": "cart.paid", "properties": {"amount_minor": 5, "platform": "web", "coupon": 1}},
        {"event": "cart.paid", "properties": {"amount_minor": "5"}},
        {"event": "cart_paid"},
        {"event": "$pageview"},
    ]
    async with shop() as (stage, connection, client):
        await client.put("catalog", json={"version": 1, "naming": "noun.verb", "unknown": "tag", "events": [CART]})
        good, bad, unknown, theirs = (await client.post("catalog/check", json=events)).json()["items"]
        alone = (await client.post("catalog/check", json=events[1])).json()["items"]
        wrapped = (await client.post("catalog/check", json={"events": events[:1]})).json()["items"]
        nameless = await client.post("catalog/check", json=[{"properties": {}}])
        counts = await stage.store.count(CaptureCount, Where("connection_id", "==", connection.id))
    assert (good["outcome"], good["violations"], good["unlisted"]) == ("passes", [], ["coupon"])
    assert good["missing"] == ["user_tier", "currency"]
    assert (bad["outcome"], bad["violations"]) == ("refused", ["type:amount_minor"])
    assert "`amount_minor` is of another type" in bad["detail"]
    assert (unknown["outcome"], unknown["violations"]) == ("tagged", ["unknown_event"])
    assert (unknown["looks_like"], unknown["naming"]) == ("cart.paid", "noun.verb")
    assert (theirs["outcome"], theirs["violations"], theirs["missing"]) == ("passes", [], [])
    assert (alone, wrapped) == ([bad], [good])
    assert (nameless.status_code, nameless.json()["detail"]) == (422, "Event 0 has no name.")
    assert counts == 0


async def test_the_report_adds_instances_up_by_local_day() -> None:
    late = datetime(2026, 11, 19, 23, tzinfo=UTC)  # Already the 20th in Berlin.
    async with shop() as (stage, connection, client):
        owner = {"tenant_id": connection.tenant_id, "connection_id": connection.id}
        for id, hour, marks, rows in (
            ("cnt_1", late, {"catalog.unknown_event": 2, "catalog.missing.currency": 1, "repeated": 9}, ()),
            (
                "cnt_2",
                late,
                {"catalog.unknown_event": 1, "…": 4},
                (
                    CountRow(name="payment_completed", accepted=3),
                    CountRow(name="$pageview", accepted=8),
                    CountRow(name="accepted_elsewhere", delivered=1, pending=-1),
                ),
            ),
            (
                "cnt_3",
                late - timedelta(hours=1),
                {
                    "catalog.violation.payment.completed": 4,
                    "catalog.drift.payment.completed missing:currency": 3,
                    "catalog.drift.payment.completed type:amount_minor": 1,
                    "catalog.drift.payment.completed unlisted:coupon": 2,
                    "catalog.drift.…": 1,
                },
                (CountRow(name="payment.completed", accepted=4), CountRow(name="payment_completed", accepted=1)),
            ),
            ("cnt_old", late - timedelta(days=31), {"catalog.unknown_event": 99}, (CountRow(name="old", accepted=1),)),
        ):
            await stage.add(CaptureCount(id=id, hour=hour, marks=marks, rows=rows, **owner))
        report = (await client.get("catalog/report")).json()
        today = (await client.get("catalog/report", params={"days": 1})).json()
        long = await client.get("catalog/report", params={"days": 31})
    assert (report["from"], report["to"], report["zone"]) == ("2026-10-22", "2026-11-20", "Europe/Berlin")
    assert report["complete"]
    assert report["unknown_events"] == {"2026-11-20": 3}
    assert report["unknown"] == [
        {
            "name": "payment_completed",
            "events": 4,
            "days": {"2026-11-19": 1, "2026-11-20": 3},
            "looks_like": "payment.completed",
        }
    ]
    assert report["violations"] == [
        {
            "event": "payment.completed",
            "events": 4,
            "days": {"2026-11-19": 4},
            "words": {"missing:currency": 3, "type:amount_minor": 1},
        }
    ]
    assert [(each["event"], each["words"]) for each in report["unlisted"]] == [("payment.completed", {"coupon": 2})]
    where = "where either is, or money is meant"
    assert report["missing"] == [{"property": "currency", "where": where, "events": 1, "days": {"2026-11-20": 1}}]
    assert report["naming"]["wanted"] == "report"
    assert (report["naming"]["follows"], report["naming"]["names"]) == (None, 2)
    assert (today["violations"], today["unknown_events"]) == ([], {"2026-11-20": 3})
    assert long.status_code == 422


async def test_a_capture_only_connection_cannot_learn() -> None:
    async with shop() as (stage, connection, client):
        bare = connection.model_copy(update={"id": "con_bare", "version": 0, "secret_ref": None, "project_id": None})
        await stage.add(bare)
        client.base_url = httpx.URL("http://hedgerow.test/v1/connections/con_bare/")
        answer = await client.post("catalog/learn")
    assert (answer.status_code, answer.json()["code"]) == (409, "capture_only")
