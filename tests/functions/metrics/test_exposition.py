"""The Prometheus exposition, read back by a small strict parser of the format 0.0.4."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from functions.metrics.main import metrics
from hedgerow.deliveries import Delivery, hour_of
from hedgerow.ports import Swap
from hedgerow.tallies import CaptureCount, CountRow, count_id
from tests.stage import Stage

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Samples:
    """Every sample by name and labels. Each family has one HELP and TYPE before it and stands in one piece."""
    samples: Samples = {}
    families: list[str] = []
    assert text == "" or text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            families.append(line.split(" ")[2])
            continue
        if line.startswith("# TYPE "):
            assert line == f"# TYPE {families[-1]} gauge"
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, labels, value = found.groups()
        assert name == families[-1]
        pairs = [
            (label, re.sub(r"\\.", lambda each: UNESCAPED[each[0]], inside)) for label, inside in LABEL.findall(labels)
        ]
        key = name, frozenset(pairs)
        assert key not in samples
        samples[key] = float(value)
    assert len(families) == len(set(families))
    return samples


async def scrape(stage: Stage, key: str) -> Samples:
    async with stage.calling(metrics, key) as client:
        answer = await client.get("/v1/metrics/prometheus")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


def values(samples: Samples, name: str, label: str) -> dict[str, float]:
    return {dict(labels)[label]: value for (sample, labels), value in samples.items() if sample == name}


async def test_the_newest_complete_day_of_each_series(stage: Stage) -> None:
    tenant = await stage.tenant()
    shop = await stage.connection(tenant, zone="Europe/Berlin", project="7")
    wild = 'event:a\\b "c"\nd 🦔'
    await stage.points(
        shop,
        {
            ("posthog_dau", date(2026, 11, 19)): 19,
            ("posthog_dau", date(2026, 11, 20)): 20,
            ("posthog_session_duration", date(2026, 10, 31)): 12.5,
            (wild, date(2026, 11, 1)): 3,
            ("posthog_events", date(2026, 11, 20)): 1,
            ("posthog_pageviews", date(2026, 9, 30)): 1,
        },
    )
    samples = await scrape(stage, await stage.key(tenant, "read"))
    assert values(samples, "hedgerow_metric", "name") == {"posthog_dau": 19, "posthog_session_duration": 12.5, wild: 3}
    day = datetime(2026, 11, 18, 23, tzinfo=UTC).timestamp()
    assert values(samples, "hedgerow_metric_day_timestamp_seconds", "name")["posthog_dau"] == day
    labels = next(dict(labels) for name, labels in samples if dict(labels).get("name") == "posthog_session_duration")
    assert labels == {"connection": shop.id, "project": "7", "name": "posthog_session_duration", "unit": "seconds"}
    assert values(samples, "hedgerow_sync_age_seconds", "connection") == {shop.id: 420}


async def test_all_connections_of_the_tenant_and_nobody_elses(stage: Stage) -> None:
    tenant, rival = await stage.tenant("starter"), await stage.tenant(name="Rival")
    old, young = date(2026, 11, 16), date(2026, 11, 17)
    mine = [await stage.connection(tenant, state=state) for state in ("connected", "paused", "disconnected")]
    for connection, day in zip(mine, (young, old, young), strict=True):
        await stage.points(connection, {("posthog_dau", day): 1})
    await stage.points(await stage.connection(rival), {("posthog_dau", young): 1})
    samples = await scrape(stage, await stage.key(tenant))
    assert values(samples, "hedgerow_metric", "connection") == {mine[0].id: 1, mine[2].id: 1}, "a starter keeps 3 days"
    states = {
        (dict(labels)["connection"], dict(labels)["state"])
        for (name, labels), value in samples.items()
        if name == "hedgerow_connection_state" and value == 1
    }
    assert states == {(connection.id, connection.state) for connection in mine}


async def test_nothing_yet_is_an_empty_exposition(stage: Stage) -> None:
    tenant = await stage.tenant()
    assert await scrape(stage, await stage.key(tenant)) == {}
    connection = await stage.connection(tenant)
    progress = connection.progress.model_copy(update={"last_success_at": None})
    await stage.store.commit(Swap(connection.model_copy(update={"progress": progress})))
    stage.clock.forward(timedelta(days=45))
    samples = await scrape(stage, await stage.key(tenant))
    assert {name for name, _ in samples} == {"hedgerow_connection_state"}


async def test_what_capture_accepted_in_this_hour_and_the_last(stage: Stage) -> None:
    tenant, rival = await stage.tenant(), await stage.tenant(name="Rival")
    shop, quiet, stuck = [await stage.connection(tenant) for _ in range(3)]
    theirs = await stage.connection(rival)
    now = stage.clock()
    for connection, instance, hours, accepted in (
        (shop, "a", 0, 5),
        (shop, "b", 0, 2),
        (shop, "a", 1, 9),
        (shop, "a", 2, 99),
        (theirs, "a", 0, 7),
    ):
        hour = hour_of(now) - timedelta(hours=hours)
        await stage.add(
            CaptureCount(
                id=count_id(connection.id, hour, instance),
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                hour=hour,
                rows=(CountRow(name="cart", accepted=accepted, delivered=accepted - 1, dead=1),),
            )
        )
    for minutes in (3, 90):
        await stage.add(
            Delivery(
                id=f"dlv_{minutes}",
                tenant_id=tenant.id,
                connection_id=stuck.id,
                state="pending",
                accepted_at=now - timedelta(minutes=minutes),
                hour=hour_of(now),
                shard=0,
                count=1,
                size=1,
            )
        )
    samples = await scrape(stage, await stage.key(tenant, "read"))
    captured = {
        (dict(labels)["hour"], dict(labels)["state"]): value
        for (name, labels), value in samples.items()
        if name == "hedgerow_capture_events" and dict(labels)["connection"] == shop.id
    }
    assert captured == {
        **dict.fromkeys((("current", "pending"), ("last", "pending"), ("current", "held"), ("last", "held")), 0),
        ("current", "accepted"): 7,
        ("current", "delivered"): 5,
        ("current", "dead"): 2,
        ("last", "accepted"): 9,
        ("last", "delivered"): 8,
        ("last", "dead"): 1,
    }
    assert values(samples, "hedgerow_capture_oldest_waiting_seconds", "connection") == {shop.id: 0, stuck.id: 5_400}
    assert quiet.id not in values(samples, "hedgerow_capture_events", "connection")
