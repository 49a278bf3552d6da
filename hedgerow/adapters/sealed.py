"""`Vault` in the store itself: secrets sealed with AES-256-GCM under one key kept elsewhere.

For laptops, and for clouds where one secret per connection costs too much. Whoever has
the store without the key has nothing; whoever moves a sealed secret to another name
opens nothing, because name and version are sealed in.
"""

from __future__ import annotations

import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from hedgerow.adapters.secret_names import check_name
from hedgerow.errors import HedgerowError, SecretGoneError
from hedgerow.ports import Add, Delete, Where
from hedgerow.sealed_secrets import KEY_BYTES, SealedSecret, way_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from hedgerow.ports import Store

NONCE_BYTES = 12
COMMITTED = 100


class SealedVault:
    """Secrets in `store`, sealed with `key` (32 bytes). The store is the caller's to close.

    Without a key it destroys, and opens and seals nothing: in the cloud only those
    functions get the key whose code needs it.
    """

    def __init__(self, store: Store, key: bytes | None) -> None:
        if key is not None and len(key) != KEY_BYTES:
            raise ValueError(f"the vault's key has {KEY_BYTES} bytes, not {len(key)}")
        self._store = store
        self._key = key

    @cached_property
    def _cipher(self) -> AESGCM:
        # At first use: most targets never open a secret and start sooner without it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._key is None:
            raise HedgerowError(
                "The sealed vault has no key here.",
                code="no_sealing_key",
                hint="Set HEDGEROW_SEALING_KEY: in the cloud `terraform apply` gives it to the functions that need it.",
            )
        return AESGCM(self._key)

    async def write(self, name: str, secret: SecretStr) -> str:
        """Keep a secret as a new version of `name`; the answer is its reference."""
        reference = f"{check_name(name)}.{secrets.token_hex(8)}"
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.get_secret_value().encode(), reference.encode())
        await self._store.commit(Add(SealedSecret(id=reference, name=name, nonce=nonce, sealed=sealed)))
        return reference

    async def read(self, reference: str) -> SecretStr:
        """The secret behind a reference; `SecretGoneError` when it was destroyed."""
        record = await self._store.get(SealedSecret, reference)
        if record is None:
            raise SecretGoneError(f"The vault holds nothing under {reference}.")
        return self.opened(record)

    def opened(self, sealed: SealedSecret) -> SecretStr:
        """What was sealed, in this store or elsewhere; `HedgerowError` `wrong_vault_key` where it was by another key."""
        from cryptography.exceptions import InvalidTag

        try:
            text = self._cipher.decrypt(sealed.nonce, sealed.sealed, sealed.id.encode())
        except (InvalidTag, ValueError):  # A nonce may have been cut short.
            raise HedgerowError(
                f"The vault's key does not open {sealed.id}.",
                code="wrong_vault_key",
                hint="Start Hedgerow with the key that this store was written with; nothing was changed.",
            ) from None
        return SecretStr(text.decode())

    async def versions(self, name: str) -> tuple[str, ...]:
        """A mark of each version of `name`: its reference, which never comes back."""
        marks: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._store.find(SealedSecret, Where("name", "==", name), cursor=cursor)
            marks += [found.id for found in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return tuple(marks)

    async def destroy(self, name: str, *, keep: str | None = None, only: Sequence[str] | None = None) -> None:
        """Destroy every version of `name`, or of the marks `only`, except the reference to keep. Safe to repeat."""
        marks = await self.versions(name) if only is None else only
        gone = [Delete(SealedSecret, mark) for mark in marks if mark != keep]
        for begin in range(0, len(gone), COMMITTED):
            await self._store.commit(*gone[begin : begin + COMMITTED])

    async def remove(self, name: str) -> None:
        """Nothing: a name is nothing but its versions here."""

    async def close(self) -> None:
        """Nothing of its own to let go of."""


def load_or_create_key(path: Path | str, store: Path | None = None) -> bytes:
    """The vault's key from a file of one line of hex; a new file is the owner's alone (0600).

    Two processes that start at once end with the same key: the first to link it wins. No
    key is made beside the file of a `store` that holds sealed secrets: it would open none.
    """
    path = Path(path)
    try:
        if not path.exists():
            _make_key(path, store)
        key = bytes.fromhex(path.read_text().strip())
    except OSError as error:
        raise HedgerowError(
            f"{path}, the vault's key, cannot be read or made: {error.strerror}.",
            code="broken_vault_key",
            hint="Run as the account that the installation belongs to; where there is no key yet, its folder must be "
            "one that can be written into.",
        ) from error
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise HedgerowError(
            f"{path} holds no vault key.",
            code="broken_vault_key",
            hint=f"Put back the file this installation was started with: {KEY_BYTES * 2} hexadecimal digits.",
        )
    return key


def _make_key(path: Path, store: Path | None) -> None:
    if store is not None and _holds_secrets(store):
        raise HedgerowError(
            f"{store} holds secrets, and the key they were sealed with, {path}, is not there; no new one was made.",
            code="sealing_key_missing",
            hint=way_back(path),
        )
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink(missing_ok=True)


def _holds_secrets(store: Path) -> bool:
    """Asked of the file itself: the store is not open yet, and must not be made by asking."""
    if not store.is_file():
        return False
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as file:
            there = file.execute(f'SELECT 1 FROM "{SealedSecret.collection}" LIMIT 1').fetchone()
    except sqlite3.Error:
        # No such table yet, or no database: whoever opens the store says so.
        return False
    return there is not None
