"""Incidents as the API shows them, and what may be asked of one."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from functions.alerts.records import Incident, IncidentState, Step
from functions.alerts.severity import Severity
from hedgerow.records import Instant


class IncidentLine(BaseModel):
    """An incident in a list. Instants are UTC; `low` and `high` are the expected band."""

    id: str
    state: IncidentState
    severity: Severity
    rule_id: str
    rule: str
    connection_id: str
    connection: str
    value: str | None = Field(description="Of a breakdown: which value.")
    sentence: str = Field(description="What is, or was, wrong, with numbers.")
    since: Instant = Field(description="Begin of the first bucket that fired.")
    opened_at: Instant
    resolved_at: Instant | None
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    snoozed_until: Instant | None
    observed: float | None
    low: float | None
    high: float | None
    peak: float | None
    sureness: float
    on_incomplete: bool = Field(description="It was opened on data that was not complete.")
    was_corrected: bool = Field(description="It closed because late data moved the number.")
    rated_useful: bool | None
    channels: tuple[str, ...] = Field(description="Where it was told.")
    trace_id: str | None = Field(
        description="The trace of its log lines, from the sync that found it; None: an older one."
    )


class IncidentView(IncidentLine):
    """One incident with everything that happened to it."""

    timeline: tuple[Step, ...]


class SnoozeWanted(BaseModel):
    """Until when to be quiet: an instant, or minutes from now."""

    model_config = ConfigDict(extra="forbid")

    until: Instant | None = None
    minutes: int | None = Field(default=None, ge=1, le=43_200)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.until is None) == (self.minutes is None):
            raise ValueError("needs `until` or `minutes`, and not both")
        return self


class RateWanted(BaseModel):
    """Whether an incident was worth telling."""

    model_config = ConfigDict(extra="forbid")

    useful: bool


def line(incident: Incident) -> IncidentLine:
    """An incident in a list."""
    return IncidentLine.model_validate(_fields(incident))


def view(incident: Incident) -> IncidentView:
    """One incident, whole."""
    return IncidentView.model_validate({**_fields(incident), "timeline": incident.timeline})


def _fields(incident: Incident) -> dict[str, object]:
    told = {"rule": incident.rule_name, "connection": incident.connection_name}
    names = IncidentLine.model_fields.keys() - told.keys()
    return {name: getattr(incident, name) for name in names} | told
