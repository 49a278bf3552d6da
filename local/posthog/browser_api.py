"""What a browser asks for besides flags: remote config, the SDK's scripts, surveys, early access features.

Everything optional is off until a project is told otherwise; scripts come from one folder of
`.js` files and nowhere else.
"""

import asyncio
import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from local.posthog.errors import ApiError
from local.posthog.installation import Installation
from local.posthog.project import Project

# posthog-js asks for /static/<version>/<name>.js, its older versions for /static/<name>.js?v=<version>.
_SCRIPT = re.compile(r"/static/(?:\d[\w.-]*/)?(?P<name>[\w-]+(?:\.[\w-]+)*\.js)")
_SCRIPT_SECONDS = 86_400
_UNKNOWN = "Project API key invalid. You can find your project API key in your PostHog project settings."


def remote_config(project: Project) -> dict[str, Any]:
    """What a browser SDK is told of a project."""
    return {
        "token": project.token,
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": True,
        "captureDeadClicks": False,
        "capturePerformance": False,
        "autocapture_opt_out": False,
        "autocaptureExceptions": False,
        "analytics": {"endpoint": "/i/v0/e/"},
        "elementsChainAsString": True,
        "errorTracking": {"autocaptureExceptions": False, "suppressionRules": []},
        "sessionRecording": False,
        "heatmaps": False,
        "surveys": False,
        "defaultIdentifiedOnly": True,
        "siteApps": [],
        "isAuthenticated": False,
        "toolbarParams": {},
        **project.remote_config,
    }


async def config(request: Request, installation: Installation, token: str) -> Response:
    """/array/<token>/config, config.js, and array.js, which is config.js with the SDK behind it: 404 for an unknown token."""
    project = installation.directory.by_token(token)
    if project is None:
        return PlainTextResponse("Token not found", 404)
    known = json.dumps(remote_config(project))
    path = request.url.path.rstrip("/")
    if not path.endswith(".js"):
        return Response(known, media_type="application/json")
    script = (
        "(function(){window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};"
        f"window._POSTHOG_REMOTE_CONFIG[{json.dumps(token)}]={{config:{known},siteApps:[]}};}})();"
    )
    sdk = await _script(installation, "array.js") if path.endswith("/array.js") else None
    return Response(script.encode() + b"\n" + (sdk or b""), media_type="application/javascript")


async def asset(installation: Installation, path: str) -> Response:
    """/static/…: a script of the folder, or 404."""
    found = _SCRIPT.fullmatch(path)
    script = await _script(installation, found["name"]) if found else None
    if script is None:
        return Response(status_code=404)
    headers = {"Cache-Control": f"public, max-age={_SCRIPT_SECONDS}"}
    return Response(script, media_type="application/javascript", headers=headers)


async def surveys(request: Request, installation: Installation) -> Response:
    """A project's surveys, by its token."""
    project = _asked(request, installation)
    return _refused() if project is None else JSONResponse({"surveys": project.surveys, "survey_config": None})


async def early_access_features(request: Request, installation: Installation) -> Response:
    """The features of the stages asked for, beta unless others are named."""
    project = _asked(request, installation)
    if project is None:
        return _refused()
    stages = request.query_params.getlist("stage") or ["beta"]
    found = [each for each in project.early_access_features if each.get("stage") in stages]
    return JSONResponse({"earlyAccessFeatures": found})


async def _script(installation: Installation, name: str) -> bytes | None:
    if installation.assets is None:
        return None
    file = installation.assets / name
    return await asyncio.to_thread(file.read_bytes) if file.is_file() else None


def _asked(request: Request, installation: Installation) -> Project | None:
    token = request.query_params.get("token") or request.query_params.get("api_key")
    return installation.directory.by_token(token or "")


def _refused() -> Response:
    return ApiError(401, "authentication_error", "invalid_api_key", _UNKNOWN).response()
