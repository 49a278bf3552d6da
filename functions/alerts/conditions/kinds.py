"""The conditions' settings, one class a kind, and their union. To add a kind: a class here, and its name at the foot."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# Squares of it fit a float; what a back-test chooses from points of 1e100 lies below it.
LARGEST = 1e120
LEAST_SENSITIVITY = 0.5

_Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Threshold(_Settings):
    """Above or below a number; with both, outside of the band between them; `inside` turns that round.

    `recover_below` and `recover_above` end it; without them the firing number does.
    """

    kind: Literal["threshold"] = "threshold"
    above: _Number | None = None
    below: _Number | None = None
    inside: bool = False
    recover_below: _Number | None = None
    recover_above: _Number | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.above is not None and self.below is not None and self.above <= self.below:
            raise ValueError("contradicts itself: `above` must be more than `below`")
        if self.inside and (self.above is None or self.below is None):
            raise ValueError("needs both `below` and `above` to be inside of")
        if self.recover_below is not None and (self.above is None or self.recover_below > self.above):
            raise ValueError("has a `recover_below` that is not at or below `above`")
        if self.recover_above is not None and (self.below is None or self.recover_above < self.below):
            raise ValueError("has a `recover_above` that is not at or above `below`")
        return self


class Change(_Settings):
    """Against an earlier number: the bucket before, the same weekday (and hour) a week before, or a trailing mean."""

    kind: Literal["change"] = "change"
    against: Literal["previous", "same_weekday", "trailing_mean"] = "same_weekday"
    direction: Literal["drop", "rise", "both"] = "both"
    percent: float | None = Field(default=None, ge=0.001, le=100_000)
    absolute: float | None = Field(default=None, ge=1e-9, le=LARGEST)
    periods: int = Field(default=7, ge=1, le=90, description="Buckets of the trailing mean.")
    minimum: float = Field(default=0, ge=0, le=LARGEST, description="Silent while both numbers are below this.")


class Anomaly(_Settings):
    """Outside of what is usual at this weekday and hour: median and MAD, trend-aware."""

    kind: Literal["anomaly"] = "anomaly"
    sensitivity: float = Field(
        default=0.0, ge=0, le=50, description="How many MADs are unusual, from 0.5; 0: the default."
    )
    direction: Literal["drop", "rise", "both"] = "both"
    minimum: float = Field(
        default=0, ge=0, le=LARGEST, description="Silent while observed and expected are below this."
    )

    @field_validator("sensitivity")
    @classmethod
    def _is_worth_it(cls, sensitivity: float) -> float:
        if 0 < sensitivity < LEAST_SENSITIVITY:
            raise ValueError(f"is below {LEAST_SENSITIVITY}: it would fire on the usual; write 0 for the default")
        return sensitivity


class NoData(_Settings):
    """Nothing arrived for this many whole buckets: no point, or zero."""

    kind: Literal["no_data"] = "no_data"
    buckets: int = Field(default=2, ge=1, le=365)
    zero_is_none: bool = True


class NewValue(_Settings):
    """A value of the breakdown (in a file: of the column) that was not seen in the `days` before."""

    kind: Literal["new_value"] = "new_value"
    days: int = Field(default=30, ge=1, le=365)


class StaleFlag(_Settings):
    """A feature flag nobody called, or that gave one and the same answer to everybody, for this many days."""

    kind: Literal["stale_flag"] = "stale_flag"
    days: int = Field(default=30, ge=2, le=365)


Condition = Annotated[
    Threshold | Change | Anomaly | NoData | NewValue | StaleFlag,
    Field(discriminator="kind"),
]
