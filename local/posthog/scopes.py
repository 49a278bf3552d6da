"""Who is calling, and whether they may: keys, scopes, projects of a key, organisations.

Refuses in PostHog's order and words: 401 before scope, scope before project.
"""

import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from local.posthog.errors import (
    authentication_failed,
    not_authenticated,
    not_found,
    permission_denied,
)
from local.posthog.project import Directory, PersonalKey, Project, SecretKey

_BEARER = re.compile(r"^Bearer\s+(\S.+)$")
_SECRET_SCOPES = frozenset(["feature_flag:read", "query:read"])


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request: exactly one of the two."""

    personal: PersonalKey | None = None
    secret: SecretKey | None = None

    @property
    def budget(self) -> str:
        """What rate limits count under."""
        key = self.personal or self.secret
        return key.token if key else ""


def authenticate(request: Request, body: dict[str, Any], directory: Directory) -> Caller:
    """Find the key in header, body or query string; only the first candidate is tried."""
    found = _BEARER.match(request.headers.get("authorization", ""))
    place, candidate = "Authorization header", found[1].strip() if found else None
    if candidate is None and isinstance(body.get("personal_api_key"), str):
        place, candidate = "body", str(body["personal_api_key"])
    if candidate is None and "personal_api_key" in request.query_params:
        place, candidate = "query string", request.query_params["personal_api_key"]
    if candidate is None:
        raise not_authenticated()
    if candidate.startswith("phs_"):
        secret = directory.secret_key(candidate)
        if secret is not None:
            return Caller(secret=secret)
    personal = directory.personal_key(candidate)
    if personal is None:
        raise authentication_failed(f"Personal API key found in request {place} is invalid.")
    return Caller(personal=personal)


def require_scope(caller: Caller, scope: str) -> None:
    """Refuse a key without the scope; `read` is satisfied by `write`, `*` by anything."""
    if caller.secret is not None:
        if scope not in _SECRET_SCOPES or not holds(caller.secret.scopes, scope):
            raise permission_denied("This action does not support project secret API key access")
        return
    key = _personal(caller)
    if not holds(key.scopes, scope):
        raise permission_denied(f"API key missing required scope '{scope}'")


def holds(scopes: tuple[str, ...], scope: str) -> bool:
    """Whether one of the scopes opens `scope`; no scopes at all means every one."""
    wanted = {scope, "*"}
    if scope.endswith(":read"):
        wanted.add(scope.removesuffix(":read") + ":write")
    return not scopes or bool(wanted.intersection(scopes))


def resolve_project(
    request: Request, body: dict[str, Any], caller: Caller, named: str, directory: Directory
) -> Project:
    """The project a path names, if the key may see it."""
    project = _named_project(request, body, caller, named, directory)
    if caller.secret is not None:
        if caller.secret.project_id != project.id:
            raise permission_denied("You don't have access to the project.")
        return project
    key = _personal(caller)
    if key.scoped_teams and project.id not in key.scoped_teams:
        raise permission_denied(f"API key does not have access to the requested project: ID {project.id}.")
    if key.scoped_organizations and project.organization_id not in key.scoped_organizations:
        raise permission_denied(
            f"API key does not have access to the requested organization: ID {project.organization_id}."
        )
    if project.organization_id != key.organization_id:
        raise permission_denied("You don't have access to the project.")
    require_organization(project.organization_id, directory)
    return project


def require_organization(organization_id: str, directory: Directory) -> None:
    """Refuse when the organisation lets no personal key in."""
    organization = directory.organization(organization_id)
    if organization.forbids_personal_keys:
        raise permission_denied(
            f"Organization '{organization.name}' does not allow using personal API keys. "
            "Contact an admin to enable personal API keys for this organization."
        )


def require_unscoped(caller: Caller) -> PersonalKey:
    """For endpoints that belong to no project: refuse keys restricted to projects."""
    key = _personal(caller)
    if key.scoped_teams:
        raise permission_denied("API keys with scoped projects are only supported on project-based endpoints.")
    return key


def _personal(caller: Caller) -> PersonalKey:
    if caller.personal is None:
        raise permission_denied("This action does not support project secret API key access")
    return caller.personal


def _named_project(request: Request, body: dict[str, Any], caller: Caller, named: str, directory: Directory) -> Project:
    token = request.query_params.get("token") or request.query_params.get("api_key")
    token = token or body.get("token") or body.get("api_key")
    if isinstance(token, str):
        by_token = directory.by_token(token)
        if by_token is None:
            raise authentication_failed("Incorrect authentication credentials.")
        return by_token
    if named == "@current":
        current = caller.personal.current_project_id if caller.personal else None
        current = caller.secret.project_id if caller.secret else current
        project = directory.find_project(current or 0)
    else:
        project = directory.find_project(int(named)) if _is_id(named) else None
    if project is None:
        raise not_found("Project not found.")
    return project


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
