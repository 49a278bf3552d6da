"""The ASGI application: one listener for capture, flags, assets and the private API, by path.

Unknown `/api` paths are 404 JSON; any other unknown path is the web app's HTML, as on PostHog.
"""

import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local.posthog import browser_api, capture_v0, capture_v1, control_api, flags_api, misbehave
from local.posthog import private_api as private
from local.posthog.errors import ApiError, method_not_allowed, not_found
from local.posthog.installation import Installation
from local.posthog.private_api import Answer

_HTML = "<!DOCTYPE html><html><head><title>PostHog</title></head><body></body></html>"

_PROJECT = r"/api/(?:projects|environments)/(?P<project>[^/]+)"
_PRIVATE: list[tuple[str, dict[str, Answer]]] = [
    (_PROJECT, {"GET": private.private("project:read", private.get_project)}),
    (r"/api/projects", {"GET": private.private("project:read", private.list_projects)}),
    (r"/api/environments", {"GET": private.private("project:read", private.list_projects)}),
    (r"/api/users/@me", {"GET": private.private("user:read", private.get_user)}),
    (
        r"/api/personal_api_keys/@current",
        {"GET": private.private(None, private.get_personal_key)},
    ),
    (
        r"/api/organizations/(?P<organization>[^/]+)",
        {"GET": private.private("organization:read", private.get_organization)},
    ),
    (
        _PROJECT + r"/query(?:/HogQLQuery)?",
        {"POST": private.private("query:read", private.post_query, "query")},
    ),
    (
        _PROJECT + r"/query/(?P<query>[^/]+)",
        {
            "GET": private.private("query:read", private.get_query),
            "DELETE": private.private("query:read", private.delete_query),
        },
    ),
    (
        _PROJECT + r"/feature_flags",
        {"GET": private.private("feature_flag:read", private.list_flags)},
    ),
    (
        _PROJECT + r"/feature_flags/(?P<flag>[^/]+)",
        {"GET": private.private("feature_flag:read", private.get_flag)},
    ),
    (
        _PROJECT + r"/feature_flags/(?P<flag>[^/]+)/remote_config",
        {"GET": private.private("feature_flag:read", private.get_remote_config)},
    ),
    (
        _PROJECT + r"/event_definitions",
        {"GET": private.private("event_definition:read", private.list_event_definitions)},
    ),
    (
        _PROJECT + r"/property_definitions",
        {"GET": private.private("property_definition:read", private.list_property_definitions)},
    ),
    (
        _PROJECT + r"/persons",
        {"GET": private.private("person:read", private.list_persons, "clickhouse")},
    ),
    (
        _PROJECT + r"/groups_types",
        {"GET": private.private("group:read", private.list_group_types)},
    ),
    *(
        (
            f"{_PROJECT}/{name}s",
            {"GET": private.private(f"{name}:read", private.list_nothing)},
        )
        for name in ("cohort", "insight", "annotation", "action", "dashboard", "experiment", "survey")
    ),
]
_ROUTES = [(re.compile(pattern), answers) for pattern, answers in _PRIVATE]
_CONFIG = re.compile(r"/array/(?P<token>[^/]+)/(?:config|config\.js|array\.js)")


def create(installation: Installation) -> ASGIApp:
    """The application of an installation; needs no lifespan."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        if request.url.path.startswith("/_local/"):
            await (await control_api.answer(request, installation))(scope, receive, send)
            return
        installation.requests[f"{request.method} {request.url.path}"] += 1
        fault = installation.faults.meet(request.method, request.url.path)
        if installation.faults.is_off:
            await misbehave.reset(send)
            return
        await misbehave.serve(fault, request, send, lambda: _answer(request, installation))

    return app


async def _answer(request: Request, installation: Installation) -> Response:
    path = request.url.path.rstrip("/") or "/"
    if path.startswith("/api/") and not _is_public_api(path):
        return await _private(request, installation, path)
    response = await _public(request, installation, path)
    _allow_origin(request, response)
    return response


def _is_public_api(path: str) -> bool:
    return path in (
        "/api/surveys",
        "/api/early_access_features",
        "/api/feature_flag/local_evaluation",
    )


async def _private(request: Request, installation: Installation, path: str) -> Response:
    for pattern, answers in _ROUTES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        answer = answers.get(request.method)
        if answer is None:

            async def refuse(_call: private.Call) -> Response:
                raise method_not_allowed(request.method)

            answer = refuse
        return await private.respond(request, installation, found.groupdict(), answer)
    return not_found("Endpoint not found.").response()


async def _public(request: Request, installation: Installation, path: str) -> Response:
    if path in capture_v0.PATHS:
        if request.method not in ("POST", "GET", "OPTIONS"):
            return Response(status_code=405)
        return await capture_v0.capture(request, installation)
    if path in capture_v1.PATHS:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method != "POST":
            return Response(status_code=405)
        return await capture_v1.capture(request, installation)
    if path in ("/flags", "/decide"):
        return await flags_api.evaluate(request, installation)
    if path in ("/flags/definitions", "/api/feature_flag/local_evaluation"):
        return await flags_api.definitions(request, installation)
    config = _CONFIG.fullmatch(path)
    if config is not None:
        return await browser_api.config(request, installation, config["token"])
    if path == "/api/surveys":
        return await browser_api.surveys(request, installation)
    if path == "/api/early_access_features":
        return await browser_api.early_access_features(request, installation)
    if path.startswith("/static/"):
        return await browser_api.asset(installation, path)
    return _health(request, path)


def _health(request: Request, path: str) -> Response:
    if path in ("/", "/_readiness", "/_liveness"):
        return PlainTextResponse("capture" if path != "/_liveness" else "ok")
    if path == "/_health":
        return PlainTextResponse("ok")
    if path == "/_livez":
        return JSONResponse({"http": True})
    if path == "/_readyz":
        if request.query_params.get("role", "web") not in ("web", "worker", "events", "decide", "query"):
            return JSONResponse({"error": "InvalidRole"}, 400)
        return JSONResponse({"http": True, "postgres": True, "cache": True, "clickhouse": True})
    if path == "/_preflight":
        up = ("django", "redis", "plugins", "celery", "clickhouse", "kafka", "db", "initiated")
        return JSONResponse(
            {
                **dict.fromkeys(up, True),
                "object_storage": False,
                "cloud": False,
                "demo": False,
                "realm": "hosted-clickhouse",
                "region": None,
                "can_create_org": False,
                "public_egress_ip_addresses": [],
            }
        )
    return HTMLResponse(_HTML)


def _allow_origin(request: Request, response: Response) -> None:
    """CORS as capture does it: the asking origin and headers, mirrored."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    wanted = request.headers.get("access-control-request-headers")
    if wanted:
        response.headers["Access-Control-Allow-Headers"] = wanted
    response.headers["Vary"] = "Origin"


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


__all__ = ["ApiError", "create"]
