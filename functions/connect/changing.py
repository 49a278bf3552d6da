"""Changes a connection that stands: its name, schedule, pinned events and keys; pauses and resumes it.

A new key is tested before it replaces the old one, and the old one is destroyed only
after the commit that replaced it. What a dead attempt left in the vault is swept by its draft.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from pydantic import SecretStr

from functions.connect import claiming, connecting, keeping, recognising, telling, testing
from functions.connect.keeping import Written
from functions.connect.testing import Asked, Findings
from functions.connect.views import ConnectionChange
from hedgerow import drafts, tiers
from hedgerow.app import App
from hedgerow.errors import ConflictError, InvalidError, RefusedError, SecretGoneError, StateConflictError
from hedgerow.models import Connection, SyncRun, Tenant
from hedgerow.ownership import no_connection
from hedgerow.ports import Add, Swap
from hedgerow.posthog.hosts import Host

TRIES = 5
Edit = Callable[[Connection], Connection]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys given anew; None keeps the one that is there."""

    key: SecretStr | None = None
    token: str | None = None


async def change(app: App, connection: Connection, wanted: ConnectionChange) -> Connection:
    """Apply what was given; `connection_test_failed`, `every_too_fast`, `by_hand_tier`, `connection_disconnected`."""
    _open_to_change(connection)
    given = wanted.model_fields_set
    every = timedelta(minutes=wanted.every) if wanted.every is not None else None
    if every is not None:
        _slower(app, connection, every)
    fields: dict[str, object] = {}
    if "name" in given:
        fields["name"] = wanted.name
    if "every" in given:
        fields["every"] = every
    if "events" in given:
        fields["events"] = tuple(dict.fromkeys(wanted.events))
    keys = Keys(
        key=SecretStr(wanted.personal_api_key.get_secret_value().strip()) if "personal_api_key" in given else None,
        token=wanted.project_token.get_secret_value().strip() if "project_token" in given else None,
    )

    def edit(current: Connection) -> Connection:
        return current.model_copy(update=fields)

    if keys == Keys():
        # Only a schedule that changed is planned anew: a sync that is due must not be put off by a new name.
        return await _swap(
            app, connection.id, lambda now: _replanned(app, edit(now)) if "every" in given else edit(now)
        )
    return await _rekey(app, connection, keys, edit)


async def pause(app: App, connection: Connection) -> Connection:
    """Stop syncing until resumed. Pausing twice changes nothing."""

    def edit(current: Connection) -> Connection:
        if current.state == "paused":
            return current
        if current.state == "needs_attention":
            raise StateConflictError(
                "The connection needs attention and makes no attempts already.",
                code="needs_attention",
                hint="Give it a new key, or disconnect it.",
            )
        return current.model_copy(update={"state": "paused", "state_since": app.now(), "due_at": None})

    return await _swap(app, connection.id, edit)


async def resume(app: App, connection: Connection) -> Connection:
    """Go on. One that needs attention is tested first with the keys it has: scopes can be mended in PostHog."""
    _open_to_change(connection)
    if connection.state == "needs_attention":
        return await _rekey(app, connection, Keys(), lambda current: current)

    def edit(current: Connection) -> Connection:
        if current.state != "paused":
            return current
        return _replanned(app, current.model_copy(update={"state": "connected", "state_since": app.now()}))

    return await _swap(app, connection.id, edit)


async def _rekey(app: App, connection: Connection, keys: Keys, edit: Edit) -> Connection:
    """Test with the new keys, write the secret, swap, destroy the old one, in this order."""
    findings = await _examined(app, connection, keys)
    if keys.key is None:
        changed, planned = await _swap_keys(app, connection, keys, findings, None, edit)
    else:
        draft = await drafts.begin(app, connection.id)
        try:
            written = Written(await app.vault.write(connection.id, keys.key), draft)
            changed, planned = await _swap_keys(app, connection, keys, findings, written, edit)
        except RefusedError:
            await keeping.undo(app, draft)
            raise
        changed = await keeping.settled(app, changed, keys.key, draft)
    await connecting.announce(app, planned)
    return changed


async def _examined(app: App, connection: Connection, keys: Keys) -> Findings:
    """The findings on the keys as they would stand; `connection_test_failed` when they cannot do what is required."""
    key = keys.key or await _stored_key(app, connection)
    token = keys.token or connection.project_token
    asked = Asked(Host(connection.host), key, token, connection.project_id, connection.ingestion_host)
    findings = await testing.examine(app, asked)
    if keys.token is None and connection.project_id is not None:
        # The stored token was judged when it came: a new key is not refused for it.
        kept = tuple(
            one.model_copy(update={"required": False}) if one.name == "capture" else one
            for one in findings.capabilities
        )
        findings = replace(findings, capabilities=kept)
    must_prove = keys.token is not None or connection.project_id is None
    if key is not None and token is not None and must_prove and findings.token is None:
        # A connect may leave an unproved token out; here that would be the change asked for, or the token that stands.
        strict = tuple(
            one.model_copy(update={"required": True}) if one.name == "capture" else one for one in findings.capabilities
        )
        findings = replace(findings, capabilities=strict)
    if not findings.ok:
        raise connecting.failed(findings)
    return findings


