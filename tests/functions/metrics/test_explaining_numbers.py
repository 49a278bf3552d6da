"""Explaining one number and listing what moved: whole after a sync, after the run is gone, and where there is nothing."""

from __future__ import annotations

import base64
from datetime import date, datetime, timedelta

import pytest

from functions.metrics.main import metrics
from hedgerow.models import ChangeSet, Connection, QueryText, SyncProgress, ValueChange
from hedgerow.months import Write
from hedgerow.ports import Add, Swap
from hedgerow.records import new_id
from tests.stage import NOW, Stage

DAY = date(2026, 11, 8)


def moved(connection: Connection, at: datetime, *changed: tuple[str, date, float, float], id: str = "") -> ChangeSet:
    changes = tuple(ValueChange(metric=name, day=day, old=old, new=new) for name, day, old, new in changed)
    return ChangeSet(id=id or new_id("chg"), connection_id=connection.id, run_id="run_2", at=at, changes=changes)


async def explained(stage: Stage) -> tuple[Connection, str]:
    """A connection in Berlin with one value of a known query, which moved twice; and a reader's key."""
    tenant = await stage.tenant()
    connection = await stage.connection(tenant, zone="Europe/Berlin")
    await stage.store.commit(Add(QueryText(id="qry_1", connection_id=connection.id, text="select {zone}")))
    began = NOW - timedelta(days=3)
    write = Write("run_long_gone", began, "Europe/Berlin", "qry_1", {"zone": "Europe/Berlin", "new_users_days": 90})
    await stage.points(connection, {("posthog_new_users", DAY): 7, ("event:cart", DAY): 2}, write)
    await stage.store.commit(
        Add(moved(connection, NOW - timedelta(days=5), ("posthog_new_users", DAY, 5, 6), ("event:cart", DAY, 1, 2))),
        Add(moved(connection, NOW - timedelta(days=3), ("posthog_new_users", DAY, 6, 7))),
        Add(moved(connection, NOW, ("posthog_new_users", date(2026, 11, 9), 6, 7))),
    )
    return connection, await stage.key(tenant, "read")


async def test_everything_about_one_number(stage: Stage) -> None:
    connection, key = await explained(stage)
    async with stage.calling(metrics, key) as client:
        params = {"name": "posthog_new_users", "date": str(DAY)}
        answer = (await client.get(f"/v1/connections/{connection.id}/explain", params=params)).json()
    definition = answer.pop("definition")
    assert "90 days" in definition, "the span this value was counted with, not today's setting"
    assert answer == {
        "name": "posthog_new_users",
        "date": "2026-11-08",
        "description": "New users today",
        "unit": "count",
        "value": 7,
        "complete": True,
        "zone": "Europe/Berlin",
        "run": {"id": "run_long_gone", "began_at": "2026-11-17T15:30:00Z"},
        "age_seconds": 3 * 86_400,
        "query": {"hogql": "select {zone}", "values": {"zone": "Europe/Berlin", "new_users_days": 90}},
        "changes": [
            {
                "metric": "posthog_new_users",
                "day": "2026-11-08",
                "unit": "count",
                "old": old,
                "new": old + 1,
                "run": "run_2",
                "at": at,
                "reason": "late_events_or_merges",
            }
            for old, at in ((6, "2026-11-17T15:30:00Z"), (5, "2026-11-15T15:30:00Z"))
        ],
    }


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        ({"name": "posthog_dau", "date": "2026-11-25"}, 404, "has not begun"),
        ({"name": "posthog_dau", "date": "2026-11-01"}, 404, "no sync has covered"),
        ({"name": "event:other", "date": str(DAY)}, 404, "not pinned"),
        ({"name": "posthog_feature_flags", "date": str(DAY)}, 404, "not listed"),
        ({"name": "posthog_duo", "date": str(DAY)}, 422, "posthog_duo"),
        ({"name": "posthog_dau", "date": "today"}, 422, "date"),
        ({"name": "posthog_dau"}, 422, "date"),
    ],
)
async def test_no_value_is_explained_too(stage: Stage, asked: dict[str, str], status: int, why: str) -> None:
    connection, key = await explained(stage)
    async with stage.calling(metrics, key) as client:
        answer = await client.get(f"/v1/connections/{connection.id}/explain", params=asked)
    assert answer.status_code == status
    assert why in answer.json()["detail"]
    assert answer.json()["hint"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"tier": "starter"}, "keeps days from 2026-11-17"),
        ({"secret_ref": None}, "capture-only"),
        ({"progress": SyncProgress()}, "no sync has succeeded"),
    ],
)
async def test_why_a_connection_has_no_value(stage: Stage, changed: dict[str, object], why: str) -> None:
    connection, key = await explained(stage)
    await stage.store.commit(Swap(connection.model_copy(update=changed)))
    name = "posthog_new_users" if "tier" in changed else "posthog_dau"
    async with stage.calling(metrics, key) as client:
        params = {"name": name, "date": str(DAY)}
        answer = await client.get(f"/v1/connections/{connection.id}/explain", params=params)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_value")
    assert why in answer.json()["detail"]


