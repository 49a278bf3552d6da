"""What the catalogue found, day by day: unknown events and what they resemble, violations, what is missing, how names are made.

Reads what capture counted; asks PostHog nothing and stores nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from functions.capture.catalogue.catalog_shipped import MONEY, RECOMMENDED
from functions.capture.catalogue.naming import habit_of, is_ours, lookalike, style_of
from hedgerow import counting_up, days
from hedgerow.app import App
from hedgerow.capture_rules import CatalogRules, Naming
from hedgerow.counting_up import Hour
from hedgerow.models import Connection
from hedgerow.tallies import OTHER_NAMES

MOST_DAYS = 30
MOST_NAMES = 200
_UNKNOWN, _NAMING = "catalog.unknown_event", "catalog.naming"
_VIOLATION, _DRIFT, _MISSING = "catalog.violation.", "catalog.drift.", "catalog.missing."
_KINDS = (" missing:", " type:", " enum:", " unlisted:")

ByDay = dict[str, int]


class UnknownEvent(BaseModel):
    """A name the catalogue does not know. `looks_like`: the known name it probably means."""

    name: str
    events: int
    days: ByDay
    looks_like: str | None


class Violations(BaseModel):
    """A known event that broke its rules; `words` are what was wrong, such as `missing:currency`, and how often."""

    event: str
    events: int
    days: ByDay
    words: dict[str, int]


class Recommended(BaseModel):
    """A recommended property, and how many of the events where it belongs came without it."""

    property: str
    where: str = Field(description="Where it belongs, in words.")
    events: int
    days: ByDay


class NamingReport(BaseModel):
    """How names are made. `follows`: what most do, null when no convention holds more than half of them."""

    wanted: Naming
    follows: str | None
    share: float
    names: int
    others: list[str] = Field(description="Names that follow neither what is wanted nor, without a wish, most others.")
    days: ByDay = Field(description="Events whose name did not follow what was wanted when they came.")


class CatalogReport(BaseModel):
    """The last days, oldest first; a day without a number had none."""

    model_config = ConfigDict(populate_by_name=True)

    version: int
    first: str = Field(serialization_alias="from")
    last: str = Field(serialization_alias="to")
    zone: str
    complete: bool = Field(description="False: there were more counts than were read.")
    unknown_events: ByDay = Field(description="Events the catalogue did not know when they came.")
    unknown: list[UnknownEvent]
    violations: list[Violations]
    unlisted: list[Violations] = Field(description="Properties of known events that the catalogue does not name.")
    missing: list[Recommended]
    naming: NamingReport


async def report(app: App, connection: Connection, rules: CatalogRules, length: int = MOST_DAYS) -> CatalogReport:
    """The last `length` local days, today included, judged by the catalogue that stands now."""
    last = days.today(app.now(), connection.timezone)
    first = last - timedelta(days=length - 1)
    begin, end = days.begins(first, connection.timezone), days.ends(last, connection.timezone)
    counted = await counting_up.read(app.store, connection.id, begin, end)
    made = summed(counting_up.by_hour(counted.records), rules, connection.timezone)
    return made.model_copy(update={"first": str(first), "last": str(last), "complete": counted.is_whole})


def summed(hours: Mapping[datetime, Hour], rules: CatalogRules, zone: str) -> CatalogReport:
    """The hours' counts as a report. Pure. An hour belongs to the local day it begins in."""
    by_mark: dict[str, Counter[str]] = defaultdict(Counter)
    by_name: dict[str, Counter[str]] = defaultdict(Counter)
    place = ZoneInfo(zone)
    for at, hour in hours.items():
        day = str(at.astimezone(place).date())
        for mark, number in hour.marks.items():
            if mark.startswith("catalog."):
                by_mark[mark][day] += number
        for (name, _), row in hour.rows.items():
            if row.accepted and is_ours(name) and name != OTHER_NAMES:
                by_name[name][day] += row.accepted
    known = [event.name for event in rules.events]
    violations, unlisted = _violations(by_mark, known)
    return CatalogReport(
        version=rules.version,
        first="",
        last="",
        zone=zone,
        complete=True,
        unknown_events=_days(by_mark[_UNKNOWN]),
        unknown=_unknown(by_name, known),
        violations=violations,
        unlisted=unlisted,
        missing=[
            Recommended(property=name, where=where, events=found.total(), days=_days(found))
            for names, where in ((RECOMMENDED, "on every event"), (MONEY, "where either is, or money is meant"))
            for name in names
            if (found := by_mark[_MISSING + name])
        ],
        naming=_naming(rules.naming, by_name or known, by_mark[_NAMING]),
    )


def _unknown(by_name: Mapping[str, Counter[str]], known: list[str]) -> list[UnknownEvent]:
    met = Counter({name: found.total() for name, found in by_name.items() if name not in set(known)})
    return [
        UnknownEvent(name=name, events=events, days=_days(by_name[name]), looks_like=lookalike(name, known))
        for name, events in sorted(met.items(), key=lambda each: (-each[1], each[0]))[:MOST_NAMES]
    ]


def _violations(by_mark: Mapping[str, Counter[str]], known: list[str]) -> tuple[list[Violations], list[Violations]]:
    """What broke rules, and what was only not listed; the catalogue's order first, then events it no longer has."""
    words: dict[str, Counter[str]] = defaultdict(Counter)
    strays: dict[str, Counter[str]] = defaultdict(Counter)
    stray_days: dict[str, Counter[str]] = defaultdict(Counter)
    broken = {mark.removeprefix(_VIOLATION): found for mark, found in by_mark.items() if mark.startswith(_VIOLATION)}
    for mark, found in by_mark.items():
        event, word = _drift(mark)
        if word.startswith("unlisted:"):
            strays[event][word.removeprefix("unlisted:")] += found.total()
            stray_days[event] += found
        elif word:
            words[event][word] += found.total()
    order = {name: place for place, name in enumerate(known)}

    def listed(of: Mapping[str, Counter[str]], why: Mapping[str, Counter[str]]) -> list[Violations]:
        names = sorted(of, key=lambda name: (order.get(name, len(order)), name))
        return [
            Violations(event=name, events=of[name].total(), days=_days(of[name]), words=dict(why[name].most_common()))
            for name in names
        ]

    return listed(broken, words), listed(stray_days, strays)


def _drift(mark: str) -> tuple[str, str]:
    """The event and the word of a mark such as `catalog.drift.payment.completed missing:currency`."""
    if mark.startswith(_DRIFT):
        found = mark.removeprefix(_DRIFT)
        places = [place for kind in _KINDS if (place := found.find(kind)) > 0]
        if places:
            return found[: min(places)], found[min(places) + 1 :]
    return "", ""


def _naming(wanted: Naming, names: Iterable[str], breaking: Counter[str]) -> NamingReport:
    mine = [name for name in names if is_ours(name)]
    habit = habit_of(mine)
    style = wanted if wanted in {"noun.verb", "snake_case"} else habit.style if wanted == "report" else None
    others = sorted(name for name in mine if style is not None and style_of(name) != style)
    return NamingReport(
        wanted=wanted,
        follows=habit.style,
        share=habit.share,
        names=habit.names,
        others=others[:MOST_NAMES],
        days=_days(breaking),
    )


def _days(found: Mapping[str, int]) -> ByDay:
    return dict(sorted(found.items()))
