"""What an export of a tenant holds, in which order, and the questions that find its records in a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.alerts.pages.signing_key import VAULT_NAME
from functions.alerts.records import Channel, Webhook
from hedgerow.capture_rules import hash_key_names
from hedgerow.cli.operations.collections import BELONGS, every_record
from hedgerow.errors import MissingError
from hedgerow.models import ApiKey, Connection, Tenant, TokenClaim
from hedgerow.ports import Where
from hedgerow.sealed_secrets import SealedSecret

if TYPE_CHECKING:
    from hedgerow.ports import Store
    from hedgerow.records import Record

# What finds a connection comes last: an import that is under way is not yet at work.
LAST: tuple[type[Record], ...] = (Tenant, ApiKey, Connection, TokenClaim)


def moved(tenant_id: str | None) -> tuple[type[Record], ...]:
    """The classes that an export holds, in the order in which they are written and read."""
    left_out = {"passing"} if tenant_id is None else {"passing", "installation"}
    kinds = [kind for kind in every_record() if BELONGS[kind] not in left_out and kind not in LAST]
    return (*kinds, *LAST)


@dataclass(frozen=True, slots=True)
class Question:
    """One `find`, and which of its records are meant."""

    where: tuple[Where, ...]
    wanted: Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Owned:
    """What a tenant's records are found by: its id, those of its connections, of its channels and webhooks."""

    tenant_id: str
    connections: tuple[str, ...]
    addresses: tuple[str, ...]


async def owned_by(store: Store, tenant_id: str) -> Owned:
    """What there is of a tenant; `MissingError` when it does not exist."""
    if await store.get(Tenant, tenant_id) is None:
        raise MissingError(f"There is no tenant {tenant_id}.", hint="hedgerow tenants list")
    addresses = [*await _ids(store, Channel, tenant_id), *await _ids(store, Webhook, tenant_id)]
    return Owned(tenant_id, tuple(await _ids(store, Connection, tenant_id)), tuple(addresses))


def questions(kind: type[Record], owned: Owned | None) -> list[Question]:
    """What to ask for the records of a class: those of a tenant, or all of them where `owned` is None."""
    if owned is None:
        everything = Question((), _is_moved)
        return [everything]
    mine, connections = owned.tenant_id, frozenset(owned.connections)
    match BELONGS[kind]:
        case "secret":
            names = [name for id in owned.connections for name in (id, *hash_key_names(id))]
            return [Question((Where("name", "==", name),), _is_moved) for name in (*names, *owned.addresses)]
        case "tenant" if kind is Tenant:
            return [Question((), lambda record: record.id == mine)]
        case "tenant" if _is_found_by(kind, "tenant_id"):
            return [Question((Where("tenant_id", "==", mine),), _is_moved)]
        case "tenant":
            return [Question((), lambda record: getattr(record, "tenant_id", None) == mine)]
        case "connection" if _is_found_by(kind, "connection_id"):
            return [Question((Where("connection_id", "==", id),), _is_moved) for id in owned.connections]
        case "connection":
            return [Question((), lambda record: getattr(record, "connection_id", None) in connections)]
    raise ValueError(f"{kind.__name__} is of no tenant")


def _is_moved(record: Record) -> bool:
    """The vault's version of a key that signs links stays with the record that says where it is."""
    return not (isinstance(record, SealedSecret) and record.name == VAULT_NAME)


def _is_found_by(kind: type[Record], field: str) -> bool:
    return any(index.fields[0] == field for index in kind.indexes)


async def _ids(store: Store, kind: type[Record], tenant_id: str) -> list[str]:
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = await store.find(kind, Where("tenant_id", "==", tenant_id), limit=500, cursor=cursor)
        ids += [record.id for record in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return sorted(ids)
