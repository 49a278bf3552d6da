"""Every class of record that Hedgerow keeps: one for each collection, and the partial views beside them.

Named one by one, so that a search finds them; `tests/unit/cli/test_cli_collections.py`
walks the whole code and fails where a class is missing here.
"""

from __future__ import annotations

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


def every_record() -> tuple[type[Record], ...]:
    """The full class of each collection, by the collection's name."""
    return _sorted(
        Activity,
        AlertRule,
        ApiKey,
        CaptureCount,
        CaptureRules,
        CatalogVersion,
        ChangeSet,
        Channel,
        Connection,
        DeadMessage,
        Delivery,
        DeliveryChunk,
        DrainLease,
        HourMonth,
        Incident,
        KeptSchedule,
        LastAnswer,
        MetricMonth,
        Notification,
        ProjectSlot,
        PurgeReceipt,
        QueryText,
        RetentionWalk,
        RuleState,
        SealedSecret,
        SecretDraft,
        SigningKey,
        SyncRun,
        Tenant,
        Thread,
        TokenClaim,
        Webhook,
    )


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
