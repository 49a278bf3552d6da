"""Connects a project: tests first, then writes connection, token claim and first run in one commit.

Dying on any line loses nothing: before the commit only a draft and a secret nobody uses
are left, which `hedgerow.drafts` sweeps; after it a tick finds the first run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from pydantic import SecretStr

from functions.connect import claiming, keeping, recognising, telling, testing
from functions.connect.recognising import Sought
from functions.connect.showing import Shown
from functions.connect.testing import Asked, Findings
from functions.connect.views import ConnectionTest, ConnectionWanted
from hedgerow import days, drafts, runs, tiers
from hedgerow.app import App
from hedgerow.drafts import SecretDraft
from hedgerow.errors import ConflictError, InvalidError, MissingError, RefusedError, StateConflictError, TransientError
from hedgerow.keys import Caller
from hedgerow.logs import log
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncProgress, SyncRun, Tenant
from hedgerow.ports import Add, Change, Swap
from hedgerow.posthog import hosts
from hedgerow.records import derived_id

TRIES = 5


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection as committed, and its first run, None where nothing can be fetched."""

    connection: Connection
    run: SyncRun | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to connect: what was asked and found, and the reference of the key in the vault once written."""

    tenant_id: str
    asked: Asked
    findings: Findings
    name: str | None
    reference: str | None = None
    shown: Shown = field(default_factory=Shown)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one commit would write."""

    connection: Connection
    runs: tuple[SyncRun, ...]
    changes: tuple[Change, ...]


def asked_of(app: App, wanted: ConnectionTest) -> Asked:
    """The call's body as a test; `InvalidError` without any key or with a host that is none."""
    if wanted.personal_api_key is None and wanted.project_token is None:
        raise InvalidError(
            "Neither `personal_api_key` nor `project_token` was given.",
            code="keys_missing",
            hint="Give a personal API key (phx_) for metrics, a project token (phc_) for capture, or both.",
        )
    return Asked(
        host=hosts.read(wanted.host, testing.clouds_of(app)),
        key=_bare(wanted.personal_api_key),
        token=wanted.project_token.get_secret_value().strip() if wanted.project_token else None,
        project_id=wanted.project_id.lstrip("0") or "0" if wanted.project_id else None,
        ingestion_host=hosts.read_ingestion(wanted.ingestion_host) if wanted.ingestion_host else None,
    )


async def examine(app: App, asked: Asked) -> Findings:
    """The findings on what was asked; `ingestion_host_unproved` where events would go to a host nothing vouches for."""
    if asked.is_led_away and asked.key is None:
        # Its word on the token would be the only one.
        raise _led_away()
    findings = await testing.examine(app, asked)
    if asked.is_led_away and findings.ok and not findings.proved:
        raise _led_away()
    return findings


async def create(app: App, caller: Caller, wanted: ConnectionWanted) -> Connected:
    """Test, then connect or bring back; `connection_test_failed`, `already_connected`, `project_token_taken`."""
    asked = asked_of(app, wanted)
    findings = await examine(app, asked)
    if not findings.ok:
        raise failed(findings)
    attempt = Attempt(caller.tenant_id, asked, findings, wanted.name)
    id = (await _plan(app, attempt)).connection.id  # Refusals come before anything is written.
    if asked.key is None:
        made = await _commit(app, attempt, id, None)
    else:
        draft = await drafts.begin(app, id)
        try:
            written = replace(attempt, reference=await app.vault.write(id, asked.key))
            made = await _commit(app, written, id, draft)
        except RefusedError:
            await keeping.undo(app, draft)
            raise
        made = replace(made, connection=await keeping.settled(app, made.connection, asked.key, draft))
    await announce(app, made.runs)
    return Connected(made.connection, made.runs[0] if made.runs else None)


def connection_id(tenant_id: str, asked: Asked, findings: Findings) -> str:
    """The id that the same project of the same tenant always gets when it is new."""
    known_by = findings.project_id if asked.key is not None else f"token:{findings.token}"
    return derived_id("con", tenant_id, asked.host.origin, known_by or "")


def failed(findings: Findings) -> InvalidError:
    """The refusal of keys that cannot do what is required, with every verdict."""
    first = next(one for one in findings.capabilities if one.required and not one.ok and one.code != "not_tested")
    members: dict[str, object] = {"capabilities": [one.model_dump() for one in findings.capabilities]}
    if findings.projects:
        members["projects"] = [{"id": project.id, "name": project.name} for project in findings.projects]
    return InvalidError(first.detail, code="connection_test_failed", hint=first.hint, members=members)


def _led_away() -> InvalidError:
    return InvalidError(
        "`ingestion_host` is not the one of `host`, and no personal API key showed that the project token is the project's.",
        code="ingestion_host_unproved",
        hint="Give project_token and a personal API key with project:read along with it, or leave `ingestion_host` out.",
    )


def first_runs(app: App, connection: Connection) -> tuple[SyncRun, ...]:
    """The pending runs of the first 30 days; none for what cannot or may not be synced."""
    if not tiers.is_syncable(connection) or not connection.activity_tracking:
        return ()
    today = days.today(app.now(), connection.timezone)
    return runs.plan(connection, "first", today - timedelta(days=runs.FIRST_DAYS - 1), today, app.now())


