"""How long messages have waited on Pub/Sub: Cloud Monitoring's own messages, from a small server that keeps samples."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from google.cloud.monitoring_v3 import types

from hedgerow.adapters.inspection import PubSubInspection
from hedgerow.adapters.monitoring import AGE, NUMBER
from hedgerow.cli.operations.doctor import queue
from hedgerow.cli.operations.doctor.visiting import Terminal, case_of
from hedgerow.inspection import Subscription, Topic
from tests.stage import staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

AT = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
MINUTES = timedelta(minutes=1)


class Monitoring:
    """Keeps samples of subscriptions, and answers what was taken within the asked time, newest first, two a page."""

    def __init__(self) -> None:
        self.samples: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
        self.refusal: tuple[grpc.StatusCode, str] | None = None

    def sample(self, subscription: str, number: int, age: int, at: datetime) -> None:
        self.samples.setdefault((NUMBER, subscription), []).insert(0, (at, number))
        self.samples.setdefault((AGE, subscription), []).insert(0, (at, age))

    async def list(self, request: types.ListTimeSeriesRequest, context: Any) -> types.ListTimeSeriesResponse:
        if self.refusal is not None:
            await context.abort(*self.refusal)
        assert request.name == "projects/p"
        found = [series for key in sorted(self.samples) if (series := self._series(request, *key)) is not None]
        begin = int(request.page_token or 0)
        more = begin + 2 < len(found)
        return types.ListTimeSeriesResponse(
            time_series=found[begin : begin + 2], next_page_token=str(begin + 2) if more else ""
        )

    def _series(self, request: types.ListTimeSeriesRequest, metric: str, subscription: str) -> types.TimeSeries | None:
        asked = f'metric.type = "{metric}" AND resource.labels.subscription_id = starts_with("hedgerow-")'
        if request.filter != asked or not subscription.startswith("hedgerow-"):
            return None
        begin, end = request.interval.start_time, request.interval.end_time
        points = [
            {"interval": {"end_time": at}, "value": {"int64_value": value}}
            for at, value in self.samples[metric, subscription]
            if begin < at <= end
        ]
        if not points:
            return None
        resource = {"type": "pubsub_subscription", "labels": {"subscription_id": subscription, "project_id": "p"}}
        return types.TimeSeries(metric={"type": metric}, resource=resource, points=points)


class Watched(PubSubInspection):
    """Every topic as it should be; the backlog as Cloud Monitoring tells it."""

    async def topics(self, names: Sequence[str]) -> tuple[Topic, ...]:
        dead = "projects/p/topics/hedgerow-dead"
        pushed = Subscription("https://x.test/push", account="push@p.test", dead_topic=dead, may_bury=True)
        return tuple(Topic(name, exists=True, subscription=pushed) for name in names)


@pytest.fixture
async def watched() -> AsyncIterator[tuple[Monitoring, PubSubInspection]]:
    there = Monitoring()
    handler = grpc.unary_unary_rpc_method_handler(
        there.list, types.ListTimeSeriesRequest.deserialize, types.ListTimeSeriesResponse.serialize
    )
    service = grpc.method_handlers_generic_handler("google.monitoring.v3.MetricService", {"ListTimeSeries": handler})
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    inspection = Watched("p", "hedgerow-", emulator_host="127.0.0.1:1", monitoring_host=f"127.0.0.1:{port}")
    yield there, inspection
    await inspection.close()
    await server.stop(None)


async def test_the_newest_sample_says_what_waits_and_since_when(watched: tuple[Monitoring, PubSubInspection]) -> None:
    there, inspection = watched
    there.sample("hedgerow-sync-requested", 1, 60, AT - 3 * MINUTES)
    there.sample("hedgerow-sync-requested", 7, 1_200, AT - 2 * MINUTES)
    there.sample("hedgerow-run-ended", 0, 0, AT - 2 * MINUTES)
    there.sample("hedgerow-notification-due", 9, 9_000, AT - 20 * MINUTES)
    there.sample("hedgerow-dead", 2, 30, AT - MINUTES)
    there.sample("another-run-ended", 5, 5_000, AT - MINUTES)

    found = await inspection.backlog(AT)

    assert found is not None
    assert {topic: (each.waiting, each.oldest_at) for topic, each in found.items()} == {
        "sync-requested": (7, AT - 22 * MINUTES),
        "run-ended": (0, None),
        "dead": (2, AT - MINUTES - timedelta(seconds=30)),
    }


async def test_the_doctor_names_the_topic_and_the_log_that_has_the_reason(
    watched: tuple[Monitoring, PubSubInspection],
) -> None:
    there, inspection = watched
    async with staged() as stage:
        settings = stage.app.settings.model_copy(update={"queue": "pubsub", "project": "p"})
        case = replace(case_of(stage.app, Terminal()), app=replace(stage.app, settings=settings), inspection=inspection)
        now = case.now
        there.sample("hedgerow-run-ended", 3, 600, now - MINUTES)
        (fine,) = await queue.check(case)
        assert fine.code == "ok"
        assert "3 messages waiting" in fine.what

        there.sample("hedgerow-sync-requested", 7, 1_200, now - MINUTES)
        (finding,) = await queue.check(case)
        assert (finding.code, finding.subject) == ("queue.stuck", "sync-requested")
        assert finding.since == now - 21 * MINUTES
        assert finding.what == "7 messages waiting."
        assert 'service_name="hedgerow-sync-connection" severity>=ERROR' in finding.command
        assert "--project p" in finding.command

        there.refusal = (
            grpc.StatusCode.PERMISSION_DENIED,
            "Permission monitoring.timeSeries.list denied (or the resource may not exist).",
        )
        (unknown,) = await queue.check(case)
        assert (unknown.code, unknown.subject) == ("unknown", "backlog")
        assert "monitoring.timeSeries.list" in unknown.what
        assert "docs/operations/google-errors.md" in unknown.command


async def test_the_emulator_has_nobody_to_ask() -> None:
    assert await PubSubInspection("p", "hedgerow-", emulator_host="127.0.0.1:1").backlog(AT) is None
