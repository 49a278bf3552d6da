"""Ids that PostHog merges with nobody: what code sends when it had no user to send."""

from __future__ import annotations

_ANY_CASE = frozenset(
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
_AS_WRITTEN = frozenset(["[object Object]", "NaN", "None", "none", "null", "0"])
_QUOTES = "'\""


def is_illegal(distinct_id: str) -> bool:
    """Whether PostHog refuses to merge this id; it looks inside one pair of quotes too."""
    return _is_listed(distinct_id) or (
        len(distinct_id) > 2
        and distinct_id[0] in _QUOTES
        and distinct_id[-1] == distinct_id[0]
        and _is_listed(distinct_id[1:-1])
    )


def _is_listed(text: str) -> bool:
    return not text.strip() or text.lower() in _ANY_CASE or text in _AS_WRITTEN
