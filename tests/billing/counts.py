"""Every count that `hedgerow cost` multiplies, measured: `python -m tests.billing.counts` writes the file."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.cli.operations.costs import files
from hedgerow.cli.operations.costs.files import Assumption, Count, Counts
from hedgerow.models import ProjectSlot, SyncRun
from hedgerow.tallies import CaptureCount
from tests.billing import flows, syncs
from tests.billing.bill import VAULTS, Operations, mean
from tests.functions.capture.accept_room import room as capture_room
from tests.functions.capture.redelivery_room import events
from tests.sync_stage import sync_stage

if TYPE_CHECKING:
    from hedgerow.records import Record

STEP = 100
"""Sizes are rounded up to so many bytes."""

ASSUMED = {
    "event_bytes": (1_000, "An event as it is sent on, of the web SDK's size."),
    "events_in_a_request": (10, "Events that an SDK sends together; browsers send fewer, servers more."),
    "kept_share": (0.001, "Of the requests, those that PostHog does not take at once."),
    "seconds_known": (10, "How long an instance remembers a project: functions/capture/projects.py."),
    "seconds_of_a_capture": (0.02, "Of an instance, for one request of several at a time."),
    "seconds_of_a_sync": (1.0, "Of an instance: three seconds of waiting for PostHog, three syncs at a time."),
    "seconds_of_a_judgement": (0.2, "Of an instance, for the rules of one connection."),
    "seconds_of_a_message": (0.5, "Of an instance, waiting for a chat."),
    "seconds_of_a_tick": (0.3, "Of an instance, for a tick that finds nothing."),
    "uptime_calls": (8_640, "Calls of the uptime check a day: every minute, from six places of Google's."),
    "seconds_of_an_uptime_call": (0.1, "Of an instance: a tenth of a second is the least that is billed."),
    "query_bytes": (12_000, "Sent to PostHog by one sync: the query's text, headers, TLS."),
    "message_bytes": (4_000, "Sent to a chat by one message."),
    "log_bytes_per_call": (2_000, "Our lines and the platform's own of one request."),
    "incidents_of_a_rule": (1, "Incidents that one rule opens in a month."),
    "messages_of_an_incident": (2, "Opened and resolved, in one channel."),
    "month_bytes": (40_000, "A month of a connection's points: two hundred series."),
    "months_kept": (12, "Months of history, after a year."),
    "run_days": (90, "Days a run is kept: functions/sync/retention.py."),
    "activity_days": (90, "Days an activity is kept: hedgerow/activity.py."),
    "count_days": (400, "Days an hour's counts are kept: functions/sync/retention.py."),
    "index_factor": (1.5, "Document names, field names and index entries beside the values."),
    "busy_hour": (4, "Times the average hour: above it the alert about costs rings."),
}


async def measured() -> Counts:
    """Everything, measured now."""
    counted = {**await _of_syncs(), **await _of_others()}
    return Counts(
        counted={name: _count(cost) for name, cost in counted.items()},
        stored=await _sizes(),
        assumed={name: Assumption(value=value, why=why) for name, (value, why) in ASSUMED.items()},
    )


async def _of_syncs() -> dict[str, Operations]:
    """Where the last days touch two months, as on most days of a month: the dearer case, and the same for every sync."""
    day = await syncs.quiet_day(SqliteStore(":memory:"), "secret_manager", syncs.TWO_MONTHS, hours=3)
    new = {vault: (await syncs.with_new_points(SqliteStore(":memory:"), vault)).cost for vault in VAULTS}
    some, none = await syncs.tick_over(syncs.DUE), await syncs.tick_over(0)
    # What is due takes the place of the least that a question costs.
    due = (some - none + Operations(reads=1)).times(1 / syncs.DUE)
    return {
        "sync_quiet": mean([each.cost for each in day if each.is_idle]),
        "sync_new": new["secret_manager"],
        "sealed_instead": new["sealed"] - new["secret_manager"],
        "due_in_tick": due,
        "sync_tick": none,
    }


async def _of_others() -> dict[str, Operations]:
    lookup, counting = await flows.lookup_and_count()
    kept, redelivered = await flows.kept_and_redelivered()
    one, five = await flows.evaluation(1), await flows.evaluation(5)
    return {
        "alerts_tick": await flows.alerts_tick(),
        "redeliver_tick": await flows.redeliver_tick(),
        "retention_tick": await flows.retention_tick(),
        "capture_lookup": lookup,
        "capture_count": counting,
        "kept": kept,
        "redelivered": redelivered,
        "judged": await flows.evaluation(0),
        "judged_by_one": one,
        "judged_by_more": (five - one).times(1 / 4),
        "incident": await flows.incident(),
        "notification": await flows.notification(),
        "activity": await flows.activity(),
        "run_forgotten": await flows.run_forgotten(),
        "trimmed": await flows.trimmed(),
    }


async def _sizes() -> dict[str, int]:
    async with sync_stage([syncs.event(syncs.TWO_MONTHS)], tier="scale", now=syncs.TWO_MONTHS) as stage:
        await stage.first_sync()
        stage.posthog.clock.advance(timedelta(hours=1))
        await stage.tick()
        found: dict[str, Record] = {"connection": await stage.connection(), "activity": (await stage.activity())[0]}
        found["run"] = (await stage.store.find(SyncRun)).items[0]
        found["slot"] = (await stage.store.find(ProjectSlot)).items[0]
    async with capture_room() as capture:
        token = await capture.project()
        (await capture.v0(token, [*events(1), *events(1, "seen"), *events(1, "left")])).raise_for_status()
        await capture.host.counts.flush()
        found["capture_count"] = (await capture.stage.store.find(CaptureCount)).items[0]
    return {name: -(-len(record.model_dump_json()) // STEP) * STEP for name, record in found.items()}


def _count(cost: Operations) -> Count:
    return Count(**{name: round(number, 3) for name, number in asdict(cost).items()})


if __name__ == "__main__":
    files.COUNTS.write_text(files.written(asyncio.run(measured())), encoding="utf-8")
