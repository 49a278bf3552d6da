"""The verdict on each capability of a connection's keys: pure, from what was found to what the user reads.

Every code here, in `hedgerow.posthog.errors` and in `hedgerow.posthog.keys` has its
entry in docs/connecting.md; a test keeps the two together.
"""

from __future__ import annotations

from typing import Literal, get_args

from hedgerow.models import Capability, CapabilityName
from hedgerow.posthog.errors import PostHogError
from hedgerow.posthog.hosts import Host
from hedgerow.posthog.keys import WHERE_PERSONAL, WHERE_TOKEN, KeyTrouble

OwnCode = Literal[
    "ok",
    "scopes_wide",
    "no_events_yet",
    "timezone_unknown",
    "wrong_region",
    "project_unknown",
    "project_ambiguous",
    "personal_key_not_given",
    "project_token_not_given",
    "project_token_unproved",
    "project_token_unknown",
    "project_token_of_other_project",
    "not_tested",
]

NAMES: tuple[CapabilityName, ...] = get_args(CapabilityName)
SCOPES = ("query:read", "project:read", "feature_flag:read", "event_definition:read")
# One or two more do no harm worth a warning.
SPARE_SCOPES = 3

WITHOUT: dict[CapabilityName, str] = {
    "project": "Without it the time zone is read by query, and a project token cannot be proved.",
    "feature_flags": "Without it `posthog_feature_flags` stays empty; everything else works.",
    "event_definitions": "Without it Hedgerow learns event names from the events alone.",
    "capture": "Without it Hedgerow takes no events for this project; metrics work.",
}


def passed(name: CapabilityName, detail: str, *, required: bool, code: OwnCode = "ok", hint: str = "") -> Capability:
    """A capability that is there, with a warning in code and hint where there is one."""
    return Capability(name=name, ok=True, required=required, code=code, detail=detail, hint=hint)


def lacking(name: CapabilityName, code: OwnCode, detail: str, hint: str, *, required: bool) -> Capability:
    """A capability that is not there, for a reason of our own."""
    return Capability(name=name, ok=False, required=required, code=code, detail=detail, hint=hint)


def refused(name: CapabilityName, error: PostHogError, host: str, *, required: bool) -> Capability:
    """A capability that PostHog, or the way to it, refused."""
    hint = error.hint
    if error.code in {"unreachable", "timed_out", "certificate_invalid", "not_posthog", "blocked_before_posthog"}:
        hint = f"{hint} Try it yourself: {curl(host)}"
    if name in WITHOUT and not required:
        hint = f"{hint} {WITHOUT[name]}"
    return Capability(name=name, ok=False, required=required, code=error.code, detail=error.detail, hint=hint)


def mistaken(name: CapabilityName, trouble: KeyTrouble, *, required: bool) -> Capability:
    """A key that cannot be what it was given as."""
    return Capability(
        name=name, ok=False, required=required, code=trouble.code, detail=trouble.detail, hint=trouble.hint
    )


def not_tested(name: CapabilityName, why: str, *, required: bool) -> Capability:
    """A capability that nothing can be said about yet."""
    return lacking(name, "not_tested", f"Not tested: {why}.", "Mend what failed, then test again.", required=required)


def reached(host: Host) -> Capability:
    """The host answered as a PostHog does; what was mended in the address is said."""
    mended = f" ({'; '.join(host.mended)})" if host.mended else ""
    return passed("reach", f"PostHog answers at {host.origin}{mended}.", required=True)


def authenticated(scopes: tuple[str, ...] | None) -> Capability:
    """PostHog knows the key; a key that may do far more than needed is named as such."""
    if scopes is None or not _is_wide(scopes):
        return passed("authenticate", "PostHog knows the personal API key.", required=True)
    return passed(
        "authenticate",
        "PostHog knows the personal API key, which may do far more than Hedgerow needs.",
        required=True,
        code="scopes_wide",
        hint=f"Better a key with only {', '.join(SCOPES)}: make one in {WHERE_PERSONAL}, and replace this one.",
    )


def in_other_region(name: CapabilityName, what: str, given: str, other: str) -> Capability:
    """A key or token that is unknown where it was tried and known in the other region."""
    return lacking(
        name,
        "wrong_region",
        f"The {what} is unknown at {given}, and known at {other}.",
        f"Give {other} as `host`: the project lives there.",
        required=True,
    )


def without_personal_key(name: CapabilityName) -> Capability:
    """What a capture-only connection cannot do, and which key adds it."""
    return lacking(
        name,
        "personal_key_not_given",
        "A project token alone can only send events.",
        f"A personal API key with {', '.join(SCOPES)} adds metrics, queries and flags: make one in {WHERE_PERSONAL}.",
        required=False,
    )


def without_project_token() -> Capability:
    """A connection that reads and does not take events."""
    return lacking(
        "capture",
        "project_token_not_given",
        "No project token was given, so Hedgerow takes no events for this project.",
        f"Give the project token to have it tested and kept for capture: {WHERE_TOKEN}.",
        required=False,
    )


def curl(host: str) -> str:
    """The line that shows from any machine what Hedgerow sees."""
    return f'curl -H "Authorization: Bearer YOUR_API_KEY" {host}/api/projects/@current/'


def _is_wide(scopes: tuple[str, ...]) -> bool:
    extra = [scope for scope in scopes if scope not in SCOPES]
    return "*" in scopes or any(scope.endswith(":write") for scope in scopes) or len(extra) > SPARE_SCOPES
