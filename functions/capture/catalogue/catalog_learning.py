"""A catalogue learnt from PostHog: its event definitions, and the properties of recent events. A proposal; stores nothing.

Takes types and presence from a sample and keeps no value of it. Never proposes an enum: a
sample shows what was sent, not what may be.
"""
# ruff: noqa: S608 - the text is made of our own numbers; names travel as values

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import orjson
from pydantic import BaseModel, Field

from functions.capture.catalogue.catalog import NEVER_UNLISTED, TAG
from functions.capture.catalogue.catalog_keeping import current, is_own
from functions.capture.catalogue.catalog_shape import MOST_EVENTS, MOST_PROPERTIES, document_of
from functions.capture.catalogue.naming import is_ours
from hedgerow.app import App
from hedgerow.capture_rules import CatalogRules, EventRule, PropertyRule, PropertyType
from hedgerow.foreign import UNPRINTABLE
from hedgerow.models import Connection
from hedgerow.ownership import may_ask
from hedgerow.posthog.answers import decoded
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import PostHogError
from hedgerow.turns import turn

RECENT = timedelta(days=30)
MOST_SAMPLED_EVENTS = 100
SAMPLES = 20
# Fewer samples say nothing about what is always there.
LEAST_SAMPLES = 5
MOST_PAGES = 10
QUERY_NAME = "hedgerow catalogue"

NAMES_HOGQL = (
    "select event, count() as events from events\n"
    "where timestamp >= fromUnixTimestamp({from}) and timestamp < fromUnixTimestamp({to}) and not startsWith(event, '$')\n"
    f"group by event order by events desc, event asc limit {MOST_EVENTS}"
)
# Without an order: PostHog then stops as soon as it has enough of each.
SAMPLES_HOGQL = (
    "select event, properties from events\n"
    "where timestamp >= fromUnixTimestamp({from}) and timestamp < fromUnixTimestamp({to}) and event in {names}\n"
    f"limit {SAMPLES} by event limit {SAMPLES * MOST_SAMPLED_EVENTS}"
)


class Proposal(BaseModel):
    """What to look through, and then to `PUT`. `catalog` has the version to send it with."""

    catalog: dict[str, object]
    added: list[str] = Field(description="Events the catalogue did not have.")
    extended: dict[str, list[str]] = Field(description="Properties that known events carry and the catalogue had not.")
    not_seen: list[str] = Field(description="Names PostHog defines that no recent event had.")
    notes: list[str]


@dataclass(slots=True)
class Seen:
    """What a sample of one event showed."""

    samples: int = 0
    types: dict[str, set[PropertyType]] = field(default_factory=dict)
    present: Counter[str] = field(default_factory=Counter)

    def add(self, properties: Mapping[str, object]) -> None:
        """One more event."""
        self.samples += 1
        for name, value in properties.items():
            if value is not None and _is_fit(name) and name not in _NEVER:
                self.types.setdefault(name, set()).add(type_of(value))
                self.present[name] += 1

    def rule(self, name: str, description: str = "") -> EventRule:
        """The rule this sample suggests: the properties most often there, by name."""
        often = [property for property, _ in self.present.most_common(MOST_PROPERTIES)]
        return EventRule(
            name=name,
            description=description,
            properties={
                property: PropertyRule(
                    type=_joint(self.types[property]),
                    required=self.samples >= LEAST_SAMPLES and self.present[property] == self.samples,
                )
                for property in sorted(often)
            },
        )


_NEVER = NEVER_UNLISTED - {"amount_minor", "currency"} | {TAG}


async def learn(app: App, connection: Connection) -> Proposal:
    """Ask PostHog and propose.

    `StateConflictError` when the connection may not ask PostHog or somebody else is
    asking; `OutboundError` when PostHog gave no answer.
    """
    may_ask(connection)
    rules = await current(app, connection)
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
    notes: list[str] = []
    try:
        defined = await _definitions(posthog, connection.project_id or "")
    except PostHogError as error:
        defined = {}
        notes.append(f"PostHog's event definitions could not be read: {error.detail}")
    async with turn(app, connection, again="Learn again"):
        seen = await _sampled(app, posthog, connection.project_id or "")
    if not seen and not defined:
        notes.append("PostHog has no event of your own in the last 30 days: there is nothing to learn from.")
    return proposed(rules, seen, defined, notes)


