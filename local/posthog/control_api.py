"""The `/_local/…` calls, for tests in any language: clock, faults, projects, flags, limits, counts."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.posthog.errors import ApiError
from local.posthog.faults import Fault
from local.posthog.installation import Installation
from local.posthog.limits import Rate, Throttle
from local.posthog.private_api import read_body
from local.posthog.query_status import iso

_FOR_BROWSERS = ("remote_config", "surveys", "early_access_features")


class Wanted(BaseModel):
    """The body of a control call; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ClockWanted(Wanted):
    """Any of: set to `now`, go on by `advance` seconds, `freeze`, or `start` again."""

    now: datetime | None = None
    advance: float | None = None
    freeze: bool = False
    start: bool = False


class ProjectWanted(Wanted):
    """A new project with a key of its own, or with `id` a change to one that exists."""

    id: int | None = None
    name: str = "Project"
    timezone: str | None = None
    organization: str | None = None
    forbids_personal_keys: bool | None = None
    is_deleted: bool | None = None
    week_start_day: int | None = None
    remote_config: dict[str, JsonValue] | None = None
    surveys: tuple[dict[str, JsonValue], ...] | None = None
    early_access_features: tuple[dict[str, JsonValue], ...] | None = None
    scopes: list[str] = ["*"]


class KeyWanted(Wanted):
    """A further key of a project: personal, or with `secret` a `phs_` key."""

    project_id: int
    label: str = "local"
    scopes: list[str] = ["*"]
    scoped_teams: list[int] = []
    scoped_organizations: list[str] = []
    secret: bool = False


class RevokeWanted(Wanted):
    """The key that shall open nothing any more."""

    revoke: str


class FlagWanted(Wanted):
    """A flag of a project, the first one if none is named; without filters on for everyone."""

    project_id: int | None = None
    key: str
    name: str = ""
    active: bool = True
    deleted: bool = False
    filters: dict[str, JsonValue] | None = None


class LimitsWanted(Wanted):
    """`off` lifts everything, `reset` restores PostHog's numbers; the rest changes single ones."""

    off: bool = False
    reset: bool = False
    rates: dict[Throttle, list[tuple[int, int]]] = {}
    concurrency: int | None = None
    longest_wait: float | None = None
    query_seconds: float | None = None
    execution_seconds: float | None = None


class OffWanted(Wanted):
    """Whether every request but control calls is met by a closed connection."""

    off: bool = True


async def answer(request: Request, installation: Installation) -> Response:
    """Carry out a control call; 400 says what was wrong with it."""
    verbs = _VERBS.get(request.url.path.removeprefix("/_local/").rstrip("/"), {})
    verb = verbs.get(request.method)
    if verb is None:
        return JSONResponse({"error": f"no such control: {request.method} {request.url.path}"}, 404)
    try:
        return JSONResponse(await verb(await read_body(request), installation))
    except ApiError as refusal:
        return refusal.response()
    except ValidationError as fault:
        return JSONResponse({"error": fault.errors(include_url=False, include_context=False)}, 400)
    except ValueError as fault:
        return JSONResponse({"error": str(fault)}, 400)


async def _clock(body: dict[str, Any], installation: Installation) -> object:
    wanted, clock = ClockWanted.model_validate(body), installation.clock
    if wanted.now is not None:
        clock.move_to(wanted.now)
    if wanted.advance is not None:
        clock.advance(timedelta(seconds=wanted.advance))
    if wanted.freeze:
        clock.freeze()
    if wanted.start:
        clock.start()
    return {"now": iso(clock.now())}


async def _set_fault(body: dict[str, Any], installation: Installation) -> object:
    fault = Fault.model_validate(body)
    installation.faults.set(fault)
    return fault.model_dump()


async def _clear_faults(_body: dict[str, Any], installation: Installation) -> object:
    installation.faults.clear()
    return {}


async def _off(body: dict[str, Any], installation: Installation) -> object:
    installation.faults.is_off = OffWanted.model_validate(body).off
    return {"off": installation.faults.is_off}


