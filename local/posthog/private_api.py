"""The private API: projects, users, keys, organisations, flags, definitions, persons, queries.

Each call says its scope and its rate; everything is read-only but queries.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.posthog import private_objects as objects
from local.posthog import query_api
from local.posthog.errors import ApiError, not_found, parse_error
from local.posthog.installation import Installation
from local.posthog.limits import Throttle
from local.posthog.lists import page
from local.posthog.project import FeatureFlag, Project
from local.posthog.scopes import (
    Caller,
    authenticate,
    require_organization,
    require_scope,
    require_unscoped,
    resolve_project,
)

MOST_BODY_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has passed authentication: all a call needs to answer."""

    request: Request
    body: dict[str, Any]
    caller: Caller
    installation: Installation
    parts: dict[str, str]

    def project(self) -> Project:
        return resolve_project(
            self.request,
            self.body,
            self.caller,
            self.parts["project"],
            self.installation.directory,
        )


Answer = Callable[[Call], Awaitable[Response]]


def private(scope: str | None, answer: Answer, throttle: Throttle = "private") -> Answer:
    """A call behind its scope and its rate limit, refused in PostHog's order."""

    async def guarded(call: Call) -> Response:
        if scope is not None:
            require_scope(call.caller, scope)
        if "project" in call.parts:
            call.project()
        call.installation.limits.count(throttle, call.caller.budget)
        return await answer(call)

    return guarded


