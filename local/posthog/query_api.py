"""POST /query/ and the states of queries: refresh modes, cache, slots, and PostHog's answer.

Runs HogQLQuery; every other kind is refused, because its numbers would be a guess.
"""

import asyncio
import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.posthog.clock import stopwatch
from local.posthog.engine import LONGEST_STATEMENT
from local.posthog.errors import (
    ApiError,
    ClickHouseError,
    QueryError,
    invalid_field,
    not_found,
    parse_error,
    server_error,
)
from local.posthog.faults import Fault
from local.posthog.hogql import Question, Setting, Translation, translate
from local.posthog.hogql_tables import Place
from local.posthog.installation import Installation
from local.posthog.project import Project
from local.posthog.query_answers import Rows, api_error, read_rows
from local.posthog.query_status import FRESH, FRESH_FOR_LAZY, QueryStatus, iso

_FIELDS = frozenset(
    [
        "kind",
        "query",
        "values",
        "filters",
        "variables",
        "explain",
        "modifiers",
        "name",
        "tags",
        "connectionId",
        "sendRawQuery",
        "response",
        "version",
    ]
)
_ALWAYS = (True, "true", "force_blocking")
_BACKGROUND = ("async", "force_async", "lazy_async")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to run a query, read and checked."""

    project: Project
    query: dict[str, Any]
    question: Question
    refresh: object
    query_id: str
    path: str
    cache_key: str


def read_ask(request: Request, body: dict[str, Any], project: Project) -> Ask:
    """Check the body of POST /query/; raises what PostHog's validator answers."""
    query = body.get("query")
    if not isinstance(query, dict):
        raise invalid_field("query", "This field is required.", "required")
    kind = query.get("kind")
    if kind != "HogQLQuery":
        raise QueryError(f"Query kind '{kind}' is not supported by the local PostHog.")
    unknown = sorted(set(query) - _FIELDS)
    if unknown:
        raise parse_error(f"query.{unknown[0]}: Extra inputs are not permitted")
    if not isinstance(query.get("query"), str):
        raise invalid_field("query", "Field required: query.query", "required")
    modifiers = query.get("modifiers") or {}
    variables = {
        str(entry.get("code_name")): entry.get("value")
        for entry in (query.get("variables") or {}).values()
        if isinstance(entry, dict)
    }
    question = Question(
        query["query"],
        query.get("values") or {},
        variables,
        query.get("filters"),
        converts_zone=modifiers.get("convertToProjectTimezone") is not False,
    )
    refresh = "async" if body.get("async") is True else body.get("refresh")
    text = json.dumps([query, project.id, project.timezone], sort_keys=True)
    return Ask(
        project,
        query,
        question,
        refresh,
        str(body.get("client_query_id") or uuid.uuid4().hex),
        request.url.path,
        "cache_" + hashlib.sha256(text.encode()).hexdigest()[:32],
    )


async def answer(ask: Ask, installation: Installation) -> Response:
    """Run a query as its refresh mode says."""
    cached = None
    if ask.refresh not in (*_ALWAYS, "force_async"):
        life = FRESH_FOR_LAZY if ask.refresh == "lazy_async" else FRESH
        cached = installation.queries.cached(ask.cache_key, life)
    if cached is not None:
        return JSONResponse({**cached, "is_cached": True})
    if ask.refresh in _BACKGROUND:
        return JSONResponse({"query_status": _begin(ask, installation).shown()}, 202)
    return JSONResponse(await compute(ask, installation))


async def compute(ask: Ask, installation: Installation) -> dict[str, Any]:
    """Translate, wait for a slot, run; the full response object, kept in the cache."""
    fault = installation.faults.meet_in_query(ask.path)
    started = stopwatch()
    translation = translate(_clamped(ask.question, fault), _setting(ask, installation, fault))
    translated = stopwatch()
    async with installation.limits.slot(ask.project.organization_id, ask.query_id):
        found = await _run(translation, installation)
    ended = stopwatch()
    timings = [
        {"k": "./parse_select", "t": translated - started},
        {"k": "./clickhouse_execute", "t": ended - translated},
        {"k": ".", "t": ended - started},
    ]
    full = _response(ask, installation, translation, _falsified(found, fault), timings)
    if fault is None:
        installation.queries.keep(ask.cache_key, full)
    return full


