"""The combined query against the sum of its families' single ones, over events in the local PostHog.

Every query goes through PostHog's query API as the sync sends it. The floor is the sum of
the single queries, one after another; both must give the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import httpx
from pydantic import SecretStr

from bench.events import select
from bench.figures import Row, compared
from bench.installation import NOW
from bench.rounds import in_turn, timing
from bench.sizes import Sizes
from functions.sync.asking import QUERY_NAME
from functions.sync.hogql import HEAVY, LIGHT, Question, text_of, values_of
from functions.sync.windows import LOOK_BACK_DAYS, MONTH_DAYS, Span
from hedgerow.measure_hogql import END_METRIC
from hedgerow.posthog.client import PostHog
from local.posthog import LocalPostHog

NAME = "combined"
EVENT_DAYS = 90
PATIENCE_SECONDS = 300.0

Rows = set[tuple[object, ...]]
Asker = Callable[[Question], Awaitable[Rows]]


def measure(sizes: Sizes) -> list[Row]:
    """A row for the first sync's query, all families over 30 days, and one for a scheduled sync's, light ones alone."""
    return asyncio.run(_measure(sizes))


async def _measure(sizes: Sizes) -> list[Row]:
    with LocalPostHog(now=NOW) as local:
        local.limits.lift()
        local.limits.execution_seconds = PATIENCE_SECONDS
        local.load_rows(select(sizes.events, EVENT_DAYS, NOW))
        transport = httpx.ASGITransport(app=local.app)
        async with httpx.AsyncClient(transport=transport) as http:
            posthog = PostHog(http, "http://posthog.bench", SecretStr(local.personal_api_key), seconds=PATIENCE_SECONDS)
            asker = partial(_ask, posthog, local.project_id)
            return [
                await _row(asker, "first sync", first_sync(), sizes),
                await _row(asker, "scheduled sync", scheduled_sync(), sizes),
            ]


def first_sync() -> Question:
    """Every family over 30 days."""
    today = NOW.date()
    month = Span(today - timedelta(days=MONTH_DAYS - 1), today)
    return Question(LIGHT + HEAVY, "UTC", month, None, month, month)


def scheduled_sync() -> Question:
    """The light families over the look-back and a slice of the older month."""
    today = NOW.date()
    window = Span(today - timedelta(days=LOOK_BACK_DAYS), today)
    older = today - timedelta(days=MONTH_DAYS - 1)
    return Question(LIGHT, "UTC", window, Span(older, older), None, window)


async def _row(asker: Asker, which: str, question: Question, sizes: Sizes) -> Row:
    singles = [question.only(family) for family in question.families]
    together = await asker(question)
    apart = Rows().union(*[await asker(single) for single in singles])
    if together != apart:
        raise RuntimeError(f"the combined query and the single ones differ in {len(together ^ apart)} rows")

    async def each() -> None:
        for single in singles:
            await asker(single)

    seconds = await in_turn(sizes.rounds, {"combined": timing(partial(asker, question)), "single": timing(each)})
    what = f"combined query of a {which} against its {len(singles)} single ones, {sizes.events:,} events"
    return compared(NAME, what, seconds["combined"], seconds["single"], limit=1.0)


async def _ask(posthog: PostHog, project_id: str, question: Question) -> Rows:
    answer = await posthog.query(project_id, text_of(question), values_of(question), name=QUERY_NAME)
    if answer.has_more:
        raise RuntimeError("the answer was cut")
    return {tuple(row) for row in answer.rows if row[1] != END_METRIC}
