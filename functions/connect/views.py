"""What the connect family takes and shows. Keys go in and never come out; of a project token the last four."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

from functions.connect.diagnosis import Diagnosis
from functions.connect.testing import Findings
from hedgerow import foreign, tiers
from hedgerow.models import ApiKey, Capability, Connection, ConnectionState, Role, Tenant, Tier
from hedgerow.posthog.hosts import ingestion_of
from hedgerow.records import Instant
from hedgerow.runs import RunView
from hedgerow.tiers import TierRules

MOST_EVENTS = 100
LONGEST_EVERY = 44_640


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the character NUL is not allowed")
    return text


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(foreign.refuse_unprintable),
]
EventName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_without_nul)]
ProjectId = Annotated[str, BeforeValidator(_digits), StringConstraints(pattern=r"^[0-9]{1,18}$")]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Key = Annotated[SecretStr, Field(min_length=1, max_length=500)]


class Wanted(BaseModel):
    """The body of a call; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TenantWanted(Wanted):
    """A new tenant."""

    name: Name
    tier: Tier


class TenantChange(Wanted):
    """What may change of a tenant; a field left out stays."""

    tier: Tier = "starter"
    activity_tracking: Annotated[bool, Field(strict=True)] = True


class KeyWanted(Wanted):
    """A new key of a tenant."""

    label: Name
    role: Role


class ConnectionTest(Wanted):
    """What to test; at least one of the keys."""

    host: Address
    project_token: Key | None = None
    personal_api_key: Key | None = None
    project_id: ProjectId | None = None
    ingestion_host: Address | None = None


class ConnectionWanted(ConnectionTest):
    """What to connect."""

    name: Name | None = None


class ConnectionChange(Wanted):
    """What may change of a connection; a field left out stays."""

    name: Name = "unchanged"
    personal_api_key: Key = SecretStr("unchanged")
    project_token: Key = SecretStr("unchanged")
    every: Annotated[int, Field(strict=True, ge=1, le=LONGEST_EVERY)] | None = Field(
        default=None, description="Minutes between syncs, slower than the tier's; null goes back to the tier's."
    )
    events: Annotated[tuple[EventName, ...], Field(max_length=MOST_EVENTS)] = ()


class TenantView(BaseModel):
    """A tenant."""

    id: str
    name: str
    tier: Tier
    activity_tracking: bool
    created_at: Instant


class TenantCreated(TenantView):
    """A tenant just made, with its first key, shown this once."""

    api_key: str


class KeyView(BaseModel):
    """A key, without its secret."""

    id: str
    label: str
    role: Role
    created_at: Instant
    last_used_at: Instant | None = Field(description="To within ten minutes.")


class KeyCreated(KeyView):
    """A key just made, shown this once."""

    api_key: str


class ProjectSeen(BaseModel):
    """A project a key sees."""

    id: str
    name: str


class ConnectionTested(BaseModel):
    """The verdicts on a host and its keys."""

    ok: bool
    capabilities: tuple[Capability, ...]
    host: str = Field(description="The address as Hedgerow would use it.")
    ingestion_host: str
    project_id: str | None
    timezone: str | None
    projects: tuple[ProjectSeen, ...] = Field(description="What to choose from, where several projects are in sight.")


class ConnectionView(BaseModel):
    """A connection."""

    id: str
    name: str
    host: str
    ingestion_host: str
    project_id: str | None
    project_token_ends: str | None = Field(description="The project token's last four characters.")
    has_personal_api_key: bool
    key_since: Instant | None = Field(
        description="When the personal API key in use was given; null without one, or where an older release took it."
    )
    state: ConnectionState
    state_since: Instant
    timezone: str
    tier: Tier
    activity_tracking: bool
    every: int | None = Field(description="The slower schedule asked for, in minutes; null: the tier's.")
    syncs_every: int | None = Field(description="The schedule in force, in minutes; null: by hand.")
    events: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    created_at: Instant
    due_at: Instant | None
    last_success_at: Instant | None
    diagnosis: Diagnosis


class ConnectionCreated(ConnectionView):
    """A connection just made, with the run that fetches its first 30 days; null where nothing can be fetched."""

    run: RunView | None


def tenant_view(tenant: Tenant) -> TenantView:
    """What the API shows of a tenant."""
    return TenantView.model_validate(tenant, from_attributes=True)


def key_view(key: ApiKey) -> KeyView:
    """What the API shows of a key."""
    return KeyView.model_validate(key, from_attributes=True)


def tested_view(host: str, ingestion_host: str, findings: Findings) -> ConnectionTested:
    """What the API shows of a test."""
    return ConnectionTested(
        ok=findings.ok,
        capabilities=findings.capabilities,
        host=host,
        ingestion_host=ingestion_host,
        project_id=findings.project_id,
        timezone=findings.timezone if findings.project_id else None,
        projects=tuple(ProjectSeen(id=one.id, name=one.name) for one in findings.projects),
    )


def connection_view(connection: Connection, diagnosis: Diagnosis, rules: dict[Tier, TierRules]) -> ConnectionView:
    """What the API shows of a connection."""
    shown_otherwise = {"every", "capabilities", "ingestion_host"}
    as_it_is = set(ConnectionView.model_fields) & set(Connection.model_fields) - shown_otherwise
    return ConnectionView(
        **connection.model_dump(include=as_it_is),
        ingestion_host=connection.ingestion_host or ingestion_of(connection.host),
        project_token_ends=_ends(connection.project_token),
        has_personal_api_key=connection.secret_ref is not None,
        every=_minutes(connection.every),
        syncs_every=_minutes(tiers.interval(connection, rules)),
        capabilities=connection.capabilities,
        last_success_at=connection.progress.last_success_at,
        diagnosis=diagnosis,
    )


def _ends(token: str | None) -> str | None:
    # A short token's last four would be most of it.
    return token[-4:] if token is not None and len(token) >= 12 else None


def _minutes(every: timedelta | None) -> int | None:
    return None if every is None else int(every.total_seconds() // 60)
