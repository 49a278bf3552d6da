"""The public answers about flags: /flags, /decide, definitions for local evaluation.

Unlike capture, these check that a token exists.
"""

import hashlib
import json
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from local.posthog import flags, private_objects
from local.posthog.browser_api import remote_config
from local.posthog.encodings import DecodeError, TooLargeError, decode
from local.posthog.errors import (
    ApiError,
    authentication_failed,
    method_not_allowed,
    not_authenticated,
    permission_denied,
)
from local.posthog.installation import Installation
from local.posthog.project import Project
from local.posthog.scopes import authenticate, holds

_NO_TOKEN = "No API token provided. Please include a valid API token in your request."  # noqa: S105
_UNKNOWN_TOKEN = "The provided API key is invalid or has expired. Please check your API key and try again."  # noqa: S105
_NO_ID = "The distinct_id field is missing from the request. Please include a valid identifier."


async def evaluate(request: Request, installation: Installation) -> Response:
    """POST /flags?v=2, and the older shapes of /decide."""
    if request.method != "POST":
        return _empty_config() if request.method == "GET" else Response(status_code=204)
    try:
        text = decode(
            await request.body(),
            query_text=request.query_params.get("data"),
            content_type=request.headers.get("content-type", ""),
            hint=request.query_params.get("compression", ""),
            is_legacy_path=True,
        )
        body = json.loads(text)
    except DecodeError as fault:
        return PlainTextResponse(f"Failed to decode request: {fault}", 400)
    except TooLargeError as fault:
        return PlainTextResponse(str(fault), 413)
    except ValueError as fault:
        return PlainTextResponse(f"Failed to parse request: {fault}", 400)
    if not isinstance(body, dict):
        return PlainTextResponse("Failed to parse request: expected an object", 400)
    token = body.get("token") or body.get("api_key") or body.get("$token")
    if not isinstance(token, str) or not token:
        return ApiError(401, "authentication_error", "not_authenticated", _NO_TOKEN).response()
    project = installation.directory.by_token(token)
    if project is None:
        return ApiError(401, "authentication_error", "authentication_failed", _UNKNOWN_TOKEN).response()
    distinct_id = body.get("distinct_id") or body.get("$distinct_id")
    if distinct_id is None or distinct_id == "":
        return PlainTextResponse(_NO_ID, 400)
    return JSONResponse(_evaluated(request, body, str(distinct_id), project, installation))


def _evaluated(
    request: Request,
    body: dict[str, Any],
    distinct_id: str,
    project: Project,
    installation: Installation,
) -> dict[str, Any]:
    person = installation.storage(project.id).ledger.persons.find(distinct_id)
    properties = {**(person.properties if person else {}), **_object(body, "person_properties")}
    wanted = body.get("flag_keys_to_evaluate") or None
    found = [
        (flag, flags.evaluate(flag, distinct_id, properties, _object(body, "groups")))
        for flag in installation.directory.flags(project.id)
        if not flag.deleted and (wanted is None or flag.key in wanted)
    ]
    config = remote_config(project) if request.query_params.get("config") == "true" else {}
    path = request.url.path.rstrip("/")
    version = request.query_params.get("v", "3" if path == "/decide" else "2").partition(".")[0]
    if path == "/decide" and version in ("1", "2", "3"):
        on = {flag.key: each.value for flag, each in found if each.enabled or version == "3"}
        payloads = {f.key: text for f, each in found if (text := flags.payload(f, each))}
        return {
            **remote_config(project),
            "featureFlags": [key for key, value in on.items() if value] if version == "1" else on,
            "featureFlagPayloads": payloads,
            "errorsWhileComputingFlags": False,
        }
    return {
        **config,
        "flags": {flag.key: flags.shown(flag, each) for flag, each in found if flag.active},
        "errorsWhileComputingFlags": False,
        "requestId": str(uuid.uuid4()),
        "evaluatedAt": int(installation.clock.now().timestamp() * 1000),
    }


async def definitions(request: Request, installation: Installation) -> Response:
    """Flag definitions for local evaluation, with an ETag that saves repeating them."""
    if request.method == "HEAD":
        return Response()
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": "GET, HEAD, OPTIONS"})
    try:
        if request.method != "GET":
            raise method_not_allowed(request.method)
        project = _project_for_definitions(request, installation)
    except ApiError as refusal:
        return refusal.response()
    ledger = installation.storage(project.id).ledger
    body = {
        "flags": [private_objects.flag(flag) for flag in installation.directory.flags(project.id) if not flag.deleted],
        "group_type_mapping": {str(n): name for name, n in ledger.groups.types.items()},
        "cohorts": {},
    }
    text = json.dumps(body, sort_keys=True)
    tag = hashlib.sha256(text.encode()).hexdigest()[:16]
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": "private, must-revalidate"}
    given = request.headers.get("if-none-match", "").removeprefix("W/").strip('"')
    if given == tag:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="application/json", headers=headers)


def _project_for_definitions(request: Request, installation: Installation) -> Project:
    try:
        caller = authenticate(request, {}, installation.directory)
    except ApiError as refusal:
        if refusal.code == "not_authenticated":
            raise not_authenticated() from None
        secret = "phs_" in request.headers.get("authorization", "")
        kind = "Secret API token" if secret else "Personal API key"
        raise authentication_failed(f"{kind} is invalid.") from None
    installation.limits.count("local_evaluation", caller.budget)
    if caller.personal and not holds(caller.personal.scopes, "feature_flag:read"):
        raise permission_denied("Personal API key lacks required scopes (feature_flag:read or feature_flag:write).")
    token = request.query_params.get("token")
    if token is not None:
        named = installation.directory.by_token(token)
    elif caller.secret:
        named = installation.directory.find_project(caller.secret.project_id)
    else:
        current = caller.personal.current_project_id if caller.personal else 0
        named = installation.directory.find_project(current)
    if named is None:
        raise authentication_failed("Project token is invalid.")
    if caller.secret and caller.secret.project_id != named.id:
        raise authentication_failed("Secret API token is invalid.")
    if caller.personal and caller.personal.organization_id != named.organization_id:
        raise permission_denied("You don't have access to the project.")
    return named


def _empty_config() -> Response:
    return JSONResponse({"supportedCompression": ["gzip", "gzip-js"], "flags": {}})


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}
