"""What exists before any event does: organisations, projects, keys and feature flags.

Kept in one file beside ClickHouse's, replaced whole at every change, readable by its owner only.
"""

import json
import os
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, JsonValue

P = ParamSpec("P")
T = TypeVar("T")

FILE_NAME = "projects.json"


class Record(BaseModel):
    """Something kept in the file."""

    model_config = ConfigDict(frozen=True)


class Organization(Record):
    """Who owns projects; may forbid personal keys to all."""

    id: str
    name: str
    forbids_personal_keys: bool = False


class Project(Record):
    """A project; `token` is public, ships in browsers and opens capture.

    `remote_config` is laid over what every browser is told.
    """

    id: int
    uuid: str
    organization_id: str
    name: str
    token: str = Field(repr=False)
    timezone: str = "UTC"
    week_start_day: int = 0
    created_at: datetime
    is_deleted: bool = False
    remote_config: dict[str, JsonValue] = Field(default_factory=dict)
    surveys: tuple[dict[str, JsonValue], ...] = ()
    early_access_features: tuple[dict[str, JsonValue], ...] = ()


class PersonalKey(Record):
    """A `phx_` key: `*` among the scopes opens everything; empty `scoped_teams` means all."""

    id: str
    token: str = Field(repr=False)
    label: str
    scopes: tuple[str, ...] = ("*",)
    scoped_teams: tuple[int, ...] = ()
    scoped_organizations: tuple[str, ...] = ()
    current_project_id: int
    organization_id: str
    is_active: bool = True
    created_at: datetime


class SecretKey(Record):
    """A `phs_` key of one project, for local evaluation and little else."""

    token: str = Field(repr=False)
    project_id: int
    scopes: tuple[str, ...] = ("feature_flag:read", "query:read")


class FeatureFlag(Record):
    """A flag as the private API shows it; `filters` are PostHog's."""

    id: int
    project_id: int
    key: str
    name: str = ""
    active: bool = True
    deleted: bool = False
    filters: dict[str, JsonValue] = Field(default_factory=dict)
    version: int = 1
    created_at: datetime
    updated_at: datetime


class Contents(Record):
    """Everything the file holds."""

    organizations: tuple[Organization, ...] = ()
    projects: tuple[Project, ...] = ()
    personal_keys: tuple[PersonalKey, ...] = ()
    secret_keys: tuple[SecretKey, ...] = ()
    flags: tuple[FeatureFlag, ...] = ()


def _in_turn(change: Callable[Concatenate["Directory", P], T]) -> Callable[Concatenate["Directory", P], T]:
    """One change after the other: two at once would read the same contents, and the later lose the earlier."""

    @wraps(change)
    def changing(directory: "Directory", /, *arguments: P.args, **named: P.kwargs) -> T:
        with directory.turn:
            return change(directory, *arguments, **named)

    return changing


