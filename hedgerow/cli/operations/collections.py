"""Every class of record that Hedgerow keeps, with whose its records are, and the partial views beside them.

Named one by one, so that a search finds them; `tests/unit/cli/test_cli_collections.py`
walks the whole code and fails where a class is missing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from functions.alerts.incidents.ticking import OverdueConnection, TroubledConnection
from functions.alerts.pages.signing_key import SigningKey
from functions.alerts.records import AlertRule, Channel, Incident, Notification, RuleState, Thread, Webhook
from functions.alerts.series.standing import PendingDelivery
from functions.capture.outbox.lying import LyingDelivery
from functions.capture.outbox.waiting import WaitingDelivery as StuckDelivery
from functions.capture.redelivery.backlog import DueDelivery
from functions.capture.redelivery.drain_lease import DrainLease
from functions.sync.outbox_retention import ExpiringChunk, ExpiringDelivery
from functions.sync.ticking import DueConnection
from hedgerow import alert_traces
from hedgerow.activity import Activity
from hedgerow.capture_rules import CaptureRules, CatalogVersion
from hedgerow.dead_letters import DeadMessage
from hedgerow.deliveries import Delivery, DeliveryChunk, DeliveryStory, WaitingDelivery
from hedgerow.drafts import SecretDraft
from hedgerow.hours import HourMonth
from hedgerow.last_answers import LastAnswer
from hedgerow.models import (
    ApiKey,
    ChangeSet,
    Connection,
    MetricMonth,
    ProjectSlot,
    PurgeReceipt,
    QueryText,
    RetentionWalk,
    SyncRun,
    Tenant,
    TokenClaim,
)
from hedgerow.records import Record
from hedgerow.schedules import KeptSchedule
from hedgerow.sealed_secrets import SealedSecret
from hedgerow.tallies import CaptureCount

Belonging = Literal["tenant", "connection", "secret", "installation", "passing"]
"""`tenant`, `connection`: by the field `tenant_id`, `connection_id`; a Tenant by its own id. `secret`: by the name of
what it opens. `installation`: only in an export of everything. `passing`: leases, cursors and keys of the place itself,
never exported: the new place makes its own."""

BELONGS: Mapping[type[Record], Belonging] = {
    Activity: "tenant",
    AlertRule: "connection",
    ApiKey: "tenant",
    CaptureCount: "connection",
    CaptureRules: "connection",
    CatalogVersion: "connection",
    ChangeSet: "connection",
    Channel: "tenant",
    Connection: "tenant",
    DeadMessage: "installation",
    Delivery: "connection",
    DeliveryChunk: "connection",
    DrainLease: "passing",
    HourMonth: "connection",
    Incident: "connection",
    KeptSchedule: "passing",
    LastAnswer: "connection",
    MetricMonth: "connection",
    Notification: "tenant",
    ProjectSlot: "passing",
    PurgeReceipt: "tenant",
    QueryText: "connection",
    RetentionWalk: "passing",
    RuleState: "connection",
    SealedSecret: "secret",
    SecretDraft: "passing",
    SigningKey: "passing",
    SyncRun: "connection",
    Tenant: "tenant",
    Thread: "connection",
    TokenClaim: "connection",
    Webhook: "tenant",
}


def every_record() -> tuple[type[Record], ...]:
    """The full class of each collection, by the collection's name."""
    return _sorted(*BELONGS)


def views() -> tuple[type[Record], ...]:
    """The partial classes: fewer fields of the records of a collection, with indexes that count too."""
    return _sorted(
        DeliveryStory,
        DueConnection,
        DueDelivery,
        ExpiringChunk,
        ExpiringDelivery,
        LyingDelivery,
        OverdueConnection,
        PendingDelivery,
        StuckDelivery,
        TroubledConnection,
        WaitingDelivery,
        alert_traces.ChannelTrace,
        alert_traces.IncidentTrace,
        alert_traces.NotificationTrace,
        alert_traces.RuleStateTrace,
        alert_traces.RuleTrace,
        alert_traces.ThreadTrace,
        alert_traces.WebhookTrace,
    )


def _sorted(*kinds: type[Record]) -> tuple[type[Record], ...]:
    return tuple(sorted(kinds, key=lambda kind: (kind.collection, kind.__qualname__)))
