"""Asks PostHog, with a personal API key, everything a verdict needs; judges nothing.

One call goes ahead, to learn whether host and key are good; the rest go together. The
query reads a count, no event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from hedgerow.posthog.answers import Answer, KeySelf, Project
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import Code, PostHogError

T = TypeVar("T")
Tried: TypeAlias = T | PostHogError

# Failures of the way, before any key was looked at.
OF_THE_WAY: frozenset[Code] = frozenset(
    {
        "unreachable",
        "certificate_invalid",
        "address_refused",
        "timed_out",
        "blocked_before_posthog",
        "not_posthog",
        "redirected",
        "gateway",
        "busy",
    }
)
QUESTION = "select count() as events from events where timestamp >= fromUnixTimestamp({since}) limit 1"


@dataclass(frozen=True, slots=True)
class Known:
    """What the calls about one project brought."""

    project_id: str
    project: Tried[Project]
    query: Tried[Answer]
    flags: Tried[None]
    definitions: Tried[None]


async def tried(call: Awaitable[T]) -> Tried[T]:
    """The answer of a call, or the error it met."""
    try:
        return await call
    except PostHogError as error:
        return error


async def first(posthog: PostHog) -> Tried[KeySelf]:
    """The key itself: what it may do, whether it is known here, whether here is a PostHog."""
    return await tried(posthog.key_self())


async def about(posthog: PostHog, project_id: str, now: datetime) -> Known:
    """Everything about one project, asked at once."""
    since = {"since": int((now - timedelta(days=1)).timestamp())}
    project, query, flags, definitions = await asyncio.gather(
        tried(posthog.project(project_id)),
        tried(posthog.query(project_id, QUESTION, since, name="hedgerow connection test")),
        tried(posthog.feature_flags(project_id)),
        tried(posthog.event_definitions(project_id)),
    )
    return Known(project_id, project, query, flags, definitions)


async def in_sight(posthog: PostHog, key: Tried[KeySelf]) -> tuple[Project, ...]:
    """The projects a key sees, by whichever call it may make; empty when none tells."""
    if isinstance(key, KeySelf) and key.scoped_teams:
        return tuple(Project(id=str(number)) for number in key.scoped_teams)
    listed, me = await asyncio.gather(tried(posthog.projects()), tried(posthog.me()))
    if not isinstance(listed, PostHogError):
        return listed
    if isinstance(me, PostHogError):
        return ()
    teams = me.organization.teams if me.organization else ()
    return teams or ((me.team,) if me.team else ())


async def is_known_at(posthog: PostHog) -> bool:
    """Does this region know the key? A 403 knows it too; anything that says nothing is a no."""
    key = await first(posthog)
    return not isinstance(key, PostHogError) or (key.status == 403 and key.code != "blocked_before_posthog")
