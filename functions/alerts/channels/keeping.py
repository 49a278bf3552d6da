"""Keeps a channel's or webhook's secret and its record in step: the secret is written first and destroyed last.

A crash, before the record or after it, leaves a draft, whose sweep destroys what is not in use.
"""

from __future__ import annotations

import base64
import secrets as randomness
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from pydantic import SecretStr

from functions.alerts.channels import places
from functions.alerts.records import ALL, Channel, Webhook
from hedgerow import drafts
from hedgerow.app import App
from hedgerow.channels import recognising
from hedgerow.channels import settings as settings_of
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.drafts import SecretDraft
from hedgerow.errors import ConflictError, MissingError, RefusedError, StateConflictError
from hedgerow.models import Tenant, Trouble
from hedgerow.ports import Add, Change, Delete, Swap

R = TypeVar("R", Channel, Webhook)
_TRIES = 5

SWITCHED_OFF = Trouble(
    code="switched_off", detail="It was switched off by hand.", hint='Switch it on with {"enabled": true}.'
)


def new_signing_secret() -> SecretStr:
    """A secret of Standard Webhooks, whsec_…, of 32 random bytes."""
    return SecretStr("whsec_" + base64.b64encode(randomness.token_bytes(32)).decode())


async def keep_new(
    app: App, tenant_id: str, id: str, settings: ChannelSettings, make: Callable[[str], Awaitable[R]]
) -> R:
    """Write the secret, then the record that `make` builds with its reference; a refusal leaves nothing behind.

    The tenant is swapped along, so that names stay unique, limits hold, and none is made
    for a tenant that is being deleted.
    """
    draft = await drafts.begin(app, id)
    try:
        reference = await app.vault.write(id, settings_of.dump(settings))
        for _ in range(_TRIES):
            guard: list[Change] = await guards(app, tenant_id)
            record = await make(reference)
            changes: list[Change] = [*guard, Add(record), Delete(SecretDraft, draft.id, draft.version)]
            try:
                return (await app.store.commit(*changes)).of(record)
            except ConflictError:
                there = await app.store.get(type(record), id)
                if there is not None:
                    return there  # Our own first try had succeeded.
        raise busy()
    except RefusedError:
        await app.vault.destroy(id)
        await app.store.commit(Delete(SecretDraft, draft.id))
        raise


async def guards(app: App, tenant_id: str) -> list[Change]:
    """What makes a commit fail while somebody else changes the tenant, or deletes it."""
    if tenant_id == ALL:
        return []
    tenant = await app.store.get(Tenant, tenant_id)
    if tenant is None or tenant.closing_since is not None:
        raise MissingError("There is no such tenant.", hint="Check the id; `GET /v1/tenants` lists them.")
    return [Swap(tenant)]


async def swap(app: App, record: R, fields: Mapping[str, object], draft: SecretDraft | None = None) -> R:
    """The record with other fields, as it then stands; the draft of a secret among them is used up with it."""
    for _ in range(_TRIES):
        current = await _current(app, record)
        if all(getattr(current, name) == value for name, value in fields.items()):
            return current
        changed = current.model_copy(update=dict(fields))
        try:
            over = (drafts.used(app, draft),) if draft is not None else ()
            return (await app.store.commit(Swap(changed), *over)).of(changed)
        except ConflictError:
            continue
    raise busy()


async def rekey(app: App, record: R, settings: ChannelSettings, fields: Mapping[str, object]) -> R:
    """Other settings and fields at once; the old secret goes after the commit."""
    draft = await drafts.begin(app, record.id)
    try:
        reference = await app.vault.write(record.id, settings_of.dump(settings))
        changed = await swap(app, record, {**fields, "secret_ref": reference}, draft)
    except RefusedError:
        await drafts.give_up(app, draft)
        await _tidy(app, record, draft)
        raise
    await _tidy(app, record, draft)
    return changed


async def rotate(app: App, record: R) -> tuple[R, SecretStr]:
    """A new signing secret, to be shown once; for a day the old one signs too."""
    secret = new_signing_secret()
    both = _signed_too((await places.opened(app, record)).settings, secret)
    return await rekey(app, record, both, {"rotated_at": app.now()}), secret


async def remove(app: App, record: Channel | Webhook, *further: Change) -> None:
    """The secret first: a crash leaves a record that can be removed again, never a secret nobody knows of.

    The empty name is left in the vault for `purge_connection`, which alone may remove it.
    """
    await app.vault.destroy(record.id)
    await app.store.commit(Delete(type(record), record.id), drafts.emptied(app, record.id), *further)


def checked(app: App, settings: ChannelSettings) -> ChannelSettings:
    """The settings, once `recognising.check` has nothing against them."""
    recognising.check(settings, app.settings.allowed_private_hosts)
    return settings


def busy() -> StateConflictError:
    """Too many changes at the same moment."""
    return StateConflictError("Others change this at the same moment.", code="busy", hint="Send the call again.")


def _signed_too(settings: ChannelSettings, secret: SecretStr) -> ChannelSettings:
    """With a new secret before the newest one there is."""
    if not isinstance(settings, WebhookSettings):
        raise StateConflictError(
            "Only a webhook has a signing secret.", code="not_signed", hint="Chats know their own address."
        )
    return settings.model_copy(update={"secrets": (secret, *settings.secrets[:1])})


async def _tidy(app: App, record: Channel | Webhook, draft: SecretDraft) -> None:
    """Destroy all but the secret in use, unless others are at work: what is left is for the draft's sweep."""
    seen = await app.vault.versions(record.id)
    if not await drafts.is_at_work(app, record.id):
        current = await app.store.get(type(record), record.id)
        await app.vault.destroy(record.id, keep=current.secret_ref if current is not None else None, only=seen)
        await app.store.commit(Delete(SecretDraft, draft.id))


async def _current(app: App, record: R) -> R:
    current = await app.store.get(type(record), record.id)
    if current is None:
        raise MissingError("It was removed meanwhile.", hint="List what is there.")
    return current