def status(installation: Installation, project: Project, query_id: str) -> Response:
    """GET /query/:id/."""
    found = installation.queries.find(project.id, query_id)
    if found is None:
        raise not_found(f"Query {query_id} not found for team {project.id}")
    code = 202 if found.ended_at is None else 200
    if found.error:
        code = 400 if found.error_message else 500
    return JSONResponse({"query_status": found.shown()}, code)


def cancel(installation: Installation, project: Project, query_id: str) -> Response:
    """DELETE /query/:id/."""
    if installation.queries.find(project.id, query_id) is None:
        raise not_found(f"Query {query_id} not found for team {project.id}")
    installation.queries.cancel(query_id)
    return JSONResponse({"message": "Query task cancelled"})


def _begin(ask: Ask, installation: Installation) -> QueryStatus:
    state = QueryStatus(ask.query_id, ask.project.id, installation.clock.now())

    async def work() -> None:
        try:
            state.results = await compute(ask, installation)
        except ApiError as fault:
            state.error = True
            state.error_message = fault.detail if fault.status < 500 else None
        state.ended_at = installation.clock.now()

    installation.queries.begin(state, asyncio.create_task(work()))
    return state


def _clamped(question: Question, fault: Fault | None) -> Question:
    if fault is None or fault.kind != "clamp":
        return question
    return Question(
        question.text,
        question.values,
        question.variables,
        question.filters,
        converts_zone=question.converts_zone,
        clamp=fault.rows,
    )


def _setting(ask: Ask, installation: Installation, fault: Fault | None) -> Setting:
    storage = installation.storage(ask.project.id)
    return Setting(
        Place(
            storage.database,
            has_moved_ids=storage.has_moved_ids,
            is_doubled=fault is not None and fault.kind == "double_events",
        ),
        ask.project.timezone,
        dict(storage.ledger.definitions.properties),
        installation.clock.now(),
        week_starts_on_monday=ask.project.week_start_day == 1,
    )


async def _run(translation: Translation, installation: Installation) -> Rows:
    seconds = installation.limits.execution_seconds
    statement = (
        f"{translation.sql}\nSETTINGS readonly = 1, max_execution_time = {float(seconds)}, "
        "date_time_output_format = 'iso', transform_null_in = 1, session_timezone = 'UTC', "
        "max_result_rows = 0"
    )

    if len(statement.encode()) > LONGEST_STATEMENT:
        raise server_error("Query size exceeded.")

    def work() -> Rows:
        return read_rows(installation.engine.execute(statement, "JSONCompactEachRowWithNamesAndTypes"))

    try:
        return await installation.engine.run(work)
    except ClickHouseError as fault:
        raise api_error(fault) from None


def _falsified(found: Rows, fault: Fault | None) -> Rows:
    if fault is not None and fault.kind == "truncate":
        return Rows(found.types, found.rows[: max(0, len(found.rows) - fault.rows)])
    if fault is not None and fault.kind == "double_rows":
        return Rows(found.types, [row for row in found.rows for _ in range(2)])
    return found


def _response(
    ask: Ask,
    installation: Installation,
    translation: Translation,
    found: Rows,
    timings: list[dict[str, object]],
) -> dict[str, Any]:
    now = installation.clock.now()
    paging: dict[str, Any] = {}
    rows = found.rows
    if translation.page is not None:
        paging = {"hasMore": len(rows) > translation.page, "limit": translation.page, "offset": 0}
        rows = rows[: translation.page]
    return {
        "results": rows,
        "columns": translation.columns,
        "types": [[n, t] for n, t in zip(translation.columns, found.types, strict=False)],
        **paging,
        "hogql": ask.question.text.strip(),
        "clickhouse": translation.sql,
        "query": ask.question.text,
        "timings": timings,
        "modifiers": ask.query.get("modifiers") or {},
        "error": None,
        "explain": None,
        "metadata": None,
        "is_cached": False,
        "cache_key": ask.cache_key,
        "cache_target_age": iso(now + FRESH),
        "last_refresh": iso(now),
        "next_allowed_client_refresh": iso(now + timedelta(minutes=3)),
        "timezone": ask.project.timezone,
        "query_status": None,
    }
