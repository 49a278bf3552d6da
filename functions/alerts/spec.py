"""What a rule is asked for in: its series, condition and policy. The form of the API, of `hedgerow.yaml` and at rest."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from functions.alerts.conditions.kinds import Condition
from functions.alerts.severity import Severity
from hedgerow import days
from hedgerow.foreign import Shown
from hedgerow.measures import Filter, Math

SeriesGrain = Literal["hour", "day", "so_far"]
_Grain = Annotated[
    SeriesGrain,
    Field(description="`so_far`: the day under way, against the same part of the days before; counts and sums only."),
]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class MetricSeries(_Form):
    """A metric of the catalogue, by its name: `posthog_dau`, `event:order.completed`, `flag:checkout:test`."""

    kind: Literal["metric"] = "metric"
    name: str = Field(min_length=1, max_length=400)
    grain: _Grain = "day"


class EventSeries(_Form):
    """An event with filters, a math and a breakdown. `event` None: every event."""

    kind: Literal["event"] = "event"
    event: str | None = Field(default=None, min_length=1, max_length=400)
    where: tuple[Filter, ...] = Field(default=(), max_length=10)
    math: Math = "count"
    of: str | None = Field(default=None, min_length=1, max_length=200, description="The property of sum, avg and p95.")
    by: str | None = Field(default=None, min_length=1, max_length=200, description="A property to break down by.")
    grain: _Grain = "day"

    @model_validator(mode="after")
    def _has_its_property(self) -> Self:
        if (self.math in ("sum", "avg", "p95")) != (self.of is not None):
            raise ValueError("needs `of`, a numeric property, for sum, avg and p95, and for nothing else")
        return self


Plain = Annotated[MetricSeries | EventSeries, Field(discriminator="kind")]


class RatioSeries(_Form):
    """One series by the sum of others, in percent. Silent while the sum is below `minimum`.

    Failure rate: `of` payment.failed, `to` [payment.failed, payment.completed].
    """

    kind: Literal["ratio"] = "ratio"
    of: Plain
    to: tuple[Plain, ...] = Field(min_length=1, max_length=4)
    minimum: float = Field(default=20, ge=0)


class DifferenceSeries(_Form):
    """One series less another. Silent while their sum is below `minimum`."""

    kind: Literal["difference"] = "difference"
    of: Plain
    less: Plain
    minimum: float = Field(default=0, ge=0)


class SyncSeries(_Form):
    """How the sync does: intervals since the last success; needs_attention counts as very many."""

    kind: Literal["sync"] = "sync"


class BacklogSeries(_Form):
    """Capture's outbox: how old, in seconds, the oldest pending delivery is, or how many events are pending."""

    kind: Literal["backlog"] = "backlog"
    of: Literal["oldest_seconds", "events"] = "oldest_seconds"


class FlagSeries(_Form):
    """Persons by variant of one feature flag, or of every flag that is measured (key None)."""

    kind: Literal["flag"] = "flag"
    key: str | None = Field(default=None, min_length=1, max_length=400)


SeriesSpec = Annotated[
    MetricSeries | EventSeries | RatioSeries | DifferenceSeries | SyncSeries | BacklogSeries | FlagSeries,
    Field(discriminator="kind"),
]


class QuietHours(_Form):
    """Every day from one time to another in a zone: notifications below critical wait until they end."""

    begin: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        if not days.zone_exists(zone):
            raise ValueError("is no time zone; write one such as Europe/Berlin")
        return zone


class Policy(_Form):
    """When verdicts become an incident, and how loud it is. Times are in minutes."""

    fire_after: int = Field(default=1, ge=1, le=30, description="Firing verdicts needed …")
    out_of: int = Field(default=1, ge=1, le=30, description="… of the last so many, each of another bucket.")
    recover_after: int = Field(default=1, ge=1, le=30, description="Recovered verdicts in a row that resolve.")
    minimum_minutes: int = Field(default=0, ge=0, le=10_080, description="How long it must have been firing.")
    cooldown_minutes: int = Field(default=60, ge=0, le=10_080, description="No new incident so soon after one ended.")
    quiet_hours: QuietHours | None = None
    no_data: Literal["keep", "firing", "not_firing"] = Field(
        default="keep", description="What a missing newest point means: nothing changes, trouble, or all is well."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.fire_after > self.out_of:
            raise ValueError("asks for more firing verdicts (`fire_after`) than it looks at (`out_of`)")
        return self


class RuleForm(_Form):
    """A rule as it is asked for. `channels` are channels' names or ids; empty: the tenant's default channel."""

    name: Shown = Field(min_length=1, max_length=120)
    series: SeriesSpec
    condition: Condition
    policy: Policy = Policy()
    severity: Severity = "warning"
    channels: tuple[str, ...] = Field(default=(), max_length=20)
    enabled: bool = True
