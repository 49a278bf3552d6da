"""Reading series through HTTP: forms, windows, tiers, zones, names, and whose connection it is."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest

from functions.metrics.main import metrics
from hedgerow import days
from hedgerow.models import Connection, Tenant, Tier
from hedgerow.months import Month, Point, Write
from hedgerow.ports import Add
from tests.stage import ADMIN_KEY, Stage, month_record

TODAY = date(2026, 11, 20)


def last_days(number: int, until: date = TODAY) -> list[date]:
    return list(days.span(until - timedelta(days=number - 1), until))


async def filled(stage: Stage, tier: Tier = "pro", number: int = 60) -> tuple[Connection, str]:
    """A connection whose `posthog_dau` and one event have the day of the month as value, and a key to read it."""
    tenant = await stage.tenant(tier)
    connection = await stage.connection(tenant)
    names = ("posthog_dau", "event:signed up")
    await stage.points(connection, {(name, day): day.day for name in names for day in last_days(number)})
    return connection, await stage.key(tenant, "read")


async def test_the_answer_has_exactly_the_promised_form(stage: Stage) -> None:
    connection, key = await filled(stage)
    async with stage.calling(metrics, key) as client:
        asked = {"name": "posthog_dau", "from": "2026-11-19", "to": "2026-11-20"}
        answer = await client.get(f"/v1/connections/{connection.id}/metrics", params=asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "series": [
            {
                "name": "posthog_dau",
                "unit": "count",
                "points": [
                    {"date": "2026-11-19", "value": 19, "complete": True},
                    {"date": "2026-11-20", "value": 20, "complete": False},
                ],
            }
        ],
        "zones": [{"zone": "UTC", "from": "2026-11-19", "to": "2026-11-20"}],
    }


async def test_without_names_every_metric_comes_in_the_order_of_the_catalogue(stage: Stage) -> None:
    connection, key = await filled(stage)
    async with stage.calling(metrics, key) as client:
        series = (await client.get(f"/v1/connections/{connection.id}/metrics")).json()["series"]
        catalog = (await client.get("/v1/metrics/catalog")).json()["items"]
    fixed = [entry["name"] for entry in catalog if "<" not in entry["name"]]
    assert [each["name"] for each in series] == [*fixed, "event:signed up"]
    assert [each["name"] for each in series if each["points"]] == ["posthog_dau", "event:signed up"]
    assert {each["name"] for each in series if each["unit"] == "seconds"} == {"posthog_session_duration"}
    assert [point["date"] for point in series[0]["points"]] == [str(day) for day in last_days(30)]


async def test_names_repeat_keep_their_order_and_a_valid_one_without_points_is_empty(stage: Stage) -> None:
    connection, key = await filled(stage)
    async with stage.calling(metrics, key) as client:
        asked = {"name": ["flag:beta:on", "event:signed up", "flag:beta:on", "event:nobody"]}
        series = (await client.get(f"/v1/connections/{connection.id}/metrics", params=asked)).json()["series"]
    assert [(each["name"], len(each["points"])) for each in series] == [
        ("flag:beta:on", 0),
        ("event:signed up", 30),
        ("event:nobody", 0),
    ]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("posthog_duo", "posthog_dau"),
        ("sessions", "posthog_sessions"),
        ("$pageview", "event:$pageview"),
        ("event:", None),
        ("flag:beta", None),
        ("", None),
    ],
)
async def test_a_name_no_metric_makes_is_refused_with_near_ones(stage: Stage, name: str, near: str | None) -> None:
    connection, key = await filled(stage)
    async with stage.calling(metrics, key) as client:
        answer = await client.get(f"/v1/connections/{connection.id}/metrics", params={"name": name})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_metric")
    assert near is None or near in answer.json()["near"]
    assert "catalog" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, "2026-10-22", "2026-11-20"),
        ({"from": "2026-11-01"}, "2026-11-01", "2026-11-20"),
        ({"to": "2026-11-10"}, "2026-10-12", "2026-11-10"),
        ({"from": "2026-11-03", "to": "2026-11-03"}, "2026-11-03", "2026-11-03"),
        ({"from": "2026-11-18", "to": "2026-12-24"}, "2026-11-18", "2026-11-20"),
        ({"from": "2024-01-01"}, "2026-09-22", "2026-11-20"),
    ],
)
async def test_both_ends_of_a_window_are_included(stage: Stage, asked: dict[str, str], first: str, last: str) -> None:
    connection, key = await filled(stage)
    async with stage.calling(metrics, key) as client:
        params = {"name": "posthog_dau", **asked}
        points = (await client.get(f"/v1/connections/{connection.id}/metrics", params=params)).json()["series"][0][
            "points"
        ]
    assert (points[0]["date"], points[-1]["date"]) == (first, last)
    assert len(points) == (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"from": "2026-11-20", "to": "2026-11-19"}, "invalid"),
        ({"from": "2026-11-31"}, "invalid"),
        ({"from": "yesterday"}, "invalid"),
        ({"from": "20261101"}, "invalid"),
        ({"from": "2026-11-01T00:00:00"}, "invalid"),
        ({"to": "0001-01-01"}, "invalid"),
        ({"to": "9999-12-31"}, "invalid"),
        ({"from": ""}, "invalid"),
        ({"from": "٢٠٢٦-١١-٠١"}, "invalid"),
        ({"from": "2020-01-01"}, "window_too_long"),
    ],
)
async def test_a_window_that_is_none_is_refused(stage: Stage, asked: dict[str, str], code: str) -> None:
    connection, key = await filled(stage)
    async with stage.calling(metrics, key) as client:
        answer = await client.get(f"/v1/connections/{connection.id}/metrics", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["hint"]


@pytest.mark.parametrize(
    ("tier", "oldest"), [("starter", "2026-11-17"), ("basic", "2026-10-21"), ("pro", "2026-09-22")]
)
async def test_no_day_older_than_the_tier_keeps_is_read(stage: Stage, tier: Tier, oldest: str) -> None:
    connection, key = await filled(stage, tier)
    async with stage.calling(metrics, key) as client:
        params = {"name": "posthog_dau", "from": "2024-01-01"}
        answer = await client.get(f"/v1/connections/{connection.id}/metrics", params=params)
        past = {"name": "posthog_dau", "from": "2026-09-25", "to": "2026-09-26"}
        gone = (await client.get(f"/v1/connections/{connection.id}/metrics", params=past)).json()
    assert answer.json()["series"][0]["points"][0]["date"] == oldest
    assert len(gone["series"][0]["points"]) == (2 if tier == "pro" else 0)
    assert gone["zones"] == ([] if tier != "pro" else [{"zone": "UTC", "from": "2026-09-25", "to": "2026-09-26"}])


async def test_today_is_the_projects_own(stage: Stage) -> None:
    tenant = await stage.tenant()
    east = await stage.connection(tenant, zone="Pacific/Auckland")
    await stage.points(east, {("posthog_dau", day): 1 for day in last_days(40, date(2026, 11, 21))})
    async with stage.calling(metrics, await stage.key(tenant)) as client:
        points = (await client.get(f"/v1/connections/{east.id}/metrics?name=posthog_dau")).json()["series"][0]["points"]
    assert [point["date"] for point in points] == [str(day) for day in last_days(30, date(2026, 11, 21))]
    assert [point["complete"] for point in points] == [True] * 29 + [False]


async def test_days_cut_in_two_zones_are_told_apart(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant, zone="Asia/Tokyo")
    month = Month("2026-11")
    old, new = Write("run_1", stage.clock(), "UTC"), Write("run_2", stage.clock(), "Asia/Tokyo")
    for day in days.span(date(2026, 11, 1), date(2026, 11, 10)):
        month.put("posthog_dau", day, Point(1, old if day.day <= 4 or day.day == 7 else new))
    month.put("posthog_events", date(2026, 11, 5), Point(1, old))
    await stage.store.commit(Add(month_record(connection, month, stage.clock())))
    async with stage.calling(metrics, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/metrics"
        zones = (await client.get(path, params={"name": "posthog_dau"})).json()["zones"]
        both = (await client.get(path)).json()["zones"]
    assert zones == [
        {"zone": "UTC", "from": "2026-11-01", "to": "2026-11-04"},
        {"zone": "Asia/Tokyo", "from": "2026-11-05", "to": "2026-11-06"},
        {"zone": "UTC", "from": "2026-11-07", "to": "2026-11-07"},
        {"zone": "Asia/Tokyo", "from": "2026-11-08", "to": "2026-11-10"},
    ]
    assert both[0] == {"zone": "UTC", "from": "2026-11-01", "to": "2026-11-05"}


async def test_csv_comes_when_the_client_prefers_it_and_runs_in_no_spreadsheet(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    wild = 'event:a "b",\n;=cmd|calc 🦔'
    await stage.points(connection, {(wild, TODAY): 3, ("posthog_session_duration", TODAY - timedelta(days=1)): 1.5})
    async with stage.calling(metrics, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/metrics"
        answer = await client.get(path, headers={"accept": "text/csv"})
        preferred = await client.get(path, headers={"accept": "text/csv;q=0.5, application/json;q=0.9, */*"})
        anything = await client.get(path, headers={"accept": "*/*"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.count("\r\n") == 3
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert rows == [
        {
            "date": "2026-11-19",
            "name": "posthog_session_duration",
            "unit": "seconds",
            "value": "1.5",
            "complete": "true",
        },
        {
            "date": "2026-11-20",
            "name": 'event:a "b",\n;\'=cmd|calc 🦔',
            "unit": "count",
            "value": "3",
            "complete": "false",
        },
    ]
    assert {preferred.headers["content-type"], anything.headers["content-type"]} == {"application/json"}


async def test_another_tenants_connection_and_none_are_answered_alike(stage: Stage) -> None:
    connection, _ = await filled(stage)
    stranger = await stage.key(await stage.tenant(name="Rival"))
    async with stage.calling(metrics, stranger) as client:
        theirs = await client.get(f"/v1/connections/{connection.id}/metrics")
        nobodys = await client.get("/v1/connections/con_000000000000000000000000/metrics")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json() == nobodys.json()


async def test_who_may_read(stage: Stage) -> None:
    _, reader = await filled(stage)
    owner = (await stage.store.find(Tenant)).items[0]
    answers = {}
    for role, key in (
        ("read", reader),
        ("write", await stage.key(owner, "write")),
        ("capture", await stage.key(owner, "capture")),
        ("admin", ADMIN_KEY),
        ("none", None),
    ):
        async with stage.calling(metrics, key) as client:
            answers[role] = (await client.get("/v1/metrics/catalog")).status_code
    assert answers == {"read": 200, "write": 200, "capture": 403, "admin": 403, "none": 401}


async def test_two_years_of_twelve_series_read_one_document_a_month(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    two_years = list(days.span(date(2024, 12, 1), date(2026, 11, 30)))
    await stage.points(
        connection,
        {(f"event:{number}", day): number for number in range(12) for day in two_years},
        stage.write(connection, datetime(2026, 12, 1, tzinfo=UTC)),
    )
    async with stage.calling(metrics, await stage.key(tenant)) as client:
        params = {"name": [f"event:{number}" for number in range(12)], "from": "2024-12-01", "to": "2026-11-30"}
        answer = await client.get(f"/v1/connections/{connection.id}/metrics", params=params)
    series = answer.json()["series"]
    assert [len(each["points"]) for each in series] == [730] * 12
    assert all(point["complete"] for each in series for point in each["points"])


async def test_measures_are_read_by_name_only(stage: Stage) -> None:
    """They are alert rules' own: no list, file or scrape shows them unasked; asked for they read and explain as others."""
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    key, name = await stage.key(tenant, "read"), "measure:msr_1:a, b"
    await stage.points(connection, {(name, TODAY - timedelta(days=1)): -2.5, ("posthog_dau", TODAY): 1})
    path = f"/v1/connections/{connection.id}"
    async with stage.calling(metrics, key) as client:
        everything = (await client.get(f"{path}/metrics")).json()["series"]
        named = (await client.get(f"{path}/metrics", params={"name": name})).json()["series"]
        table = (await client.get(f"{path}/metrics", params={"name": name}, headers={"Accept": "text/csv"})).text
        told = (await client.get(f"{path}/explain", params={"name": name, "date": "2026-11-19"})).json()
        nothing = (await client.get(f"{path}/explain", params={"name": name, "date": "2026-11-18"})).json()
        catalog = (await client.get("/v1/metrics/catalog")).json()["items"]
        scraped = (await client.get("/v1/metrics/prometheus")).text
    assert name not in {each["name"] for each in everything}
    assert named == [
        {"name": name, "unit": "number", "points": [{"date": "2026-11-19", "value": -2.5, "complete": True}]}
    ]
    assert list(csv.reader(io.StringIO(table)))[1] == ["2026-11-19", name, "number", "-2.5", "true"]
    assert (told["value"], told["unit"]) == (-2.5, "number")
    assert "no alert rule asked for it" in nothing["detail"]
    assert not [each for each in catalog if each["name"].startswith("measure")]
    assert "measure:" not in scraped
