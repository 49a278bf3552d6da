"""The sealed vault's records at rest: ciphertext, useless without the key that is kept elsewhere.

Apart from the vault that opens them, so that whoever walks every record need not know an adapter.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from hedgerow.records import Index, Record

KEY_BYTES = 32


class SealedSecret(Record):
    """One version of a secret. Its id, `name.mark`, is the reference; marks are random and never come back."""

    collection = "sealed_secrets"
    indexes = (Index("name"),)
    leaves_no_trace = True

    name: str
    nonce: bytes
    sealed: bytes


@runtime_checkable
class Opener(Protocol):
    """A vault of such records."""

    def opened(self, sealed: SealedSecret) -> SecretStr:
        """What was sealed, wherever the record is kept; `HedgerowError` `wrong_vault_key` where it was by another key."""
        ...


def way_back(path: Path) -> str:
    """What a person does whose key file is gone."""
    key = shlex.quote(str(path))
    return (
        f"Put {path} back from a backup. Where there is none, its secrets are lost: "
        f"(umask 077; openssl rand -hex {KEY_BYTES} > {key}) makes a new key, and every connection and channel "
        "is given its secret again (docs/operations/restore.md)."
    )
