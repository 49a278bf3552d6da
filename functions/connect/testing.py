"""Tests what a host and its keys can do, and says it in seven verdicts; stores nothing, writes no event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import get_args

from pydantic import SecretStr

from functions.connect import capturing, judging, probing, verdicts
from functions.connect.probing import Tried
from hedgerow.app import App
from hedgerow.models import Capability
from hedgerow.posthog.answers import KeySelf, Project
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import PostHogError
from hedgerow.posthog.hosts import Clouds, Host, ingestion_of
from hedgerow.posthog.keys import WHERE_TOKEN, KeyCode, trouble_of_personal_key, trouble_of_project_token

# Long enough for PostHog's queue, short enough for somebody who watches.
SECONDS = 50.0
# All calls of one test together: a host that drips its answers holds nobody longer.
ALL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What to test. At least one of the keys is given; `ingestion_host` None derives it."""

    host: Host
    key: SecretStr | None = None
    token: str | None = None
    project_id: str | None = None
    ingestion_host: str | None = None

    @property
    def takes_events_at(self) -> str:
        """Where events of this project go."""
        return self.ingestion_host or ingestion_of(self.host.origin)

    @property
    def is_led_away(self) -> bool:
        """Are events to go somewhere else than where the host's own events go?"""
        return self.takes_events_at != ingestion_of(self.host.origin)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found. `token` is the project token where it may be used, `proved` when the project showed it.

    `told` is the token the host says the project has, given or not.
    """

    capabilities: tuple[Capability, ...]
    project_id: str | None = None
    project_name: str | None = None
    timezone: str = "UTC"
    token: str | None = None
    proved: bool = False
    told: str | None = field(default=None, repr=False)
    projects: tuple[Project, ...] = ()

    @property
    def ok(self) -> bool:
        """Is every required capability there?"""
        return all(capability.ok for capability in self.capabilities if capability.required)


def clouds_of(app: App) -> Clouds:
    """PostHog's two regions, as this installation knows them."""
    return Clouds(app.settings.us_host.rstrip("/"), app.settings.eu_host.rstrip("/"))


