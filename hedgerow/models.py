"""The records at rest: tenants and their keys, connections, sync runs, metric months, what changed.

Each class declares the collection it lives in and the indexes it may be found by;
Terraform's index list and both stores read them here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from pydantic import Field

from hedgerow.measures import Measure
from hedgerow.parts import Part
from hedgerow.records import Index, Instant, Record
from hedgerow.traces import Traced

Tier = Literal["starter", "basic", "pro", "scale"]
Role = Literal["read", "write", "capture"]
ConnectionState = Literal["connected", "paused", "needs_attention", "disconnecting", "disconnected"]
RunState = Literal["pending", "running", "succeeded", "failed"]
RunKind = Literal["first", "refresh", "scheduled", "rezone"]
CapabilityName = Literal["reach", "authenticate", "project", "query", "feature_flags", "event_definitions", "capture"]


class Trouble(Part):
    """Something that went wrong, in the form every API answer shows it."""

    code: str
    detail: str
    hint: str


class Tenant(Record):
    """A customer of this installation."""

    collection = "tenants"
    indexes = (Index("-created_at"), Index("closing_since"))

    name: str
    tier: Tier
    activity_tracking: bool = True
    created_at: Instant
    default_channel_id: str | None = Field(
        default=None, description="Where alert rules without channels of their own tell."
    )
    closing_since: Instant | None = Field(
        default=None, description="It is being deleted: its connections are purged, then it goes."
    )


class ApiKey(Record):
    """A tenant's key to Hedgerow; only the SHA-256 of its secret half is kept."""

    collection = "api_keys"
    indexes = (Index("tenant_id", "-created_at"),)

    tenant_id: str
    label: str
    role: Role
    secret_sha256: str
    created_at: Instant
    last_used_at: Instant | None = None


class Capability(Part):
    """The verdict on one capability of a connection's keys."""

    name: CapabilityName
    ok: bool
    required: bool
    code: str
    detail: str
    hint: str


class SyncProgress(Part):
    """Where the sync of a connection stands; read and written with the connection itself."""

    last_success_at: Instant | None = None
    last_success_day: date | None = Field(default=None, description="The newest local day that success covered.")
    failures: int = Field(default=0, description="Failed runs since the last success.")
    refused: int = Field(default=0, description="Of those the scheduled ones whose findings our own store refused.")
    zone_moved_at: Instant | None = Field(default=None, description="When PostHog last named another zone.")
    heavy_at: Instant | None = Field(default=None, description="When wau, mau and new users last ran.")
    flags_at: Instant | None = Field(default=None, description="When the feature flags were last listed.")
    recheck_day: date | None = Field(default=None, description="The local day of the re-check under way.")
    rechecked: int = Field(default=0, description="Days of that month re-checked so far on `recheck_day`.")
    by_family: bool = Field(default=False, description="The combined query was too heavy: ask family by family.")
    days_per_query: int | None = Field(default=None, description="The widest span that answered, once one did not.")
    newest_event_at: Instant | None = Field(
        default=None,
        description="The newest event PostHog held when last asked: what is later may still be on its way.",
    )
    asked_at: Instant | None = Field(default=None, description="When that was.")
    slot_version: int | None = Field(
        default=None, description="The project's slot as the last run left it: the next may take it without reading it."
    )
    slot_shared: bool = Field(default=False, description="Somebody else had the slot meanwhile: read it first.")
    arrivals: tuple[float, ...] = Field(
        default=(),
        description="How late events arrive: the seconds after which each share of hedgerow.completeness.SHARES has come.",
    )


class Connection(Record):
    """Our link to one PostHog project. The personal API key is in the vault, never here."""

    collection = "connections"
    indexes = (
        Index("tenant_id", "-created_at"),
        Index("tier", "due_at"),
        Index("state", "-created_at"),
        Index("tier"),
    )

    tenant_id: str
    name: str
    host: str = Field(description="Origin of the private API, such as https://us.posthog.com.")
    ingestion_host: str | None = Field(default=None, description="Where events go, unless derived from `host`.")
    project_id: str | None = Field(default=None, description="None while the connection is capture-only.")
    project_token: str | None = None
    secret_ref: str | None = Field(default=None, description="The vault's reference of the personal API key.")
    key_since: Instant | None = Field(
        default=None, description="When that key was given; None too where an older release took it."
    )
    state: ConnectionState
    state_since: Instant
    trouble: Trouble | None = Field(default=None, description="What needs attention, or failed last.")
    capabilities: tuple[Capability, ...] = ()
    tier: Tier = Field(description="The tenant's, copied, so that a sync need not read the tenant.")
    activity_tracking: bool = Field(default=True, description="The tenant's, copied.")
    timezone: str = "UTC"
    every: timedelta | None = Field(default=None, description="A slower schedule than the tier's; never a faster one.")
    events: tuple[str, ...] = Field(default=(), description="Pinned custom events.")
    measures: tuple[Measure, ...] = Field(
        default=(), description="What alert rules need measured beside the catalogue, in the sync's own query."
    )
    is_watched: bool = Field(default=False, description="It has alert rules beside the one every connection has.")
    created_at: Instant
    due_at: Instant | None = Field(default=None, description="When a tick publishes it; None: by hand.")
    progress: SyncProgress = SyncProgress()
    disconnect_purge: bool = False
    refuse_traffic: bool = False
    finishing_until: Instant | None = Field(
        default=None, description="Disconnecting: until when somebody is at it; then a tick takes over."
    )


