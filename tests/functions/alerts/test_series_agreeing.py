"""What a sync stores of a rule's measures, read, is what PostHog answers when asked for the same series."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.alerts.series import asking, measuring, reading
from functions.alerts.spec import DifferenceSeries, EventSeries, MetricSeries, RatioSeries, SeriesSpec
from hedgerow import days
from hedgerow.measures import Filter
from hedgerow.ports import Swap
from tests.sync_stage import NOW, sync_stage

FAILED, COMPLETED = (EventSeries(event=f"payment.{end}", by="method") for end in ("failed", "completed"))
TODAY_FAILED, TODAY_COMPLETED = (each.model_copy(update={"grain": "so_far"}) for each in (FAILED, COMPLETED))
CARD = Filter(property="method", values=("card", "giro"))
MANY = Filter(property="amount", values=(3, 4.0, True, "x"))
SPECS: list[SeriesSpec] = [
    EventSeries(event="payment.failed"),
    MetricSeries(name="posthog_dau", grain="hour"),
    EventSeries(event="payment.completed", math="sum", of="amount", by="method", grain="hour"),
    EventSeries(event="payment.completed", math="p95", of="amount"),
    EventSeries(math="persons", where=(CARD, MANY)),
    RatioSeries(of=FAILED, to=(FAILED, COMPLETED), minimum=2),
    DifferenceSeries(of=COMPLETED, less=FAILED),
    MetricSeries(name="posthog_events", grain="so_far"),
    EventSeries(event="payment.completed", math="sum", of="amount", by="method", grain="so_far"),
    RatioSeries(of=TODAY_FAILED, to=(TODAY_FAILED, TODAY_COMPLETED), minimum=2),
]


def events() -> list[dict[str, Any]]:
    methods = ("card", "sepa", None, "card")
    return [
        {
            "event": "payment.failed" if number % 5 == 0 else "payment.completed",
            "distinct_id": f"p{number % 17}",
            "timestamp": (NOW - timedelta(minutes=37 * number)).isoformat(),
            "properties": {"method": methods[number % 4], "amount": number % 11},
        }
        for number in range(400)
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata"])
async def test_what_is_stored_is_what_is_asked(zone: str) -> None:
    needs = [(str(number), measuring.measures_of(spec)) for number, spec in enumerate(SPECS)]
    async with sync_stage(events(), zone=zone) as stage:
        connection = await stage.connection()
        await stage.store.commit(Swap(connection.model_copy(update={"measures": measuring.merge_measures(needs)})))
        await stage.first_sync()
        connection = await stage.connection()
        last = days.today(NOW, zone)
        for spec in SPECS:
            stored = await reading.read(stage.app, connection, spec, days=5, now=NOW)
            asked = await asking.ask(stage.app, connection, spec, last - timedelta(days=4), last)
            assert len(asked) >= 1, spec
            assert [series.value for series in stored] == [series.value for series in asked], spec
            for one, other in zip(stored, asked, strict=True):
                assert dict(zip(one.begins, one.values, strict=True)) == pytest.approx(
                    dict(zip(other.begins, other.values, strict=True))
                ), spec
                assert (one.silent, one.name, one.seconds) == (other.silent, other.name, other.seconds)
                assert any(one.values)