class Directory:
    """The contents of the file, and the ways to change them. Without a path nothing is kept."""

    def __init__(self, home: Path | None) -> None:
        self._path = None if home is None else home / FILE_NAME
        self.turn = RLock()
        self.contents = Contents()
        if self._path is not None and self._path.exists():
            self.contents = Contents.model_validate_json(self._path.read_text())

    @_in_turn
    def add_organization(self, name: str, *, forbids_personal_keys: bool = False) -> Organization:
        organization = Organization(id=str(uuid.uuid4()), name=name, forbids_personal_keys=forbids_personal_keys)
        self.save(organizations=(*self.contents.organizations, organization))
        return organization

    @_in_turn
    def add_project(self, name: str, organization_id: str, timezone: str, at: datetime) -> Project:
        known_zone(timezone)
        project = Project(
            id=max((project.id for project in self.contents.projects), default=0) + 1,
            uuid=str(uuid.uuid4()),
            organization_id=organization_id,
            name=name,
            token="phc_" + secrets.token_hex(20),
            timezone=timezone,
            created_at=at,
        )
        self.save(projects=(*self.contents.projects, project))
        return project

    @_in_turn
    def add_personal_key(
        self,
        project: Project,
        at: datetime,
        *,
        label: str = "local",
        scopes: tuple[str, ...] = ("*",),
        scoped_teams: tuple[int, ...] = (),
        scoped_organizations: tuple[str, ...] = (),
    ) -> PersonalKey:
        key = PersonalKey(
            id=secrets.token_hex(8),
            token="phx_" + secrets.token_hex(20),
            label=label,
            scopes=scopes,
            scoped_teams=scoped_teams,
            scoped_organizations=scoped_organizations,
            current_project_id=project.id,
            organization_id=project.organization_id,
            created_at=at,
        )
        self.save(personal_keys=(*self.contents.personal_keys, key))
        return key

    @_in_turn
    def add_secret_key(self, project_id: int) -> SecretKey:
        key = SecretKey(token="phs_" + secrets.token_hex(20), project_id=project_id)
        self.save(secret_keys=(*self.contents.secret_keys, key))
        return key

    @_in_turn
    def revoke(self, token: str) -> None:
        self.save(
            personal_keys=tuple(k for k in self.contents.personal_keys if k.token != token),
            secret_keys=tuple(k for k in self.contents.secret_keys if k.token != token),
        )

    @_in_turn
    def change_project(self, /, project_id: int, **changes: object) -> Project:
        timezone = changes.get("timezone")
        if timezone is not None:
            known_zone(str(timezone))
        changed = self.project(project_id).model_copy(update=changes)
        others = [p for p in self.contents.projects if p.id != project_id]
        projects = sorted([*others, changed], key=lambda p: p.id)
        self.save(projects=tuple(projects))
        return changed

    @_in_turn
    def change_organization(self, organization_id: str, *, forbids_personal_keys: bool) -> None:
        changed = self.organization(organization_id).model_copy(update={"forbids_personal_keys": forbids_personal_keys})
        others = tuple(o for o in self.contents.organizations if o.id != organization_id)
        self.save(organizations=(*others, changed))

    @_in_turn
    def put_flag(
        self,
        project_id: int,
        key: str,
        at: datetime,
        *,
        name: str = "",
        active: bool = True,
        deleted: bool = False,
        filters: dict[str, JsonValue] | None = None,
    ) -> FeatureFlag:
        """Define a flag, or define it anew under the same id, one version higher."""
        known = next((f for f in self.flags(project_id) if f.key == key), None)
        flag = FeatureFlag(
            id=known.id if known else len(self.contents.flags) + 1,
            project_id=project_id,
            key=key,
            name=name,
            active=active,
            deleted=deleted,
            filters=filters or {"groups": [{"properties": [], "rollout_percentage": 100}]},
            version=known.version + 1 if known else 1,
            created_at=known.created_at if known else at,
            updated_at=at,
        )
        others = [f for f in self.contents.flags if f.id != flag.id]
        flags = sorted([*others, flag], key=lambda f: f.id)
        self.save(flags=tuple(flags))
        return flag

    def project(self, project_id: int) -> Project:
        """A project, deleted or not; raises ValueError when there is none of that id."""
        found = [p for p in self.contents.projects if p.id == project_id]
        if not found:
            raise ValueError(f"there is no project {project_id}")
        return found[0]

    def find_project(self, project_id: int) -> Project | None:
        return next((p for p in self.contents.projects if p.id == project_id and not p.is_deleted), None)

    def by_token(self, token: str) -> Project | None:
        return next((p for p in self.contents.projects if p.token == token and not p.is_deleted), None)

    def organization(self, organization_id: str) -> Organization:
        return next(o for o in self.contents.organizations if o.id == organization_id)

    def personal_key(self, token: str) -> PersonalKey | None:
        return next((k for k in self.contents.personal_keys if k.token == token and k.is_active), None)

    def secret_key(self, token: str) -> SecretKey | None:
        return next((k for k in self.contents.secret_keys if k.token == token), None)

    def flags(self, project_id: int) -> list[FeatureFlag]:
        return [f for f in self.contents.flags if f.project_id == project_id]

    @_in_turn
    def save(self, /, **changes: tuple[Record, ...]) -> None:
        """Replace some of the contents, and the file with them, in one step."""
        self.contents = self.contents.model_copy(update=changes)
        if self._path is None:
            return
        draft = self._path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.contents.model_dump(mode="json"), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def known_zone(name: str) -> str:
    """The name of an existing time zone; raises ValueError for any other."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone") from None
    return name
