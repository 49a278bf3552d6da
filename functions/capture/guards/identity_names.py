"""Which fields of an event say whose it is, and which ids are nobody's."""

from __future__ import annotations

MERGES = frozenset(("$create_alias", "$merge_dangerously"))
"""Events that merge the person of `alias` into that of `distinct_id`."""

IDS = ("distinct_id", "$distinct_id", "$anon_distinct_id", "$user_id", "$device_id")
"""Properties that hold a person's id. The SDKs write the known id into `$user_id` and the first anonymous one into
`$device_id`: changed apart from `distinct_id` they would still say who it is, or no longer match.
"""

PERSON = ("$set", "$set_once", "$unset", "$groups", "$group_key", "$group_set")
"""Properties that hold what is said of a person or a group. A group's key is an id too: masked keys would join groups."""

ALIAS = "alias"
"""An id on the events of `MERGES`, a property like any other elsewhere."""

_ILLEGAL = frozenset(("[object Object]", "NaN", "None", "none", "null", "0", "undefined"))
_ILLEGAL_IN_ANY_CASE = frozenset(
    [
        "anonymous",
        "guest",
        "distinctid",
        "distinct_id",
        "id",
        "not_authenticated",
        "email",
        "undefined",
        "true",
        "false",
    ]
)
# Beyond PostHog's own list: what programs write where an id is missing.
_NOBODYS = frozenset(
    [
        "none",
        "null",
        "nil",
        "nan",
        "void",
        "n/a",
        "na",
        "unknown",
        "anon",
        "default",
        "user",
        "userid",
        "user_id",
        "username",
        "-1",
        "00",
        "[object object]",
        "(null)",
        "<null>",
        "<nil>",
        "(none)",
        "{}",
        "[]",
        "00000000-0000-0000-0000-000000000000",
    ]
)
_TEMPLATES = (("{{", "}}"), ("${", "}"), ("<%", "%>"))


def is_refused_by_posthog(id: str) -> bool:
    """Whether PostHog itself refuses to merge this id: it stores the event and joins nobody."""
    bare = id[1:-1] if len(id) > 1 and id[0] in "'\"" and id[-1] == id[0] else id
    return not bare.strip() or bare in _ILLEGAL or bare.lower() in _ILLEGAL_IN_ANY_CASE


def is_nobodys(id: str) -> bool:
    """Whether an id is what a program writes where it has none: `undefined`, `null`, `0`, `{{user.id}}`."""
    bare = id.strip().strip("'\"").strip().lower()
    is_template = any(bare.startswith(opens) and bare.endswith(closes) for opens, closes in _TEMPLATES)
    return is_refused_by_posthog(id) or not bare or bare in _NOBODYS or is_template
