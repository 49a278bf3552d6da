"""The alerts' records at rest: rules and channels, and those of `tick_records` by the same name."""

from __future__ import annotations

from pydantic import Field

from functions.alerts.conditions.kinds import Condition
from functions.alerts.severity import Severity
from functions.alerts.spec import Policy, SeriesSpec
from functions.alerts.tick_records import (
    ALL,
    Incident,
    IncidentState,
    LastVerdict,
    Mark,
    Notification,
    NotificationKind,
    NotificationState,
    Phase,
    RuleState,
    Step,
    StepKind,
    Thread,
    Webhook,
)
from hedgerow.channels.notice import ChannelKind
from hedgerow.models import Trouble
from hedgerow.records import Index, Instant, Record

__all__ = [
    "ALL",
    "AlertRule",
    "Channel",
    "Incident",
    "IncidentState",
    "LastVerdict",
    "Mark",
    "Notification",
    "NotificationKind",
    "NotificationState",
    "Phase",
    "RuleState",
    "Step",
    "StepKind",
    "Thread",
    "Webhook",
]


class AlertRule(Record):
    """A condition over a series of one connection. `revision` counts the edits that change what is judged."""

    collection = "alert_rules"
    indexes = (Index("connection_id", "name"), Index("tenant_id", "-created_at"))

    tenant_id: str
    connection_id: str
    name: str
    series: SeriesSpec
    condition: Condition
    policy: Policy = Policy()
    severity: Severity = "warning"
    channels: tuple[str, ...] = Field(default=(), description="Channels' ids; empty: the tenant's default channel.")
    enabled: bool = True
    template: str | None = None
    revision: int = 1
    snoozed_until: Instant | None = None
    useful: int = Field(default=0, description="People who said so of its incidents, or acknowledged one.")
    useless: int = 0
    created_at: Instant
    updated_at: Instant


class Channel(Record):
    """Where people are told. Its address and secrets are in the vault, as one JSON object."""

    collection = "channels"
    indexes = (Index("tenant_id", "name"),)

    tenant_id: str
    name: str
    kind: ChannelKind
    secret_ref: str
    shown: str = Field(description="What may be shown of the address: the host.")
    slack_channel: str | None = None
    weekly_budget: int | None = Field(default=None, ge=1, description="Messages a week; above it comes a digest.")
    disabled_at: Instant | None = None
    trouble: Trouble | None = None
    rotated_at: Instant | None = Field(default=None, description="The signing secret before signs too for a day.")
    created_at: Instant