async def _swap_keys(
    app: App, before: Connection, keys: Keys, findings: Findings, written: Written | None, edit: Edit
) -> tuple[Connection, tuple[SyncRun, ...]]:
    reference = written.reference if written else None
    for _ in range(TRIES):
        current = await _current(app, before.id)
        if current.secret_ref != before.secret_ref:
            if reference is not None and current.secret_ref == reference:
                return current, ()  # Our own first try had succeeded.
            raise StateConflictError(
                "Somebody else replaced the key at the same moment.",
                code="key_replaced",
                hint="Look, then decide again.",
            )
        changed = _rekeyed(app, edit(current), keys, findings, reference)
        learns = current.project_id is None and changed.project_id is not None
        # Swapped unchanged: a connect of the same project at the same moment either sees this one or is seen by it.
        tenant = await app.store.get(Tenant, current.tenant_id) if learns else None
        other = await recognising.other_of_project(app, changed)
        if other is not None:
            raise claiming.already_connected(other)
        claims = await claiming.changes_for(app, current, changed.project_token, proved=findings.proved)
        never = changed.state == "connected" and changed.progress.last_success_at is None
        planned = (
            connecting.first_runs(app, changed)
            if (never and current.state != "connected") or _gained(current, changed)
            else ()
        )
        try:
            guard = (Swap(tenant),) if tenant is not None else ()
            healed = current.state == "needs_attention" and changed.state == "connected"
            told = (Add(telling.connected(changed, app.now(), changed.secret_ref)),) if healed else ()
            over = (drafts.used(app, written.draft),) if written else ()
            done = await app.store.commit(Swap(changed), *guard, *claims, *(Add(run) for run in planned), *told, *over)
        except ConflictError:
            continue
        return done.of(changed), planned
    raise StateConflictError("This connection is being changed by others.", hint="Send the call again.")


def _rekeyed(app: App, current: Connection, keys: Keys, findings: Findings, reference: str | None) -> Connection:
    update: dict[str, object] = {
        "capabilities": findings.capabilities,
        "project_token": keys.token or current.project_token,
    }
    if reference is not None:
        update |= {"secret_ref": reference, "key_since": app.now()}
    if findings.token != current.project_token and keys.token is not None and not findings.proved:
        # The former token said which project it was; nothing says it of this one.
        update["project_id"] = None
    if current.project_id is None and findings.project_id is not None:
        update |= {"project_id": findings.project_id, "timezone": findings.timezone}
    if current.state == "needs_attention":
        healed = current.progress.model_copy(update={"failures": 0})
        update |= {"state": "connected", "state_since": app.now(), "trouble": None, "progress": healed}
    return _replanned(app, current.model_copy(update=update))


def _gained(before: Connection, after: Connection) -> bool:
    """Did a capture-only connection just learn to read?"""
    # One that came back with its project token alone may know its project's number still.
    could, can = (one.secret_ref is not None and one.project_id is not None for one in (before, after))
    return can and not could


async def _stored_key(app: App, connection: Connection) -> SecretStr | None:
    if connection.secret_ref is None:
        return None
    try:
        return await app.vault.read(connection.secret_ref)
    except SecretGoneError as error:
        raise StateConflictError(error.detail, code=error.code, hint=error.hint) from None


async def _swap(app: App, id: str, edit: Edit) -> Connection:
    """Read, edit, swap, again when a sync wrote in between. An edit that changes nothing writes nothing."""
    for _ in range(TRIES):
        current = await _current(app, id)
        changed = edit(current)
        if changed == current:
            return current
        try:
            return (await app.store.commit(Swap(changed))).of(changed)
        except ConflictError:
            continue
    raise StateConflictError("This connection is being changed by others.", hint="Send the call again.")


async def _current(app: App, id: str) -> Connection:
    current = await app.store.get(Connection, id)
    if current is None:
        raise no_connection()
    _open_to_change(current)
    return current


def _replanned(app: App, connection: Connection) -> Connection:
    due = tiers.next_due(connection, tiers.load(app.settings.tiers_file), app.now())
    return connection.model_copy(update={"due_at": due})


def _open_to_change(connection: Connection) -> None:
    if connection.state in {"disconnecting", "disconnected"}:
        raise StateConflictError(
            f"The connection is {connection.state}.",
            code="connection_disconnected",
            hint="Connect the same project again with POST /v1/connections: it comes back under this id.",
        )


def _slower(app: App, connection: Connection, every: timedelta) -> None:
    least = tiers.load(app.settings.tiers_file)[connection.tier].every
    if least is None:
        raise InvalidError(
            f"On the {connection.tier} tier syncs are begun by hand: there is no schedule to slow.",
            code="by_hand_tier",
            hint="Leave `every` out, or move the tenant to the pro or scale tier.",
        )
    if every < least:
        minutes = int(least.total_seconds() // 60)
        raise InvalidError(
            f"The {connection.tier} tier syncs every {minutes} minutes; `every` slows that, never hastens it.",
            code="every_too_fast",
            hint=f"Give {minutes} or more, or null for the tier's own.",
        )
