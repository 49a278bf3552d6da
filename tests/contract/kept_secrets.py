"""Two secrets for the vaults' tests, one of them hard to keep to the letter, and how they are read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from hedgerow.ports import Vault

PHX = SecretStr("phx_ünïcode \U0001f511 \n0123456789")
OTHER = SecretStr("phx_another")


async def read(vault: Vault, reference: str) -> str:
    """The secret itself, for comparisons."""
    return (await vault.read(reference)).get_secret_value()