def proposed(
    rules: CatalogRules, seen: Mapping[str, Seen], defined: Mapping[str, str], notes: Sequence[str] = ()
) -> Proposal:
    """The catalogue that stands, extended by what was seen. Pure; the owner's words are never changed.

    Of the shipped one only the events that PostHog knows are taken over.
    """
    met = {**dict.fromkeys(defined), **dict.fromkeys(seen)}
    if not is_own(rules) and met:
        rules = rules.model_copy(update={"events": tuple(rule for rule in rules.events if rule.name in met)})
    order = [*seen, *(name for name in defined if name not in seen)]
    learnt = [seen.get(name, Seen()).rule(name, defined.get(name, "")) for name in order if _is_fit(name)]
    merged = merge(rules, learnt)
    before = {rule.name: rule for rule in rules.events}
    extended = {
        rule.name: [name for name in rule.properties if name not in before[rule.name].properties]
        for rule in merged.events
        if rule.name in before
    }
    said = list(notes)
    if unfit := sum(not _is_fit(name) for name in order):
        said.append(f"Left out: {unfit} names with control characters, spaces at an end or over 200 characters.")
    if rarest := {rule.name for rule in learnt} - {rule.name for rule in merged.events}:
        said.append(f"Left out: {len(rarest)} of the rarest events; a catalogue holds up to {MOST_EVENTS}.")
    return Proposal(
        catalog=document_of(merged),
        added=[rule.name for rule in merged.events if rule.name not in before],
        extended={name: properties for name, properties in extended.items() if properties},
        not_seen=sorted(set(defined) - set(seen)),
        notes=said,
    )


def merge(mine: CatalogRules, learnt: Iterable[EventRule]) -> CatalogRules:
    """Mine, and what it lacks: events, and properties of its events, which then are not required. Pure."""
    found = {rule.name: rule for rule in learnt}
    events = [_extended(rule, found.pop(rule.name, None)) for rule in mine.events]
    room = max(0, MOST_EVENTS - len(events))
    added = sorted(list(found.values())[:room], key=lambda rule: rule.name)
    return mine.model_copy(update={"events": (*events, *added)})


def type_of(value: object) -> PropertyType:
    """The property type of a JSON value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "any"


def _extended(rule: EventRule, learnt: EventRule | None) -> EventRule:
    if learnt is None:
        return rule
    room = max(0, MOST_PROPERTIES - len(rule.properties))
    new = [(name, each) for name, each in learnt.properties.items() if name not in rule.properties][:room]
    properties = {**rule.properties, **{name: each.model_copy(update={"required": False}) for name, each in new}}
    return rule.model_copy(update={"properties": properties, "description": rule.description or learnt.description})


def _joint(types: set[PropertyType]) -> PropertyType:
    if types == {"integer", "number"}:
        return "number"
    return next(iter(types)) if len(types) == 1 else "any"


def _is_fit(name: str) -> bool:
    """Whether a name may stand in a catalogue."""
    return 0 < len(name) <= 200 and is_ours(name) and name == name.strip() and not UNPRINTABLE.search(name)


async def _sampled(app: App, posthog: PostHog, project_id: str) -> dict[str, Seen]:
    now = app.now()
    span = {"from": int((now - RECENT).timestamp()), "to": int(now.timestamp()) + 1}
    names = await posthog.query(project_id, NAMES_HOGQL, span, name=QUERY_NAME)
    seen = {str(row[0]): Seen() for row in names.rows if row and isinstance(row[0], str)}
    if not seen:
        return {}
    asked = {**span, "names": list(seen)[:MOST_SAMPLED_EVENTS]}
    samples = await posthog.query(project_id, SAMPLES_HOGQL, asked, name=QUERY_NAME)
    for row in samples.rows:
        properties = _properties(row[1]) if len(row) == 2 else None
        if properties is not None and (event := seen.get(str(row[0]))) is not None:
            event.add(properties)
    return seen


def _properties(told: object) -> dict[str, object] | None:
    """PostHog gives properties as JSON text."""
    if isinstance(told, str):
        try:
            told = orjson.loads(told)
        except ValueError:
            return None
    return told if isinstance(told, dict) else None


async def _definitions(posthog: PostHog, project_id: str) -> dict[str, str]:
    """PostHog's names of the project's own events, each with its description where PostHog has one."""
    path = f"/api/projects/{project_id}/event_definitions/"
    params = {"limit": "100", "event_type": "event_custom"}
    found: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page = decoded(await posthog.call("GET", path, params=params))
        entries, following = page.get("results"), page.get("next")
        for entry in entries if isinstance(entries, list) else []:
            name = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(name, str) and is_ours(name):
                described = entry.get("description")
                found[name] = UNPRINTABLE.sub(" ", described)[:1_000] if isinstance(described, str) else ""
        if not isinstance(following, str):
            break
        # Its query only: our host and path stay.
        params = dict(parse_qsl(urlsplit(following).query))
    return found
