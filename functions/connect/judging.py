"""From what PostHog answered about one project to the verdicts on it. Pure."""

from __future__ import annotations

from functions.connect import verdicts
from functions.connect.probing import Known, Tried
from hedgerow import days
from hedgerow.models import Capability, CapabilityName
from hedgerow.posthog.answers import Answer, KeySelf, Project
from hedgerow.posthog.errors import PostHogError

LISTED_PROJECTS = 20


def authenticate(key: Tried[KeySelf], known: Known, host: str) -> Capability:
    """Does PostHog take the key at all?"""
    for outcome in (known.query, known.project):
        if isinstance(outcome, PostHogError) and outcome.code in {"key_refused", "personal_keys_forbidden"}:
            return verdicts.refused("authenticate", outcome, host, required=True)
    return verdicts.authenticated(key.scopes if isinstance(key, KeySelf) else None)


def project(known: Known, host: str) -> Capability:
    """What the key may read of the project itself; where the time zone came from."""
    zone = known_zone(known)
    if isinstance(known.project, PostHogError):
        verdict = verdicts.refused("project", known.project, host, required=False)
        read = f"The time zone, {zone}, was read by query." if zone else "The time zone is unknown, so UTC is used."
        return verdict.model_copy(update={"detail": f"{verdict.detail} {read}"})
    if zone is None:
        detail = "PostHog gave no time zone that is known here, so UTC is used."
        hint = "Set the project's time zone in PostHog: Settings > Project > General."
        return verdicts.passed("project", detail, required=False, code="timezone_unknown", hint=hint)
    if known.project.ingested_event is False:
        detail = f"Project {known.project_id}, in {zone}, has never received an event."
        hint = "Verify that your application sends events to PostHog, with this project's token."
        return verdicts.passed("project", detail, required=False, code="no_events_yet", hint=hint)
    return verdicts.passed("project", f"Project {known.project_id}, in {zone}.", required=False)


def query(known: Known, key: Tried[KeySelf], host: str) -> Capability:
    """May the key run HogQL on this project?"""
    if isinstance(known.query, Answer):
        return verdicts.passed("query", "HogQL queries run.", required=True)
    if known.query.code == "query_too_heavy":
        return verdicts.passed(
            "query", "HogQL queries run; this project is large, so syncs go in parts.", required=True
        )
    verdict = verdicts.refused("query", known.query, host, required=True)
    reach = key.scoped_teams if isinstance(key, KeySelf) else None
    if reach and known.project_id not in {str(number) for number in reach}:
        others = ", ".join(str(number) for number in reach[:LISTED_PROJECTS])
        detail = f"The personal API key reaches project {others}, not {known.project_id}."
        return verdict.model_copy(update={"detail": detail})
    return verdict


def optional(name: CapabilityName, outcome: Tried[None], host: str) -> Capability:
    """A capability that is good to have."""
    if isinstance(outcome, PostHogError):
        return verdicts.refused(name, outcome, host, required=False)
    thing = {"feature_flags": "Feature flags", "event_definitions": "Event definitions"}[name]
    return verdicts.passed(name, f"{thing} can be listed.", required=False)


def undecided(projects: tuple[Project, ...]) -> Capability:
    """No project was named, and the key does not leave exactly one."""
    if not projects:
        return verdicts.lacking(
            "project",
            "project_unknown",
            "No project was named, and the key may not list those it sees.",
            "Give `project_id`: the number in the address of every page of the project (/project/12345).",
            required=True,
        )
    listed = ", ".join(f"{one.id} ({one.name})" if one.name else one.id for one in projects[:LISTED_PROJECTS])
    return verdicts.lacking(
        "project",
        "project_ambiguous",
        f"The key sees several projects: {listed}.",
        "Give the one you mean as `project_id`.",
        required=True,
    )


def zone_of(known: Known) -> str:
    """The project's time zone, UTC where nothing tells."""
    return known_zone(known) or "UTC"


def known_zone(known: Known) -> str | None:
    """The zone the project names, else the one PostHog answered the query in; None when neither is usable."""
    for outcome in (known.project, known.query):
        if not isinstance(outcome, PostHogError) and outcome.timezone and days.zone_exists(outcome.timezone):
            return outcome.timezone
    return None