async def respond(request: Request, installation: Installation, parts: dict[str, str], answer: Answer) -> Response:
    """Read the body, find the caller, answer; every refusal in PostHog's shape."""
    try:
        body = await read_body(request)
        caller = authenticate(request, body, installation.directory)
        return await answer(Call(request, body, caller, installation, parts))
    except ApiError as refusal:
        return refusal.response()


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object in a request; empty when there is no body."""
    raw = await request.body()
    if len(raw) > MOST_BODY_BYTES:
        raise ApiError(413, "invalid_request", "parse_error", "Request body is too large.")
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as fault:
        raise parse_error(f"JSON parse error - {fault}") from None
    if not isinstance(body, dict):
        raise parse_error("JSON parse error - expected an object")
    return body


async def get_project(call: Call) -> Response:
    """GET /api/projects/:id/."""
    return JSONResponse(objects.project(call.project(), call.installation))


async def list_projects(call: Call) -> Response:
    """GET /api/projects/."""
    key = require_unscoped(call.caller)
    require_organization(key.organization_id, call.installation.directory)
    found = [
        objects.project(project, call.installation)
        for project in call.installation.directory.contents.projects
        if project.organization_id == key.organization_id and not project.is_deleted
    ]
    return JSONResponse(page(call.request, found))


async def get_user(call: Call) -> Response:
    """GET /api/users/@me/."""
    key = call.caller.personal
    if key is None:
        raise not_found()
    return JSONResponse(objects.user(key, call.installation))


async def get_personal_key(call: Call) -> Response:
    """GET /api/personal_api_keys/@current/."""
    key = call.caller.personal
    if key is None:
        raise not_found()
    return JSONResponse(objects.personal_key(key))


async def get_organization(call: Call) -> Response:
    """GET /api/organizations/:id/."""
    key = require_unscoped(call.caller)
    require_organization(key.organization_id, call.installation.directory)
    if call.parts["organization"] not in ("@current", key.organization_id):
        raise not_found("Organization not found.")
    home = call.installation.directory.organization(key.organization_id)
    return JSONResponse(objects.organization(home, call.installation))


async def list_flags(call: Call) -> Response:
    """GET …/feature_flags/, newest first, without deleted ones."""
    query = call.request.query_params
    flags = [f for f in call.installation.directory.flags(call.project().id) if not f.deleted]
    wanted = query.get("search", "").lower()
    flags = [f for f in flags if wanted in f.key.lower() or wanted in f.name.lower()]
    flags = [f for f in flags if _has_state(f, query.get("active"))]
    newest_first = sorted(flags, key=lambda f: (f.created_at, f.id), reverse=True)
    if query.get("order") in ("created_at", "key", "-key"):
        by = query["order"]
        newest_first.sort(
            key=lambda f: f.key if by.endswith("key") else f.created_at.isoformat(),
            reverse=by.startswith("-"),
        )
    return JSONResponse(page(call.request, [objects.flag(f) for f in newest_first]))


def _has_state(flag: FeatureFlag, wanted: str | None) -> bool:
    if wanted == "STALE":
        groups = flag.filters.get("groups")
        rolled_out = isinstance(groups, list) and any(
            isinstance(g, dict) and g.get("rollout_percentage") == 100 and not g.get("properties") for g in groups
        )
        return flag.active and rolled_out
    return wanted is None or flag.active is (wanted == "true")


async def get_flag(call: Call) -> Response:
    """GET …/feature_flags/:id/, deleted ones included."""
    wanted = call.parts["flag"]
    for flag in call.installation.directory.flags(call.project().id):
        if wanted in (str(flag.id), flag.key):
            return JSONResponse(objects.flag(flag))
    raise not_found()


async def get_remote_config(call: Call) -> Response:
    """GET …/feature_flags/:id/remote_config/: the payload alone."""
    for flag in call.installation.directory.flags(call.project().id):
        payloads = flag.filters.get("payloads")
        if call.parts["flag"] in (str(flag.id), flag.key) and isinstance(payloads, dict):
            return JSONResponse(payloads.get("true"))
    raise not_found()


async def list_event_definitions(call: Call) -> Response:
    """GET …/event_definitions/."""
    project, query = call.project(), call.request.query_params
    known = call.installation.storage(project.id).ledger.definitions
    found = [d for d in list(known.events.values()) if query.get("search", "").lower() in d.name.lower()]
    kind = query.get("event_type", "event")
    if kind in ("event_custom", "event_posthog"):
        found = [d for d in found if d.name.startswith("$") is (kind == "event_posthog")]
    ordering = query.get("ordering", "name")
    field = ordering.removeprefix("-")
    if field not in ("name", "last_seen_at", "created_at"):
        field = "name"
    found.sort(key=lambda d: getattr(d, field), reverse=ordering.startswith("-"))
    return JSONResponse(page(call.request, [objects.event_definition(d, project.id) for d in found]))


async def list_property_definitions(call: Call) -> Response:
    """GET …/property_definitions/."""
    project, query = call.project(), call.request.query_params
    owner = query.get("type", "event")
    known = call.installation.storage(project.id).ledger.definitions
    found = objects.property_definitions(known, project.id, owner)
    wanted = query.get("search", "").lower()
    found = [d for d in found if wanted in d["name"].lower()]
    if "properties" in query:
        names = query["properties"].split(",")
        found = [d for d in found if d["name"] in names]
    if "excluded_properties" in query:
        excluded = _json_list(query["excluded_properties"])
        found = [d for d in found if d["name"] not in excluded]
    if query.get("is_numerical") in ("true", "false"):
        found = [d for d in found if d["is_numerical"] is (query["is_numerical"] == "true")]
    return JSONResponse(page(call.request, found))


def _json_list(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


async def list_persons(call: Call) -> Response:
    """GET …/persons/: no count, as PostHog gives none."""
    project, query = call.project(), call.request.query_params
    installation = call.installation
    persons = installation.storage(project.id).ledger.persons
    found = await installation.engine.run(persons.all)
    if "distinct_id" in query:
        found = [p for p in found if query["distinct_id"] in p.distinct_ids]
    if "search" in query:
        wanted = query["search"].lower()
        found = [p for p in found if wanted in json.dumps(objects.person(p)).lower()]
    found.sort(key=lambda p: (p.created_at, p.id), reverse=True)
    answer = page(call.request, [objects.person(p) for p in found])
    del answer["count"]
    return JSONResponse(answer)


async def list_nothing(call: Call) -> Response:
    """The lists this PostHog keeps empty: cohorts, insights, annotations and their like."""
    call.project()
    return JSONResponse(page(call.request, []))


async def list_group_types(call: Call) -> Response:
    """GET …/groups_types/: a bare array."""
    types = call.installation.storage(call.project().id).ledger.groups.types
    return JSONResponse(
        [
            {
                "group_type": name,
                "group_type_index": index,
                "name_singular": None,
                "name_plural": None,
            }
            for name, index in types.items()
        ]
    )


async def post_query(call: Call) -> Response:
    """POST …/query/."""
    ask = query_api.read_ask(call.request, call.body, call.project())
    return await query_api.answer(ask, call.installation)


async def get_query(call: Call) -> Response:
    """GET …/query/:id/."""
    return query_api.status(call.installation, call.project(), call.parts["query"])


async def delete_query(call: Call) -> Response:
    """DELETE …/query/:id/."""
    return query_api.cancel(call.installation, call.project(), call.parts["query"])