async def test_changes_come_newest_first_page_by_page(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    expected = []
    for back in range(70):
        at = NOW - timedelta(minutes=back // 2)
        found = moved(
            connection,
            at,
            *((f"event:{number}", DAY, 1, 2) for number in range(back % 4)),
            id=f"chg_{99 - back:03d}",
        )
        expected += [(at, change.metric) for change in found.changes]
        await stage.store.commit(Add(found))
    seen: list[tuple[datetime, str]] = []
    async with stage.calling(metrics, await stage.key(tenant)) as client:
        path, cursor = f"/v1/connections/{connection.id}/changes?limit=7", ""
        while True:
            page = (await client.get(path + cursor)).json()
            assert len(page["items"]) <= 7
            seen += [(datetime.fromisoformat(item["at"]), item["metric"]) for item in page["items"]]
            if page["next_cursor"] is None:
                break
            # What is found meanwhile is newer: it neither repeats nor hides what follows.
            await stage.store.commit(Add(moved(connection, NOW + timedelta(minutes=1), ("posthog_dau", DAY, 1, 2))))
            cursor = f"&cursor={page['next_cursor']}"
    assert seen == expected


async def test_changes_since(stage: Stage) -> None:
    connection, key = await explained(stage)
    async with stage.calling(metrics, key) as client:
        path = f"/v1/connections/{connection.id}/changes"
        counts = [
            len((await client.get(path, params=params)).json()["items"])
            for params in ({}, {"since": "2026-11-17"}, {"since": "2026-11-17T15:30:01Z"}, {"since": "2026-11-21"})
        ]
        wrong = [(await client.get(path, params=params)).status_code for params in WRONG]
        first = (await client.get(path, params={"since": "2026-11-20"})).json()["items"]
    assert counts == [4, 2, 1, 0]
    assert wrong == [422] * len(WRONG)
    assert first == [
        {
            "metric": "posthog_new_users",
            "day": "2026-11-09",
            "unit": "count",
            "old": 6,
            "new": 7,
            "run": "run_2",
            "at": "2026-11-20T15:30:00Z",
            "reason": "late_events_or_merges",
        }
    ]


WRONG = (
    {"since": "last week"},
    {"since": "2026-11-17T15:30:01"},
    {"limit": "0"},
    {"limit": "1001"},
    {"since": "0001-01-01T00:00:00+14:00"},
    {"since": "9999-12-31T23:59:59-14:00"},
    {"cursor": "x"},
    {"cursor": base64.urlsafe_b64encode(b'["0001-01-01T00:00:00+14:00","chg_1",0]').decode().rstrip("=")},
    {"cursor": "WyIyMDI2LTExLTIwIiwgMSwgMV0"},
    {"cursor": "🌿"},
)


async def test_no_change_of_a_day_the_tier_no_longer_keeps(stage: Stage) -> None:
    tenant = await stage.tenant("starter")
    connection = await stage.connection(tenant)
    await stage.store.commit(
        Add(
            moved(connection, NOW, ("posthog_dau", date(2026, 11, 16), 1, 2), ("posthog_dau", date(2026, 11, 17), 1, 2))
        )
    )
    async with stage.calling(metrics, await stage.key(tenant)) as client:
        items = (await client.get(f"/v1/connections/{connection.id}/changes")).json()["items"]
    assert [item["day"] for item in items] == ["2026-11-17"]


async def test_strangers_see_neither(stage: Stage) -> None:
    connection, _ = await explained(stage)
    answers = set()
    async with stage.calling(metrics, await stage.key(await stage.tenant(name="Rival"))) as client:
        for id in (connection.id, "con_nobody"):
            for path in ("changes", "proof", "metrics", f"explain?name=posthog_new_users&date={DAY}"):
                answer = await client.get(f"/v1/connections/{id}/{path}")
                answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert answers.pop()[0] == 404
