"""The catalogue at rest: the one that stands, its former versions, and putting a new one in its place."""

from __future__ import annotations

from functions.capture.catalogue.catalog_shape import CatalogForm, rules_of
from functions.capture.catalogue.catalog_shipped import shipped
from hedgerow.app import App
from hedgerow.capture_rules import CaptureRules, CatalogRules, CatalogVersion, version_id
from hedgerow.errors import ConflictError, MissingError, StateConflictError
from hedgerow.models import Connection
from hedgerow.ports import Add, Delete, Swap

KEPT_VERSIONS = 20
_TRIES = 4


def is_own(rules: CatalogRules) -> bool:
    """Whether the owner ever wrote it; until then the shipped one stands."""
    return rules.updated_at is not None


async def current(app: App, connection: Connection) -> CatalogRules:
    """The catalogue that stands."""
    return _standing(await app.store.get(CaptureRules, connection.id))


async def version_of(app: App, connection: Connection, version: int) -> CatalogRules:
    """One version, `MissingError` when it never was or is no longer kept. Version 1 is the shipped one."""
    if version == shipped().version:
        return shipped()
    found = await app.store.get(CatalogVersion, version_id(connection.id, version))
    if found is None:
        raise MissingError(
            f"There is no version {version} of this catalogue.",
            hint=f"The last {KEPT_VERSIONS} versions are kept; leave `version` out for the present one.",
        )
    return found.catalog


async def put(app: App, connection: Connection, form: CatalogForm, made_from: int) -> CatalogRules:
    """Put a catalogue in the place of the version it was made from; the one that stands where nothing differs.

    `StateConflictError` when another version stands by now, or the connection is gone.
    """
    if connection.state in {"disconnecting", "disconnected"}:
        raise StateConflictError(
            f"The connection is {connection.state}.",
            code=f"connection_{connection.state}",
            hint="Connect the project again.",
        )
    wanted = rules_of(form, made_from + 1).model_copy(update={"updated_at": app.now()})
    for _ in range(_TRIES):
        held = await app.store.get(CaptureRules, connection.id)
        standing = _standing(held)
        if _content(standing) == _content(wanted):
            return standing  # Nothing to change, or our own first try, answered as an error.
        if standing.version != made_from:
            raise StateConflictError(
                f"Version {standing.version} of the catalogue stands; this change was made from version {made_from}.",
                code="version_changed",
                hint="Read it again, make the change there, then send it with that version.",
                members={"version": standing.version},
            )
        try:
            await _commit(app, connection, held, wanted)
        except ConflictError:
            continue  # Another guard's rules are in the same record.
        return wanted
    raise ConflictError("The rules of this connection are being changed by others.")


async def _commit(app: App, connection: Connection, held: CaptureRules | None, wanted: CatalogRules) -> None:
    owner = {"tenant_id": connection.tenant_id, "connection_id": connection.id}
    rules = held or CaptureRules(id=connection.id, **owner)
    rules = rules.model_copy(update={"catalog": wanted})
    kept = CatalogVersion(id=version_id(connection.id, wanted.version), catalog=wanted, **owner)
    await app.store.commit(
        Swap(rules) if held else Add(rules),
        Add(kept),
        Delete(CatalogVersion, version_id(connection.id, wanted.version - KEPT_VERSIONS)),
    )


def _content(rules: CatalogRules) -> tuple[object, ...]:
    """Everything but the version and its time."""
    return rules.naming, rules.unknown, rules.events


def _standing(held: CaptureRules | None) -> CatalogRules:
    return held.catalog if held is not None and is_own(held.catalog) else shipped()
