"""How the API shows the books and the reconciliation, each error with its remedy. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from functions.capture.outbox import booking
from functions.capture.outbox.booking import BookError, Books
from functions.capture.outbox.differences import Difference
from hedgerow.counting_up import Hour, Sums
from hedgerow.records import Instant


class Numbers(BaseModel):
    """Events accepted, and what became of them."""

    model_config = ConfigDict(from_attributes=True)

    accepted: int
    delivered: int
    pending: int
    held: int
    dead: int


class HourNumbers(Numbers):
    """The same of one hour of acceptance."""

    hour: Instant
    balanced: bool = Field(description="accepted = delivered + pending + held + dead.")
    difference: int
    marks: dict[str, int] = Field(default_factory=dict)


class HourError(BaseModel):
    """An hour whose numbers cannot be right."""

    hour: Instant
    code: str
    detail: str
    hint: str
    difference: int


class Counts(BaseModel):
    """The counts of a span, hour by hour."""

    model_config = ConfigDict(populate_by_name=True)

    begin: Instant = Field(serialization_alias="from")
    end: Instant = Field(serialization_alias="to", description="Not included.")
    balanced: bool
    total: Numbers
    items: list[HourNumbers]
    errors: list[HourError]


class Booked(BaseModel):
    """What of an hour no instance had counted, and is counted now because it lies in the outbox."""

    hour: Instant
    pending: int
    held: int
    dead: int


class NameDifference(BaseModel):
    """A name and hour of the events' own time where PostHog does not hold what was delivered."""

    name: str
    hour: Instant
    delivered: int
    arrived: int
    difference: int = Field(description="Arrived minus delivered.")
    waiting: int = Field(description="Of the same name and hour, still pending, held or dead here.")
    explained: bool
    why: list[str]


class InPostHog(BaseModel):
    """What PostHog answered; `asked` false: nothing was compared, and why."""

    asked: bool
    code: str | None = None
    detail: str | None = None
    hint: str | None = None
    delivered: int | None = Field(default=None, description="Of ours, what was compared.")
    arrived: int | None = Field(default=None, description="In the same hours, by PostHog's count.")
    not_compared: int = Field(default=0, description="Delivered, but kept by PostHog elsewhere than among events.")
    differences: list[NameDifference] = Field(default_factory=list)
    more: int = Field(default=0, description="Further differences that are not listed.")


class Reconciliation(BaseModel):
    """The books of a span. `ok`: nothing is wrong here, and nothing that was delivered is missing unexplained."""

    model_config = ConfigDict(populate_by_name=True)

    ok: bool
    code: str
    detail: str
    hint: str
    begin: Instant = Field(serialization_alias="from")
    end: Instant = Field(serialization_alias="to", description="Not included.")
    here: Numbers
    in_outbox: dict[str, int] = Field(description="Events that lie in deliveries accepted in these hours.")
    booked: list[Booked]
    booked_now: int = Field(description="Events booked by this very call; negative where counts came late.")
    moving: list[Instant] = Field(description="Hours that were written to meanwhile, and are judged next time.")
    errors: list[HourError]
    hours: list[HourNumbers]
    posthog: InPostHog


def error_view(error: BookError) -> HourError:
    """An hour whose numbers cannot be right, and what may have happened."""
    hints = {
        "not_balanced": "Every record is written balanced: one was changed by something else than Hedgerow, or this is a bug.",
        "negative": "Events left this state more often than they entered it: one was counted out twice.",
        "not_in_outbox": "Deliveries are gone that nobody counted out; was the store restored, or a delivery removed by hand?",
        "delivered_not_counted": "Deliveries were finished and not counted out of pending.",
    }
    return HourError(
        hour=error.hour, code=error.code, detail=error.detail, hint=hints[error.code], difference=error.difference
    )


def hour_view(hour: Hour) -> HourNumbers:
    """One hour."""
    total = hour.total
    return HourNumbers(
        **_numbers(total).model_dump(),
        hour=hour.at,
        balanced=total.difference == 0,
        difference=total.difference,
        marks=hour.marks,
    )


def _numbers(sums: Sums) -> Numbers:
    return Numbers.model_validate(sums)


def total_view(hours: Iterable[Hour]) -> Numbers:
    """All hours together."""
    every = [hour.total for hour in hours]
    return Numbers(
        accepted=sum(each.accepted for each in every),
        delivered=sum(each.delivered for each in every),
        pending=sum(each.pending for each in every),
        held=sum(each.held for each in every),
        dead=sum(each.dead for each in every),
    )


def booked_view(books: Books, hour: datetime) -> Booked:
    """What of an hour was booked."""
    rows = books.booked[hour]
    return Booked.model_validate(
        {"hour": hour, **{state: sum(getattr(row, state) for row in rows) for state in booking.BOOKABLE}}
    )


def difference_view(found: Difference) -> NameDifference:
    """One name and hour that differs."""
    return NameDifference(
        name=found.name,
        hour=found.hour,
        delivered=found.delivered,
        arrived=found.arrived,
        difference=found.difference,
        waiting=found.waiting,
        explained=found.is_explained,
        why=list(found.why),
    )
