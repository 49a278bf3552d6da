"""Google's public keys, and whether one of them signed a token.

Owns the key set: fetched once, kept for the answer's max-age, asked for again when a token
names a key it does not hold, never more than once a minute. Never reads a token's claims.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from hedgerow.errors import TransientError
from hedgerow.logs import log

if TYPE_CHECKING:
    import httpx
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from hedgerow.app import App, Outbound

BETWEEN_FETCHES = timedelta(minutes=1)
UNSAID_AGE = timedelta(hours=1)
LONGEST_AGE = timedelta(days=1)
FETCH_SECONDS = 5.0
MOST_BYTES = 200_000
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*(\d{1,9})\b", re.IGNORECASE)


@dataclass(slots=True)
class KeySet:
    """The keys as last heard, by their `kid`, of the server at `google_certs`."""

    keys: dict[str, RSAPublicKey] = field(default_factory=dict)
    fresh_until: datetime | None = None
    asked_at: datetime | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def key(self, app: App, kid: str) -> RSAPublicKey | None:
        """The key of this name, None where Google has no such key; `TransientError` when there are none at all."""
        async with self.turn:
            if self._wants(kid, app.now()):
                await self._fetch(app)
        if not self.keys:
            raise TransientError(
                "Google's public keys cannot be read, so no signature can be checked.",
                code="keys_unavailable",
                hint="Try again in a minute; if it stays, see whether this server reaches HEDGEROW_GOOGLE_CERTS.",
            )
        return self.keys.get(kid)

    def _wants(self, kid: str, now: datetime) -> bool:
        if self.asked_at is not None and abs(now - self.asked_at) < BETWEEN_FETCHES:
            return False
        return kid not in self.keys or self.fresh_until is None or now >= self.fresh_until

    async def _fetch(self, app: App) -> None:
        """Ask once. What was known stays when the answer is none: Google's keys outlive their max-age by days."""
        import httpx

        from hedgerow.errors import OutboundError
        from hedgerow.outbound import read_capped

        self.asked_at = app.now()
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                app.http.stream("GET", app.settings.google_certs) as answer,
            ):
                if answer.status_code != 200:
                    raise ValueError(f"HTTP {answer.status_code}")
                keys = _keys(await read_capped(answer, MOST_BYTES))
        except (httpx.HTTPError, OutboundError, TimeoutError, ValueError, RecursionError) as error:
            log().warning("identity.keys_not_fetched", reason=type(error).__name__, keys_held=len(self.keys))
            return
        self.keys = keys
        self.fresh_until = self.asked_at + _age(answer.headers)


_sets: WeakKeyDictionary[Outbound, KeySet] = WeakKeyDictionary()


def of(app: App) -> KeySet:
    """The key set of this process; tests with more Apps have one for each."""
    return _sets.setdefault(app.outbound, KeySet())


def is_signed(key: RSAPublicKey, signed: bytes, signature: bytes) -> bool:
    """Did this key sign these bytes, by RS256? No other algorithm is known here, whatever a token says of itself."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _keys(body: bytes) -> dict[str, RSAPublicKey]:
    """The RSA keys of Google's certificates: a JSON object of PEM texts by `kid`. `ValueError` when there are none."""
    import json

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    certificates = json.loads(body)
    if not isinstance(certificates, dict):
        raise ValueError("not an object")  # noqa: TRY004 - what an answer holds, not what a caller passed
    keys: dict[str, RSAPublicKey] = {}
    for kid, pem in certificates.items():
        key = load_pem_x509_certificate(str(pem).encode()).public_key()
        if isinstance(key, RSAPublicKey):
            keys[kid] = key
    if not keys:
        raise ValueError("no keys")
    return keys


def _age(headers: httpx.Headers) -> timedelta:
    """How long the answer may still be kept: its max-age, less what it has spent in caches on the way."""
    said = _MAX_AGE.search(headers.get("cache-control", ""))
    if said is None:
        return UNSAID_AGE
    spent = headers.get("age", "0")
    seconds = int(said[1]) - (int(spent) if spent.isascii() and spent.isdigit() and len(spent) < 10 else 0)
    return min(LONGEST_AGE, max(BETWEEN_FETCHES, timedelta(seconds=seconds)))
