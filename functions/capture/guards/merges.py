"""The merge guard's first look, at the event alone: is it a merge, and are its ids somebody's?

What PostHog knows of these ids is asked later, by `merge_checks`, and nothing is asked here.
"""

from __future__ import annotations

import json
from typing import Any

from functions.capture.events import Aside, Frozen, Judge, Mark
from functions.capture.guards.identity_names import MERGES, is_nobodys
from hedgerow.capture_rules import MergeRules
from hedgerow.models import Trouble

IDENTIFY = "$identify"
RELEASE = "Send it after all with `hedgerow outbox redeliver`, or drop it with `hedgerow outbox refuse`."

_ILLEGAL = Aside(
    "held",
    Trouble(
        code="merge_illegal_id",
        detail="An id of this merge is what a program writes where it has none, such as undefined, null or 0: "
        "everybody without an id would become one person, and PostHog cannot undo it.",
        hint=f"Mend the program that sends it. {RELEASE}",
    ),
)
_LOOK = Aside(
    "merge",
    Trouble(
        code="merge_waiting",
        detail="The merge guard looks at PostHog's persons before this merge is sent.",
        hint="It is looked at within a minute and goes on by itself.",
    ),
)


def compiled(rules: MergeRules) -> Judge | None:
    """The guard of these rules; None when it is off."""
    return _judge if rules.on else None


def ids_of(body: dict[str, Any]) -> tuple[str, str] | None:
    """The ids an event would join, source and target; None when it joins nothing."""
    name = body.get("event")
    properties = body.get("properties")
    if not isinstance(properties, dict) or not isinstance(name, str):
        return None
    if name in MERGES:
        source = properties.get("alias")
    elif name == IDENTIFY:
        source = properties.get("$anon_distinct_id")
    else:
        return None
    target = _written(body.get("distinct_id"))
    if source is None or _written(source) == target:
        return None
    return _written(source), target


def _judge(frozen: Frozen, mark: Mark) -> Aside | None:
    if frozen.name != IDENTIFY and frozen.name not in MERGES:
        return None
    ids = ids_of(frozen.body)
    # An `$identify` of nobody is held without a second id too: what it sets is set on everybody without an id.
    if any(map(is_nobodys, ids or (frozen.distinct_id,))):
        mark("merges.illegal_id")
        return _ILLEGAL
    if ids is None:
        return None
    mark("merges.looked_at")
    return _LOOK


def _written(id: object) -> str:
    """An id as PostHog reads it: text as it is, anything else as JSON."""
    return id if isinstance(id, str) else json.dumps(id, separators=(",", ":"))
