"""A PostHog on one's own machine: ClickHouse, HogQL by PostHog's parser, capture, flags, faults.

`LocalPostHog` is it in one's own process, as an ASGI app; `server.serve` is it on a port.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pydantic import JsonValue
    from starlette.types import ASGIApp

    from local.posthog.clock import Clock
    from local.posthog.faults import Faults
    from local.posthog.limits import Limits
    from local.posthog.persons import IngestionWarning
    from local.posthog.project import FeatureFlag, Project


class LocalPostHog:
    """One local PostHog, with a first project and a key that may do everything.

    Give it to httpx as `httpx.ASGITransport(app=posthog.app)`. Several without `data` can live
    in one process side by side; with `data`, one.

    >>> posthog = LocalPostHog(timezone="Europe/Berlin")
    >>> posthog.load([{"event": "signed up", "distinct_id": "u1"}])
    1
    >>> posthog.close()
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        now: datetime | None = None,
        timezone: str | None = None,
        assets: Path | None = None,
    ) -> None:
        from local.posthog.app import create
        from local.posthog.clock import Clock
        from local.posthog.installation import Installation

        self.installation = Installation(data, clock=Clock(now), assets=assets)
        directory = self.installation.directory
        if not directory.contents.projects:
            project = self.installation.add_project("Local project", timezone=timezone or "UTC")
            directory.add_personal_key(project, self.clock.now(), label="first key")
        elif timezone is not None:
            directory.change_project(directory.contents.projects[0].id, timezone=timezone)
        self.app: ASGIApp = create(self.installation)

    @property
    def clock(self) -> "Clock":
        return self.installation.clock

    @property
    def faults(self) -> "Faults":
        return self.installation.faults

    @property
    def limits(self) -> "Limits":
        return self.installation.limits

    @property
    def requests(self) -> dict[str, int]:
        """How often each method and path was asked for, control calls left out."""
        return dict(self.installation.requests)

    @property
    def project(self) -> "Project":
        """The first project as it stands now."""
        return self.installation.directory.contents.projects[0]

    @property
    def project_id(self) -> str:
        return str(self.project.id)

    @property
    def project_token(self) -> str:
        return self.project.token

    @property
    def personal_api_key(self) -> str:
        """The first key still alive."""
        return self.installation.directory.contents.personal_keys[0].token

    def add_project(
        self, name: str = "Project", *, timezone: str = "UTC", organization: str | None = None
    ) -> "Project":
        """A further project, in the first organisation or in a new one of that name."""
        directory = self.installation.directory
        home = directory.add_organization(organization).id if organization else None
        return self.installation.add_project(name, timezone=timezone, organization_id=home)

    def add_key(
        self,
        project_id: int | None = None,
        *,
        scopes: Iterable[str] = ("*",),
        scoped_teams: Iterable[int] = (),
        scoped_organizations: Iterable[str] = (),
    ) -> str:
        """A further personal API key."""
        directory = self.installation.directory
        key = directory.add_personal_key(
            directory.project(project_id or self.project.id),
            self.clock.now(),
            scopes=tuple(scopes),
            scoped_teams=tuple(scoped_teams),
            scoped_organizations=tuple(scoped_organizations),
        )
        return key.token

    def revoke_key(self, key: str) -> None:
        self.installation.directory.revoke(key)

    def change_project(self, project_id: int | None = None, **changes: object) -> "Project":
        """Change `timezone`, `name`, `week_start_day` or `is_deleted` of a project."""
        return self.installation.directory.change_project(project_id or self.project.id, **changes)

    def forbid_personal_keys(self, *, forbidden: bool = True) -> None:
        """Let the first project's organisation refuse personal keys, or accept them again."""
        self.installation.directory.change_organization(self.project.organization_id, forbids_personal_keys=forbidden)

    def put_flag(
        self,
        key: str,
        project_id: int | None = None,
        *,
        name: str = "",
        active: bool = True,
        deleted: bool = False,
        filters: "dict[str, JsonValue] | None" = None,
    ) -> "FeatureFlag":
        """Define a feature flag, or define it anew; without filters it is on for everyone."""
        return self.installation.directory.put_flag(
            project_id or self.project.id,
            key,
            self.clock.now(),
            name=name,
            active=active,
            deleted=deleted,
            filters=filters,
        )

    def load(self, events: Path | Iterable[dict[str, Any]], project_id: int | None = None) -> int:
        """Store events at their own timestamps, in this order; a file of JSON lines or objects.

        Answers how many were stored. Meant for bulk: parts of 100,000 rows, merged at the end.
        """
        from local.posthog import event_files

        now = self.clock.now()
        read, given = event_files.read, event_files.from_objects
        arrivals = read(events, now) if isinstance(events, Path) else given(events, now)
        return self.installation.load(project_id or self.project.id, arrivals)

    def load_rows(self, select: str, project_id: int | None = None) -> None:
        """Store what a ClickHouse SELECT gives, without passing through Python; for benches.

        Columns: uuid, event, distinct_id, timestamp (DateTime64(6, 'UTC')), properties (JSON
        text). The events are personless.
        """
        self.installation.fill(project_id or self.project.id, select)

    def warnings(self, project_id: int | None = None) -> "list[IngestionWarning]":
        """Refused merges and discarded events, in order."""
        ledger = self.installation.storage(project_id or self.project.id).ledger
        return list(ledger.persons.warnings)

    def close(self) -> None:
        self.installation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