async def announce(app: App, planned: tuple[SyncRun, ...]) -> None:
    """Publish the first run. The records stand already: a queue that fails costs speed only."""
    if not planned:
        return
    first = planned[0] if planned[0].parts == 1 else planned[1]
    try:
        await app.queue.publish(SyncRequested(connection_id=first.connection_id, run_id=first.id))
    except TransientError as error:
        log().warning("first_run.unannounced", run_id=first.id, detail=error.detail)


async def _commit(app: App, attempt: Attempt, id: str, draft: SecretDraft | None) -> Plan:
    """Plan and write; the secret was written for `id`, so another connection meanwhile is a refusal."""
    for _ in range(TRIES):
        plan = await _plan(app, attempt)
        if plan.connection.id != id:
            break
        changes = (*plan.changes, drafts.used(app, draft)) if draft else plan.changes
        try:
            committed = await app.store.commit(*changes)
        except ConflictError:
            existing = await app.store.get(Connection, id)
            if existing is not None and attempt.reference is not None and existing.secret_ref == attempt.reference:
                return replace(plan, connection=existing)  # Our own first try had succeeded.
            continue
        return replace(plan, connection=committed.of(plan.connection))
    raise StateConflictError("This connection is being changed by others.", hint="Send the call again.")


async def _plan(app: App, attempt: Attempt) -> Plan:
    tenant = await app.store.get(Tenant, attempt.tenant_id)
    if tenant is None or tenant.closing_since is not None:
        raise MissingError("The tenant of this key is gone.")
    existing = await _own(app, attempt)
    if existing is not None and existing.state in recognising.ACTIVE:
        raise claiming.already_connected(existing)
    if existing is not None and existing.state == "disconnecting":
        raise StateConflictError(
            "This connection is being disconnected.", code="disconnecting", hint="Send the call again in a minute."
        )
    connection = _fresh(app, tenant, attempt)
    if existing is not None:
        connection = await _brought_back(app, existing, connection, attempt)
    rules = tiers.load(app.settings.tiers_file)
    connection = connection.model_copy(update={"due_at": tiers.next_due(connection, rules, app.now())})
    proved = attempt.findings.proved
    claims = await claiming.changes_for(app, existing or connection, connection.project_token, proved=proved)
    planned = first_runs(app, connection)
    write = Swap(connection) if existing is not None else Add(connection)
    # The tenant is swapped unchanged: a tier change at the same moment either sees this connection or is seen by it.
    told = Add(telling.connected(connection, app.now(), attempt.reference))
    return Plan(connection, planned, (Swap(tenant), write, *claims, *(Add(run) for run in planned), told))


async def _own(app: App, attempt: Attempt) -> Connection | None:
    """The tenant's connection of this project, if it has one: to be brought back, or in the way."""
    asked, findings = attempt.asked, attempt.findings
    sought = Sought(
        id=connection_id(attempt.tenant_id, asked, findings),
        tenant_id=attempt.tenant_id,
        origin=asked.host.origin,
        project_id=findings.project_id,
        tokens=frozenset(token for token in (findings.token, findings.told) if token is not None),
    )
    found = await recognising.own(app, sought)
    if asked.key is not None or (found is not None and found.state != "disconnected"):
        return found
    return await attempt.shown.owner(app, sought) or found


def _fresh(app: App, tenant: Tenant, attempt: Attempt) -> Connection:
    asked, findings = attempt.asked, attempt.findings
    return Connection(
        id=connection_id(tenant.id, asked, findings),
        tenant_id=tenant.id,
        name=(attempt.name or findings.project_name or asked.host.origin)[:200],
        host=asked.host.origin,
        ingestion_host=asked.ingestion_host,
        project_id=findings.project_id if asked.key is not None else None,
        project_token=findings.token,
        secret_ref=attempt.reference,
        key_since=app.now() if attempt.reference is not None else None,
        state="connected",
        state_since=app.now(),
        capabilities=findings.capabilities,
        tier=tenant.tier,
        activity_tracking=tenant.activity_tracking,
        timezone=findings.timezone,
        created_at=app.now(),
    )


async def _brought_back(app: App, existing: Connection, fresh: Connection, attempt: Attempt) -> Connection:
    """A disconnected connection under its own id, whichever road led to it: what was learned and asked for stays."""
    kept: dict[str, object] = {
        "id": existing.id,
        "version": existing.version,
        "created_at": existing.created_at,
        "name": attempt.name or existing.name,
        "events": existing.events,
        "every": existing.every,
        "progress": SyncProgress(
            by_family=existing.progress.by_family, days_per_query=existing.progress.days_per_query
        ),
    }
    if fresh.project_id is None and existing.project_token == fresh.project_token:
        # Without a personal key this time; the token still says which project it is.
        kept |= {"project_id": existing.project_id, "timezone": existing.timezone}
    if existing.progress.last_success_at is not None:
        # The history is cut in the old zone; the sync notices the new one and cuts it anew.
        kept["timezone"] = existing.timezone
    if fresh.project_token is None and await claiming.holds(app, existing):
        # Apps may still send with it: their traffic must not fall away because they were not mentioned.
        kept["project_token"] = existing.project_token
    return fresh.model_copy(update=kept)


def _bare(key: SecretStr | None) -> SecretStr | None:
    return None if key is None else SecretStr(key.get_secret_value().strip())
