"""What is kept of an event that cannot be one, where the owner keeps personal data out: never what the guard could not see."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from functions.capture.events import Frozen, Poison
from functions.capture.wire.poisons import spelled

if TYPE_CHECKING:
    from functions.capture.events import Judge, Mark, Scrub
    from hedgerow.capture_rules import PrivacyRules

NOT_KEPT = "Its text is not kept: the privacy guard changes events here, and could not look into this one."


def changes_events(rules: PrivacyRules) -> bool:
    """Whether these rules change anything, or only report."""
    return rules.identity == "hash" or any(action not in {"off", "report"} for action in rules.actions.values())


def scrubbed(poison: Poison, guard: Judge, now: datetime, mark: Mark) -> Poison:
    """The same poison after the privacy guard; without its text where that is no event the guard can read."""
    try:
        body = orjson.loads(poison.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("properties", {}), dict):
        return Poison(poison.uuid, b"", poison.code, f"{poison.detail.rstrip(' .')}. {NOT_KEPT}", poison.name)
    body.setdefault("properties", {})
    who = body.get("distinct_id")
    event = Frozen(poison.uuid, poison.name, who if isinstance(who, str) else "", now, body)
    body["distinct_id"] = event.distinct_id
    guard(event, mark)
    return Poison(poison.uuid, spelled(body), poison.code, poison.detail, poison.name)


def scrubber(rules: PrivacyRules, guard: Judge | None) -> Scrub | None:
    """`scrubbed` with these rules; None where they change nothing."""
    if guard is None or not changes_events(rules):
        return None
    return lambda poison, now, mark: scrubbed(poison, guard, now, mark)
