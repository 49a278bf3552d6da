"""The two files that a bill is made of: prices, with their date, and counts, each as it is measured by the tests."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).resolve().parent
PRICES, COUNTS = HERE / "prices-2026-11-21.json", HERE / "counts.json"
OLD = timedelta(days=183)

Region = Literal["europe-west1", "us", "eur3"]
REGIONS: tuple[Region, ...] = get_args(Region)


class Price(BaseModel):
    """USD for `per` units, by region; `free` units of each day or month cost nothing, in the regions of `free_in`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: dict[Region, float]
    per: float
    free: float
    free_each: Literal["day", "month"]
    free_in: tuple[Region, ...] = REGIONS
    verified: bool

    def of(self, units_a_day: float, days: int, region: Region) -> float:
        """USD for a month of `days` days with so many units each; what is free each day does not add up."""
        free = self.free if region in self.free_in else 0
        is_daily = self.free_each == "day"
        billed = max(0.0, units_a_day - free) * days if is_daily else max(0.0, units_a_day * days - free)
        return billed / self.per * self.usd[region]


class Prices(BaseModel):
    """Every price by its name, and the day on which they were looked up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dated: date
    about: str
    prices: dict[str, Price]

    def are_old(self, today: date) -> bool:
        """Older than half a year: look them up again."""
        return today - self.dated > OLD


class Count(BaseModel):
    """Billed operations of one thing done; fields that are left out are 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: float = 0
    writes: float = 0
    deletes: float = 0
    messages: float = 0
    accesses: float = 0

    def __add__(self, other: Count) -> Count:
        return Count(**{name: getattr(self, name) + getattr(other, name) for name in Count.model_fields})

    def times(self, number: float) -> Count:
        """That many of it."""
        return Count(**{name: getattr(self, name) * number for name in Count.model_fields})


class Assumption(BaseModel):
    """A number that no test counts, and why it is what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    why: str


class Counts(BaseModel):
    """What was counted, and the size of what is stored, in bytes; what is assumed beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counted: dict[str, Count]
    stored: dict[str, int]
    assumed: dict[str, Assumption]

    def assume(self, name: str) -> float:
        """The number assumed under this name."""
        return self.assumed[name].value


@cache
def prices(path: Path = PRICES) -> Prices:
    """The prices of this release."""
    return Prices.model_validate_json(path.read_bytes())


@cache
def counts(path: Path = COUNTS) -> Counts:
    """The counts of this release."""
    return Counts.model_validate_json(path.read_bytes())


def written(kept: Counts) -> str:
    """The file's text for these counts; zeros are left out."""
    shown = kept.model_dump(exclude_defaults=True)
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
