"""The kinds of records that a connection leaves, in the order they are purged. Apart, for a purge with nothing to do loads none."""

from __future__ import annotations

from hedgerow import alert_traces
from hedgerow.activity import Activity
from hedgerow.capture_rules import CaptureRules, CatalogVersion
from hedgerow.deliveries import Delivery, DeliveryChunk
from hedgerow.hours import HourMonth
from hedgerow.last_answers import LastAnswer
from hedgerow.models import ChangeSet, MetricMonth, QueryText, SyncRun
from hedgerow.records import Record
from hedgerow.tallies import CaptureCount

KINDS: tuple[type[Record], ...] = (
    SyncRun,
    MetricMonth,
    HourMonth,
    QueryText,
    ChangeSet,
    Delivery,
    DeliveryChunk,
    CaptureCount,
    CaptureRules,
    CatalogVersion,
    LastAnswer,
    Activity,
    *alert_traces.OF_A_CONNECTION,
)
# Each of these may weigh as much as a document can.
HEAVY: tuple[type[Record], ...] = (Delivery, DeliveryChunk, LastAnswer, HourMonth)
