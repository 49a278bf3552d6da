"""From connections, events and rules to a month's bill, line by line. Pure.

A month has 31 days, the longest, so that no bill is larger than what was said. Operations
are multiplied from the counts; what no test can count (seconds, sizes of events) is
assumed, and named so in the counts' file.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Literal

from hedgerow.cli.operations.costs.files import Count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hedgerow.cli.operations.costs.files import Counts, Prices, Region
    from hedgerow.models import Tier

DAYS = 31
DAY_SECONDS = 86_400
MEMORY_GIB = 0.5
VCPUS = 1.0
MESSAGE_BYTES = 1_000
"""Pub/Sub counts at least 1 KB of each message, once when it is published and once when it is delivered."""
OWN_SECRETS = 2
"""The admin key and the sealing key."""

VaultKind = Literal["secret_manager", "sealed"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to reckon. `events_a_day` are those of all connections together, `rules` those of each one."""

    connections: int
    tier: Tier
    syncs_a_day: float
    forgets: bool
    """The tier keeps days for a time only: retention looks at each of its connections every hour."""
    ticks_a_day: Mapping[str, float]
    """Schedules: how often each target is called."""
    jobs: int
    events_a_day: float = 0
    rules: int = 0
    region: Region = "europe-west1"
    vault: VaultKind = "secret_manager"
    min_instances: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: units a month, and what they cost after what is free."""

    name: str
    units: float
    unit: str
    usd: float
    verified: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What one cause adds to the operations of a day."""

    name: str
    count: Count
    calls: float = 0
    """Requests to functions."""
    seconds: float = 0
    """Of instances, for all of them."""
    out_bytes: float = 0
    """To the internet."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A variable of Terraform's alert about costs: what an hour needs on average, and above what to ring."""

    variable: str
    per_hour: float
    limit: int


LINES: tuple[tuple[str, str, str], ...] = (
    ("firestore_reads", "Firestore reads", "reads"),
    ("firestore_writes", "Firestore writes", "writes"),
    ("firestore_deletes", "Firestore deletes", "deletes"),
    ("firestore_storage", "Firestore storage", "bytes"),
    ("pubsub_bytes", "Pub/Sub", "bytes"),
    ("requests", "Functions: requests", "requests"),
    ("vcpu_seconds", "Functions: vCPU", "vCPU-s"),
    ("gib_seconds", "Functions: memory", "GiB-s"),
    ("idle_vcpu_seconds", "Minimum instances: vCPU", "vCPU-s"),
    ("idle_gib_seconds", "Minimum instances: memory", "GiB-s"),
    ("scheduler_jobs", "Cloud Scheduler", "jobs"),
    ("secret_versions", "Secret Manager: versions", "versions"),
    ("secret_accesses", "Secret Manager: accesses", "accesses"),
    ("log_bytes", "Cloud Logging", "bytes"),
    ("egress_bytes", "Egress", "bytes"),
)

LIMITS = (
    ("firestore_reads", "cost_reads_per_hour"),
    ("firestore_writes", "cost_writes_per_hour"),
    ("requests", "cost_requests_per_hour"),
)
LEAST_LIMIT = 50_000
"""So many writes, the dearest, are five cents in the United States."""


def bill(wish: Wish, counts: Counts, prices: Prices) -> tuple[Line, ...]:
    """Every line, also those of nothing."""
    units = units_a_day(wish, counts)
    return tuple(
        Line(
            shown,
            units[name] * DAYS,
            unit,
            prices.prices[name].of(units[name], DAYS, wish.region),
            prices.prices[name].verified,
        )
        for name, shown, unit in LINES
    )


def total(lines: tuple[Line, ...]) -> float:
    """USD a month."""
    return sum(line.usd for line in lines)


def units_a_day(wish: Wish, counts: Counts) -> dict[str, float]:
    """Units of each price on one day; what is billed by the month is a 31st of it."""
    every = parts(wish, counts)
    count = sum((part.count for part in every), Count())
    seconds, calls = sum(part.seconds for part in every), sum(part.calls for part in every)
    versions = OWN_SECRETS + (wish.connections if wish.vault == "secret_manager" else 0)
    idle = wish.min_instances * DAY_SECONDS
    return {
        "firestore_reads": count.reads,
        "firestore_writes": count.writes,
        "firestore_deletes": count.deletes,
        "firestore_storage": stored_bytes(wish, counts) / DAYS,
        "pubsub_bytes": count.messages * MESSAGE_BYTES * 2,
        "requests": calls,
        "vcpu_seconds": seconds * VCPUS,
        "gib_seconds": seconds * MEMORY_GIB,
        "idle_vcpu_seconds": idle * VCPUS,
        "idle_gib_seconds": idle * MEMORY_GIB,
        "scheduler_jobs": wish.jobs / DAYS,
        "secret_versions": versions / DAYS,
        "secret_accesses": count.accesses,
        "log_bytes": calls * counts.assume("log_bytes_per_call"),
        "egress_bytes": sum(part.out_bytes for part in every),
    }


