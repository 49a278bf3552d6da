"""The sealed vault's records at rest: ciphertext, useless without the key that is kept elsewhere.

Apart from the vault that opens them, so that whoever walks every record need not know an adapter.
"""

from __future__ import annotations

from hedgerow.records import Index, Record


class SealedSecret(Record):
    """One version of a secret. Its id, `name.mark`, is the reference; marks are random and never come back."""

    collection = "sealed_secrets"
    indexes = (Index("name"),)
    leaves_no_trace = True

    name: str
    nonce: bytes
    sealed: bytes
