"""The key of a connection's keyed hashes: made once, kept in the vault, gone with the connection's purge.

It is none of PostHog's keys: when those are changed, the same person keeps the same hash.
"""

from __future__ import annotations

import secrets

from pydantic import SecretStr

from functions.capture.guards.privacy import needs_key
from hedgerow import drafts
from hedgerow.app import App
from hedgerow.capture_rules import CaptureRules, hash_key_name
from hedgerow.drafts import SecretDraft
from hedgerow.errors import ConflictError, MissingError
from hedgerow.models import Connection
from hedgerow.ports import Swap

KEY_BYTES = 32
_TRIES = 4


async def key_of(app: App, rules: CaptureRules) -> bytes | None:
    """The key, made at its first use; None where these rules hash nothing.

    `SecretGoneError` when the vault no longer has it: another one in its place would make
    strangers of all persons, so none is made.
    """
    if not needs_key(rules.privacy):
        return None
    reference = rules.hash_key_ref or await _made(app, rules.connection_id)
    return bytes.fromhex((await app.vault.read(reference)).get_secret_value())


async def _made(app: App, connection_id: str) -> str:
    """The reference of the one key, ours or that of somebody who was first."""
    name = hash_key_name(connection_id)
    mine = ""
    draft: SecretDraft | None = None
    for _ in range(_TRIES):
        rules = await app.store.get(CaptureRules, connection_id)
        if rules is not None and rules.hash_key_ref is not None:
            await _give_up(app, draft)
            return rules.hash_key_ref
        connection = await app.store.get(Connection, connection_id)
        if rules is None or connection is None or connection.disconnect_purge:
            await _give_up(app, draft)
            raise MissingError("The connection, or what was asked of its events, is gone.")
        if draft is None:
            # Capture may destroy nothing: `purge_connection` takes what loses a race, or dies here.
            draft = await drafts.begin(app, name)
            mine = await app.vault.write(name, SecretStr(secrets.token_hex(KEY_BYTES)))
        try:
            await app.store.commit(Swap(rules.model_copy(update={"hash_key_ref": mine})), drafts.used(app, draft))
        except ConflictError:
            continue
        return mine
    raise ConflictError(f"The rules of {connection_id} are being changed by others.")


async def _give_up(app: App, draft: SecretDraft | None) -> None:
    if draft is not None:
        await drafts.give_up(app, draft)
