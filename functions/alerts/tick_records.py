"""The alerts' records at rest that time and crashes leave due: where rules stand, incidents, notifications, webhooks.

A tick that finds nothing starts with these alone; a rule, whose many classes of series
and conditions cost such a start more than all of them, is in `records`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from functions.alerts.severity import Severity
from hedgerow.activity import ActivityKind
from hedgerow.models import Trouble
from hedgerow.parts import Part
from hedgerow.records import Index, Instant, Record
from hedgerow.traces import Traced

IncidentState = Literal["open", "resolved"]
Phase = Literal["quiet", "pending", "open"]
StepKind = Literal[
    "opened",
    "worse",
    "acknowledged",
    "snoozed",
    "rated",
    "edited",
    "corrected",
    "resolved",
    "held",
    "notified",
    "not_notified",
]
NotificationKind = Literal[
    "opened", "worse", "acknowledged", "snoozed", "resolved", "digest", "test", "told", "activity"
]
NotificationState = Literal["pending", "sending", "sent", "folded", "dead"]

ALL = "all"
"""The tenant of the operator's own webhooks."""


class Mark(Part):
    """What was said of one bucket."""

    bucket: int
    firing: bool
    recovered: bool = False


class LastVerdict(Part):
    """The newest verdict, as the API shows it."""

    state: Literal["firing", "not_firing", "waiting", "errored"]
    reason: str
    sentence: str
    at: Instant
    bucket: int | None = None
    observed: float | None = None
    low: float | None = None
    high: float | None = None


class RuleState(Record):
    """Where a rule stands, once for each value of its breakdown. Its id is derived from both.

    An incident is opened in the commit that swaps this record, which therefore is what
    keeps a rule to one open incident.
    """

    collection = "rule_states"
    indexes = (Index("rule_id"), Index("connection_id"), Index("due_at"))

    tenant_id: str
    connection_id: str
    rule_id: str
    value: str | None = None
    revision: int
    phase: Phase = "quiet"
    marks: tuple[Mark, ...] = ()
    firing_before: Instant | None = Field(
        default=None, description="Begin of the firing the newest forgotten mark was in; None: it did not fire."
    )
    firing_since: Instant | None = None
    incident_id: str | None = None
    opened: int = Field(default=0, description="Incidents opened so far; the next one's id is derived from it.")
    resolved_at: Instant | None = None
    snoozed_until: Instant | None = None
    last: LastVerdict | None = None
    due_at: Instant | None = Field(default=None, description="When time alone may change the verdict.")


class Step(Part):
    """One line of an incident's timeline. `by` is a key's label, a channel's name, or empty for Hedgerow itself."""

    at: Instant
    kind: StepKind
    sentence: str
    by: str = ""


class Incident(Traced, Record):
    """The stretch from first firing to resolved. Kept 400 days."""

    collection = "incidents"
    indexes = (
        Index("tenant_id", "-opened_at"),
        Index("tenant_id", "state", "-opened_at"),
        Index("connection_id", "-opened_at"),
        Index("rule_id", "-opened_at"),
        Index("opened_at"),
    )

    tenant_id: str
    connection_id: str
    rule_id: str
    rule_name: str
    connection_name: str
    value: str | None = None
    state: IncidentState = "open"
    severity: Severity
    since: Instant = Field(description="Begin of the first firing bucket.")
    opened_at: Instant
    resolved_at: Instant | None = None
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    snoozed_until: Instant | None = None
    sentence: str = Field(description="What is wrong, at its newest.")
    bucket: int | None = None
    observed: float | None = None
    low: float | None = None
    high: float | None = None
    peak: float | None = None
    sureness: float = 1.0
    on_incomplete: bool = Field(default=False, description="It was opened by data that was not complete.")
    was_corrected: bool = Field(default=False, description="It closed because late data moved the number.")
    channels: tuple[str, ...] = Field(default=(), description="Where it was told when it opened.")
    rated_useful: bool | None = Field(default=None, description="Whether somebody said that it was worth telling.")
    rated_by: str | None = None
    timeline: tuple[Step, ...] = Field(default=(), max_length=200)


class Notification(Traced, Record):
    """One thing to tell one channel (or webhook), written with the change it tells of, then claimed and sent.

    Its id is derived from what is told and to whom. `subject_id` is the incident, the
    activity, the digest or the test. Kept 30 days.
    """

    collection = "notifications"
    indexes = (
        Index("due_at"),
        Index("subject_id"),
        Index("connection_id"),
        Index("connection_id", "due_at"),
        Index("channel_id", "-created_at"),
        Index("channel_id", "state", "created_at"),
        Index("created_at"),
    )

    tenant_id: str
    connection_id: str | None = None
    channel_id: str
    subject_id: str
    rule_id: str | None = None
    step: int = Field(default=0, description="Of the incident: which line of its timeline.")
    kind: NotificationKind
    severity: Severity = "warning"
    state: NotificationState = "pending"
    created_at: Instant
    due_at: Instant | None = Field(default=None, description="Pending: when to send. Sending: when its claim ends.")
    claimed_by: str | None = None
    attempts: int = 0
    members: tuple[str, ...] = Field(default=(), description="Notifications folded into this one's message.")
    sent_at: Instant | None = None
    trouble: Trouble | None = None


class Thread(Record):
    """Where an incident's message is in a channel, for editing and replying. Its id is derived from both."""

    collection = "chat_threads"
    indexes = (Index("connection_id"),)

    connection_id: str
    reference: dict[str, str] = Field(description="The service's own: a `ts`, a message id, a thread's name.")
    incident_ids: tuple[str, ...] = Field(default=(), description="Every incident the message tells of, in its order.")
    told_at: Instant


class Webhook(Record):
    """Who is told what happens, by Standard Webhooks. `tenant_id` is `all` for the operator's own."""

    collection = "webhooks"
    indexes = (Index("tenant_id", "-created_at"), Index("due_at"))

    tenant_id: str
    kinds: tuple[ActivityKind, ...] = Field(default=(), description="Empty: every kind.")
    secret_ref: str
    shown: str
    disabled_at: Instant | None = None
    trouble: Trouble | None = None
    rotated_at: Instant | None = Field(default=None, description="The signing secret before signs too for a day.")
    created_at: Instant
    due_at: Instant | None = Field(default=None, description="When to go on with its queue, or when its claim ends.")
    claimed_by: str | None = None
    queued: int = Field(default=0, description="Entries queued so far: whoever lets go sees that one came meanwhile.")