async def _put_project(body: dict[str, Any], installation: Installation) -> object:
    wanted, directory = ProjectWanted.model_validate(body), installation.directory
    token = None
    if wanted.id is None:
        organization = None
        if wanted.organization is not None:
            known = [o for o in directory.contents.organizations if o.name == wanted.organization]
            organization = (known[0] if known else directory.add_organization(wanted.organization)).id
        project = await installation.add_project_soon(
            wanted.name, timezone=wanted.timezone or "UTC", organization_id=organization
        )
        scopes = tuple(wanted.scopes)
        token = directory.add_personal_key(project, installation.clock.now(), scopes=scopes).token
    else:
        project = directory.project(wanted.id)
    changes = {
        name: value
        for name in ("timezone", "is_deleted", "week_start_day", *_FOR_BROWSERS)
        if (value := getattr(wanted, name)) is not None
    }
    project = directory.change_project(project.id, **changes)
    if wanted.forbids_personal_keys is not None:
        directory.change_organization(project.organization_id, forbids_personal_keys=wanted.forbids_personal_keys)
    return {
        "project_id": project.id,
        "project_token": project.token,
        "personal_api_key": token,
        "timezone": project.timezone,
        "organization_id": project.organization_id,
    }


async def _add_key(body: dict[str, Any], installation: Installation) -> object:
    wanted, directory = KeyWanted.model_validate(body), installation.directory
    project = directory.project(wanted.project_id)
    if wanted.secret:
        return {"secret_api_key": directory.add_secret_key(project.id).token}
    key = directory.add_personal_key(
        project,
        installation.clock.now(),
        label=wanted.label,
        scopes=tuple(wanted.scopes),
        scoped_teams=tuple(wanted.scoped_teams),
        scoped_organizations=tuple(wanted.scoped_organizations),
    )
    return {"personal_api_key": key.token}


async def _revoke_key(body: dict[str, Any], installation: Installation) -> object:
    installation.directory.revoke(RevokeWanted.model_validate(body).revoke)
    return {}


async def _put_flag(body: dict[str, Any], installation: Installation) -> object:
    wanted, directory = FlagWanted.model_validate(body), installation.directory
    project_id = wanted.project_id or directory.contents.projects[0].id
    flag = directory.put_flag(
        directory.project(project_id).id,
        wanted.key,
        installation.clock.now(),
        name=wanted.name,
        active=wanted.active,
        deleted=wanted.deleted,
        filters=wanted.filters,
    )
    return flag.model_dump(mode="json")


async def _set_limits(body: dict[str, Any], installation: Installation) -> object:
    wanted, limits = LimitsWanted.model_validate(body), installation.limits
    if wanted.reset:
        limits.restore()
    if wanted.off:
        limits.lift()
    for throttle, rates in wanted.rates.items():
        limits.shrink(throttle, *(Rate(*rate) for rate in rates))
    for name in ("concurrency", "longest_wait", "query_seconds", "execution_seconds"):
        value = getattr(wanted, name)
        if value is not None:
            setattr(limits, name, value)
    return {}


async def _requests(_body: dict[str, Any], installation: Installation) -> object:
    return {"requests": dict(installation.requests), "total": installation.requests.total()}


async def _forget_requests(_body: dict[str, Any], installation: Installation) -> object:
    installation.requests.clear()
    return {}


async def _recordings(_body: dict[str, Any], installation: Installation) -> object:
    return installation.recordings.shown()


async def _warnings(_body: dict[str, Any], installation: Installation) -> object:
    return {
        str(project.id): [asdict(warning) for warning in installation.storage(project.id).ledger.persons.warnings]
        for project in installation.directory.contents.projects
    }


_Verb = Callable[[dict[str, Any], Installation], Awaitable[object]]
_VERBS: dict[str, dict[str, _Verb]] = {
    "clock": {"POST": _clock, "GET": _clock},
    "faults": {"POST": _set_fault, "DELETE": _clear_faults},
    "off": {"POST": _off},
    "projects": {"POST": _put_project},
    "keys": {"POST": _add_key, "DELETE": _revoke_key},
    "flags": {"POST": _put_flag},
    "limits": {"POST": _set_limits},
    "recordings": {"GET": _recordings},
    "requests": {"GET": _requests, "DELETE": _forget_requests},
    "warnings": {"GET": _warnings},
}
