"""Measures: numbers that the catalogue has not, asked for by alert rules, and made by the sync's own query.

Owns what a measure is and what its series are called. The HogQL is `functions/sync`'s; the
meaning of a series to a rule is `functions/alerts`'.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from hedgerow.parts import Part
from hedgerow.records import derived_id

MEASURE_PREFIX = "measure:"
MOST_VALUES = 20
MOST_MEASURES = 40

Scalar = str | int | float | bool
Math = Literal["count", "persons", "sum", "avg", "p95"]
Grain = Literal["hour", "day"]


class Filter(Part):
    """One property an event must have: any of these values."""

    property: str = Field(min_length=1, max_length=200)
    values: tuple[Scalar, ...] = Field(min_length=1, max_length=50)


class Measure(Part):
    """One number an event is asked for, by local day and, where `hourly`, by hour too.

    `event` None: every event. `of` is the numeric property of `sum`, `avg` and `p95`. `by`
    breaks it down by a property, into the `MOST_VALUES` values most frequent in the window.
    """

    event: str | None = Field(default=None, min_length=1, max_length=400)
    where: tuple[Filter, ...] = Field(default=(), max_length=10)
    math: Math = "count"
    of: str | None = Field(default=None, min_length=1, max_length=200)
    by: str | None = Field(default=None, min_length=1, max_length=200)
    hourly: bool = False

    @property
    def id(self) -> str:
        """The same for the same question, hourly or not: two rules share one measure."""
        told = self.model_dump(mode="json", exclude={"hourly"})
        return derived_id("msr", json.dumps(told, sort_keys=True))

    def series(self, value: str | None = None) -> str:
        """The name its series has in months and hours; with the value of the breakdown, where it has one."""
        return f"{MEASURE_PREFIX}{self.id}" if self.by is None else f"{MEASURE_PREFIX}{self.id}:{value}"