def limits(wish: Wish, counts: Counts) -> tuple[Limit, ...]:
    """What to ring above: a busy hour has several times the average, and a few cents an hour are no alarm."""
    units = units_a_day(wish, counts)
    found = []
    for name, variable in LIMITS:
        per_hour = units[name] / 24
        wanted = max(LEAST_LIMIT, per_hour * counts.assume("busy_hour"))
        step = 10.0 ** (floor(log10(wanted)) - 1)
        found.append(Limit(variable, per_hour, int(ceil(wanted / step) * step)))
    return tuple(found)


def parts(wish: Wish, counts: Counts) -> tuple[Part, ...]:
    """A day by its causes."""
    uptime = counts.assume("uptime_calls")
    check = Part("the uptime check", Count(), uptime, uptime * counts.assume("seconds_of_an_uptime_call"))
    return (
        *_of_ticks(wish, counts),
        check,
        *_of_syncs(wish, counts),
        *_of_rules(wish, counts),
        *_of_capture(wish, counts),
    )


def busy_syncs(wish: Wish) -> float:
    """Syncs a day that find something new: as many as there are events for, at most all."""
    return min(wish.connections * wish.syncs_a_day, wish.events_a_day)


def stored_bytes(wish: Wish, counts: Counts) -> float:
    """What lies in Firestore once a year has passed, indexes included."""
    size = counts.stored
    syncs = wish.connections * wish.syncs_a_day
    bytes_kept: float = wish.connections * (size["connection"] + size["slot"])
    bytes_kept += syncs * counts.assume("run_days") * size["run"]
    bytes_kept += busy_syncs(wish) * counts.assume("activity_days") * size["activity"]
    bytes_kept += wish.connections * counts.assume("months_kept") * counts.assume("month_bytes")
    hours = min(wish.connections * 24.0, _requests(wish, counts))
    bytes_kept += hours * counts.assume("count_days") * size["capture_count"]
    return bytes_kept * counts.assume("index_factor")


def _of_ticks(wish: Wish, counts: Counts) -> tuple[Part, ...]:
    """What the schedules ask though nothing is to be done."""
    seconds = counts.assume("seconds_of_a_tick")
    return tuple(
        Part(f"{name} over nothing", counts.counted[name].times(calls), calls, calls * seconds)
        for name, calls in wish.ticks_a_day.items()
    )


def _of_syncs(wish: Wish, counts: Counts) -> tuple[Part, ...]:
    syncs, busy = wish.connections * wish.syncs_a_day, busy_syncs(wish)
    counted = counts.counted
    each = counted["due_in_tick"] + counted["run_forgotten"]
    if wish.vault == "sealed":
        each += counted["sealed_instead"]
    quiet, new = (each + counted[kind] for kind in ("sync_quiet", "sync_new"))
    synced = quiet.times(syncs - busy) + (new + counted["activity"]).times(busy)
    trimmed = counted["trimmed"].times(wish.connections * 24.0 if wish.forgets else 0)
    return (
        Part(
            "scheduled syncs",
            synced,
            syncs,
            syncs * counts.assume("seconds_of_a_sync"),
            syncs * counts.assume("query_bytes"),
        ),
        Part("retention of a tier that forgets", trimmed),
    )


def _of_rules(wish: Wish, counts: Counts) -> tuple[Part, ...]:
    """A quiet sync is judged only where a rule watches; one with something new always, for the connection's health."""
    counted = counts.counted
    syncs, busy = wish.connections * wish.syncs_a_day, busy_syncs(wish)
    if wish.rules == 0:
        judged, judging = busy, counted["judged"]
    else:
        judged, judging = syncs, counted["judged_by_one"] + counted["judged_by_more"].times(wish.rules - 1)
    told = Count(messages=1).times(syncs - busy if wish.rules else 0)
    incidents = wish.connections * wish.rules * counts.assume("incidents_of_a_rule") / DAYS
    messages = incidents * counts.assume("messages_of_an_incident")
    telling = counted["incident"].times(incidents) + counted["notification"].times(messages)
    return (
        Part("judging", judging.times(judged) + told, judged, judged * counts.assume("seconds_of_a_judgement")),
        Part(
            "telling",
            telling,
            messages,
            messages * counts.assume("seconds_of_a_message"),
            messages * counts.assume("message_bytes"),
        ),
    )


def _of_capture(wish: Wish, counts: Counts) -> tuple[Part, ...]:
    """Events forwarded at once leave a count; those that PostHog did not take at once are kept and sent again."""
    counted = counts.counted
    requests = _requests(wish, counts)
    looked_up = min(requests, wish.connections * DAY_SECONDS / counts.assume("seconds_known"))
    counting = min(requests, wish.connections * DAY_SECONDS * 1.0)
    late = requests * counts.assume("kept_share")
    count = counted["capture_lookup"].times(looked_up) + counted["capture_count"].times(counting)
    kept = (counted["kept"] + counted["redelivered"]).times(late)
    sent = wish.events_a_day * counts.assume("event_bytes")
    return (
        Part("capture", count, requests, requests * counts.assume("seconds_of_a_capture"), sent),
        Part("the outbox", kept, out_bytes=sent * counts.assume("kept_share")),
    )


def _requests(wish: Wish, counts: Counts) -> float:
    return wish.events_a_day / counts.assume("events_in_a_request") if wish.connections else 0.0