class TokenClaim(Record):
    """Which active connection of the installation a project token belongs to. Its id is derived from the token."""

    collection = "token_claims"

    connection_id: str
    proved: bool = Field(description="A personal key showed that the token is the project's.")
    proved_at: str = Field(default="", description="The origin that showed it: a proof is worth what its host is.")


class ProjectSlot(Record):
    """The one query slot of a PostHog project, shared by every connection to it.

    Its id is derived from host and project. The holder is a run: when that run is no
    longer running the slot is free, so letting go costs no write.
    """

    collection = "project_slots"

    holder_run_id: str | None = None
    until: Instant | None = Field(default=None, description="When the holder's lease ends, whatever became of it.")
    closed_until: Instant | None = Field(default=None, description="PostHog asked for quiet until then.")


class SyncRun(Traced, Record):
    """One pull of one connection for one window of local days, both ends included."""

    collection = "sync_runs"
    indexes = (
        Index("connection_id", "-created_at"),
        Index("connection_id", "state"),
        Index("state", "due_at"),
        Index("created_at"),
    )

    connection_id: str
    tenant_id: str
    kind: RunKind
    state: RunState
    from_day: date
    to_day: date
    created_at: Instant
    began_at: Instant | None = None
    finished_at: Instant | None = None
    due_at: Instant | None = Field(
        default=None, description="Pending: when to try (again). Running: when its lease ends. Else None."
    )
    claimed_by: str | None = Field(default=None, description="Random mark of the attempt that holds it.")
    attempts: int = 0
    waiting: tuple[str, ...] = Field(default=(), description="Runs to publish when this one ends.")
    next_part_id: str | None = Field(default=None, description="The part to publish when this one ends.")
    whole_id: str | None = Field(default=None, description="Of a part: the run the user asked for.")
    part: int = 1
    parts: int = 1
    parts_done: int = Field(default=0, description="Of a whole: how many of its parts have ended.")
    whole_from: date | None = Field(
        default=None, description="Of a part: the window asked for; event names are ranked over it."
    )
    whole_to: date | None = None
    rows: int = 0
    points: int = Field(default=0, description="Points that were new or had moved.")
    days_changed: tuple[date, ...] = ()
    requests: int = Field(default=0, description="Requests made to PostHog.")
    error: Trouble | None = None
    next_due_at: Instant | None = None


class MetricMonth(Record):
    """A month of a connection's metrics; `hedgerow.months` reads and writes what is packed in it.

    Its id is `connection_id:YYYY-MM`. Packed, because event names make poor map keys
    and a month of two hundred series must stay far below the store's document limit.
    """

    collection = "metric_months"
    indexes = (Index("connection_id", "month"), Index("month"))

    connection_id: str
    month: str
    packed: bytes
    updated_at: Instant


class QueryText(Record):
    """The text of a HogQL query that wrote points, kept as long as the points are. Id: its SHA-256."""

    collection = "query_texts"
    indexes = (Index("connection_id"),)

    connection_id: str
    text: str


class ValueChange(Part):
    """One point of a past day that moved after the day was complete."""

    metric: str
    day: date
    old: float | None
    new: float | None


def _month_changed(fields: dict[str, tuple[ValueChange, ...]]) -> str:
    changes = fields.get("changes", ())
    return f"{changes[0].day:%Y-%m}" if changes else ""


class ChangeSet(Record):
    """What one run changed in one month of complete days. Kept 400 days."""

    collection = "change_sets"
    indexes = (Index("connection_id", "-at"), Index("connection_id", "month", "-at"), Index("at"))

    connection_id: str
    run_id: str
    at: Instant
    reason: Literal["late_events_or_merges", "timezone"] = "late_events_or_merges"
    changes: tuple[ValueChange, ...]
    month: str = Field(
        default_factory=_month_changed, description="The month of the changed days, from the changes themselves."
    )


class RetentionWalk(Record):
    """How far `retention_tick` has come on a walk over connections; the next call goes on from there."""

    collection = "retention_walks"

    cursor: str


class PurgeReceipt(Record):
    """What a purge removed: collection to count, and the empty re-read that followed."""

    collection = "purge_receipts"
    indexes = (Index("tenant_id", "-at"), Index("at"))

    tenant_id: str
    connection_id: str | None = None
    at: Instant
    removed: dict[str, int]
    remaining: dict[str, int] = Field(description="Counted again afterwards: every number is 0.")
    secret_destroyed: bool
    of: Instant | None = Field(
        default=None, description="Since when the purged thing was disconnecting: a later purge of it is another one."
    )
    complete: bool = Field(default=True, description="False while the purge is under way.")
