"""Hedgerow's own API keys: how one is made, kept as a hash, and recognised again.

An operator may show a Google identity token in place of the admin key (`hedgerow.identity`).

A key reads `hdg_<id>_<secret>`: the id finds the record in one read, the secret half is
compared with its SHA-256. A leaked store therefore opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from hedgerow import identity
from hedgerow.app import App
from hedgerow.errors import ConflictError, UnauthorizedError
from hedgerow.models import ApiKey, Role
from hedgerow.ports import Swap
from hedgerow.records import new_id

_SHAPE = re.compile(r"hdg_([0-9a-f]{24})_([A-Za-z0-9_-]{43})")
LAST_USED_GRAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the operator (`admin`), or a tenant by one of its keys."""

    role: Literal["admin"] | Role
    tenant_id: str = ""
    key_id: str = ""


def make(tenant_id: str, label: str, role: Role, now: datetime) -> tuple[ApiKey, SecretStr]:
    """A new key: the record to keep, and the text to show once."""
    secret = secrets.token_urlsafe(32)
    record = ApiKey(
        id=new_id("key"),
        tenant_id=tenant_id,
        label=label,
        role=role,
        secret_sha256=_digest(secret),
        created_at=now,
    )
    return record, SecretStr(f"hdg_{record.id.removeprefix('key_')}_{secret}")


async def recognise(app: App, bearer: str | None) -> Caller:
    """The caller behind `Authorization: Bearer …`; `UnauthorizedError` when there is none."""
    if not bearer:
        raise UnauthorizedError("No key was sent.", code="key_missing")
    admin = app.settings.admin_key
    if admin is not None and hmac.compare_digest(bearer.encode(), admin.get_secret_value().encode()):
        return Caller("admin")
    if app.settings.operator_emails and identity.looks_like_token(bearer):
        await identity.admit_operator(app, bearer)
        return Caller("admin")
    shape = _SHAPE.fullmatch(bearer)
    record = await app.store.get(ApiKey, f"key_{shape[1]}") if shape else None
    if shape is None or record is None or not hmac.compare_digest(record.secret_sha256, _digest(shape[2])):
        raise UnauthorizedError(
            "This key is unknown or was revoked.",
            code="key_unknown",
            hint="Use a key of this installation; the operator makes one with POST /v1/tenants/{id}/keys.",
        )
    await _note_use(app, record)
    return Caller(record.role, record.tenant_id, record.id)


async def _note_use(app: App, record: ApiKey) -> None:
    now = app.now()
    if record.last_used_at is not None and now - record.last_used_at < LAST_USED_GRAIN:
        return
    try:
        await app.store.commit(Swap(record.model_copy(update={"last_used_at": now})))
    except ConflictError:
        return  # Another request of the same key noted it, or the key was revoked just now.


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