async def examine(app: App, asked: Asked, *, seconds: float = ALL_SECONDS) -> Findings:
    """Every capability, with the keys that were given; `reach` is `timed_out` when it takes over `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await _examined(app, asked)
    except TimeoutError:
        error = PostHogError(f"The test did not end within {seconds:g} seconds.", code="timed_out")
        verdict = verdicts.refused("reach", error, asked.host.origin, required=True)
        return _stopped(asked, "the host was too slow", verdict)


async def _examined(app: App, asked: Asked) -> Findings:
    if asked.key is None:
        return await _capture_only(app, asked)
    trouble = trouble_of_personal_key(asked.key.get_secret_value())
    if trouble is not None:
        verdict = verdicts.mistaken("authenticate", trouble, required=True)
        return _stopped(asked, "the personal API key cannot be one", verdict)
    posthog = PostHog(app.http, asked.host.origin, asked.key, seconds=SECONDS)
    key = await probing.first(posthog)
    if isinstance(key, PostHogError) and key.code in probing.OF_THE_WAY:
        verdict = verdicts.refused("reach", key, asked.host.origin, required=True)
        return _stopped(asked, "the host was not reached", verdict)
    if isinstance(key, PostHogError) and key.code == "key_refused":
        verdict = await _unknown_key(app, asked, asked.key, key)
        return _stopped(asked, "the personal API key was refused", verdicts.reached(asked.host), verdict)
    return await _with_key(app, asked, posthog, key)


async def _with_key(app: App, asked: Asked, posthog: PostHog, key: Tried[KeySelf]) -> Findings:
    project_id = asked.project_id or asked.host.project_id
    if project_id is None:
        projects = await probing.in_sight(posthog, key)
        chosen = _meant(projects, asked.token)
        if chosen is None:
            scopes = key.scopes if isinstance(key, KeySelf) else None
            sure = (verdicts.reached(asked.host), verdicts.authenticated(scopes), judging.undecided(projects))
            return replace(_stopped(asked, "no project is chosen", *sure), projects=projects)
        project_id = chosen.id
    known = await probing.about(posthog, project_id, app.now())
    capture, proved = await _capture(app, asked, known.project)
    host = asked.host.origin
    return Findings(
        capabilities=(
            verdicts.reached(asked.host),
            judging.authenticate(key, known, host),
            judging.project(known, host),
            judging.query(known, key, host),
            judging.optional("feature_flags", known.flags, host),
            judging.optional("event_definitions", known.definitions, host),
            capture,
        ),
        project_id=project_id,
        project_name=known.project.name if isinstance(known.project, Project) else None,
        timezone=judging.zone_of(known),
        token=asked.token if proved else None,
        proved=proved,
        told=known.project.api_token if isinstance(known.project, Project) else None,
    )


def _meant(projects: tuple[Project, ...], token: str | None) -> Project | None:
    """The one project in sight, or the one the project token belongs to."""
    theirs = [project for project in projects if token is not None and project.api_token == token]
    candidates = theirs or projects
    return candidates[0] if len(candidates) == 1 else None


async def _capture(app: App, asked: Asked, project: Tried[Project]) -> tuple[Capability, bool]:
    """The verdict on capture beside a personal key, and whether the project showed the token as its own.

    A token the key cannot prove is not used: the connection works without it and says so.
    """
    if asked.token is None:
        return verdicts.without_project_token(), False
    trouble = trouble_of_project_token(asked.token)
    if trouble is not None:
        return verdicts.mistaken("capture", trouble, required=True), False
    if isinstance(project, PostHogError) or project.api_token is None:
        detail = "Whether the project token belongs to this project cannot be seen with this key, so it is not used."
        hint = "Add the scope project:read to the personal API key, then give the project token again."
        return verdicts.lacking("capture", "project_token_unproved", detail, hint, required=False), False
    if project.api_token != asked.token:
        detail = f"The project token is not that of project {project.id}."
        hint = f"Copy it from {WHERE_TOKEN}, of this project."
        return verdicts.lacking("capture", "project_token_of_other_project", detail, hint, required=True), False
    verdict = await capturing.test(app.http, asked.takes_events_at, asked.token, required=True)
    return verdict, verdict.ok


async def _unknown_key(app: App, asked: Asked, secret: SecretStr, error: PostHogError) -> Capability:
    """The key was refused: perhaps it lives in the other region, which is asked once."""
    clouds = clouds_of(app)
    other = clouds.other(asked.host.origin)
    if other is not None and await probing.is_known_at(PostHog(app.http, other, secret, seconds=SECONDS)):
        return verdicts.in_other_region("authenticate", "personal API key", asked.host.origin, other)
    return verdicts.refused("authenticate", error, asked.host.origin, required=True)


async def _capture_only(app: App, asked: Asked) -> Findings:
    """A project token alone: reach and capture are what counts."""
    token = asked.token or ""
    verdict = await capturing.test(app.http, asked.takes_events_at, token, required=True)
    reach = verdicts.reached(Host(asked.takes_events_at, asked.host.mended))
    if verdict.code in probing.OF_THE_WAY:
        reach = verdict.model_copy(update={"name": "reach"})
        verdict = verdicts.not_tested("capture", "the host was not reached", required=True)
    elif verdict.code in get_args(KeyCode):
        reach = verdicts.not_tested("reach", "the project token cannot be one", required=True)
    elif verdict.code == "project_token_unknown" and asked.ingestion_host is None:
        verdict = await _token_elsewhere(app, asked, token) or verdict
    missing = [verdicts.without_personal_key(name) for name in verdicts.NAMES if name not in {"reach", "capture"}]
    return Findings((reach, *missing, verdict), token=token if verdict.ok else None)


async def _token_elsewhere(app: App, asked: Asked, token: str) -> Capability | None:
    other = clouds_of(app).other(asked.host.origin)
    if other is None or await probing.tried(capturing.is_known(app.http, ingestion_of(other), token)) is not True:
        return None
    return verdicts.in_other_region("capture", "project token", asked.host.origin, other)


def _stopped(asked: Asked, why: str, *sure: Capability) -> Findings:
    """Findings that go no further than the verdicts that are sure."""
    found = {verdict.name: verdict for verdict in sure}
    required = {"reach"} | ({"authenticate", "query"} if asked.key is not None else set())
    required |= {"capture"} if asked.token is not None else set()
    return Findings(
        tuple(found.get(name) or verdicts.not_tested(name, why, required=name in required) for name in verdicts.NAMES)
    )
