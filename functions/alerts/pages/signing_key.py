"""The key that signs links in chat: one per installation, made at the first link, kept in the vault.

Processes that make it at the same moment end with one: the record that is written first
wins. One that the vault no longer has is made anew; links it signed then open no more.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pydantic import SecretStr

from hedgerow.errors import ConflictError, SecretGoneError, TransientError
from hedgerow.ports import Add, Swap
from hedgerow.records import Instant, Record

if TYPE_CHECKING:
    from hedgerow.app import App

ID = "links"
VAULT_NAME = "signing-links"
KEY_BYTES = 32
MOST_APPS = 8
_known: dict[int, tuple[App, bytes]] = {}


class SigningKey(Record):
    """Where the key is. There is one, `links`."""

    collection = "signing_keys"

    secret_ref: str
    created_at: Instant


async def signing_key(app: App) -> bytes:
    """The installation's key; made when there is none yet, read once a process."""
    known = _known.get(id(app))
    if known is not None and known[0] is app:
        return known[1]
    record = await app.store.get(SigningKey, ID) or await _made(app)
    try:
        secret = await app.vault.read(record.secret_ref)
    except SecretGoneError:
        secret = await app.vault.read((await _made(app, record)).secret_ref)
    key = bytes.fromhex(secret.get_secret_value())
    if len(_known) >= MOST_APPS:
        _known.clear()
    _known[id(app)] = (app, key)
    return key


async def _made(app: App, gone: SigningKey | None = None) -> SigningKey:
    reference = await app.vault.write(VAULT_NAME, SecretStr(secrets.token_hex(KEY_BYTES)))
    record = SigningKey(id=ID, secret_ref=reference, created_at=app.now())
    try:
        if gone is None:
            await app.store.commit(Add(record))
        else:
            await app.store.commit(Swap(record.model_copy(update={"version": gone.version})))
    except ConflictError:
        winner = await app.store.get(SigningKey, ID)
        if winner is None:
            raise TransientError("The key of signed links came and went.") from None
        record = winner
    # What a crash or the loser of a race left. Nobody can still need it: only the record's key ever signed.
    await app.vault.destroy(VAULT_NAME, keep=record.secret_ref)
    return record
