"""What the rules API takes and shows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from functions.alerts.conditions.kinds import Condition
from functions.alerts.records import AlertRule, LastVerdict, Phase, RuleState
from functions.alerts.rules.templates import Setting
from functions.alerts.severity import Severity
from functions.alerts.spec import Policy, SeriesSpec
from hedgerow.foreign import Shown
from hedgerow.records import Instant


class TemplateWanted(BaseModel):
    """A rule from a template; what is given beside it replaces the template's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(min_length=1, max_length=60)
    set: dict[str, Setting] = Field(default={}, max_length=20)
    name: Shown | None = Field(default=None, min_length=1, max_length=120)
    severity: Severity | None = None
    policy: Policy | None = None
    channels: tuple[str, ...] = Field(default=(), max_length=20)
    enabled: bool = True


class SnoozeWanted(BaseModel):
    """How long to be quiet; 0 ends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: int = Field(ge=0, le=43_200)


class TemplateView(BaseModel):
    """A template. `settings`: what may be set, with what it is otherwise."""

    name: str
    title: str
    about: str
    severity: Severity
    settings: dict[str, Setting | None]


class Standing(BaseModel):
    """Where a rule stands, for each value of its breakdown."""

    value: str | None
    phase: Phase
    incident_id: str | None
    snoozed_until: Instant | None
    last: LastVerdict | None


class RuleView(BaseModel):
    """A rule. `late` says in words how late it can be on this tier."""

    id: str
    connection_id: str
    name: str
    series: SeriesSpec
    condition: Condition
    policy: Policy
    severity: Severity
    channels: tuple[str, ...] = Field(description="Ids; empty: the tenant's default channel.")
    enabled: bool
    template: str | None
    snoozed_until: Instant | None
    useful: int
    useless: int
    created_at: Instant
    updated_at: Instant
    late: str
    standing: tuple[Standing, ...] = ()


class RuleSaved(RuleView):
    """A rule just saved: what it would have done, where it will tell, and what is fetched for it."""

    forecast: str
    told: str
    backfill_run_id: str | None = Field(description="The run that measures the days before, where there was none.")


class RulePage(BaseModel):
    """A connection's rules, by name."""

    items: list[RuleView]
    next_cursor: str | None = None


class TemplatePage(BaseModel):
    """Every template."""

    items: list[TemplateView]


def rule_view(rule: AlertRule, late: str, states: tuple[RuleState, ...] = ()) -> RuleView:
    """What the API shows of a rule."""
    standing = tuple(
        Standing(
            value=state.value,
            phase=state.phase,
            incident_id=state.incident_id,
            snoozed_until=state.snoozed_until,
            last=state.last,
        )
        for state in sorted(states, key=lambda state: state.value or "")
    )
    shown = set(RuleView.model_fields) & set(AlertRule.model_fields)
    return RuleView(**{name: getattr(rule, name) for name in shown}, late=late, standing=standing)
