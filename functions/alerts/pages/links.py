"""Signed links: each allows one purpose for one thing until a time. Decides nothing about the thing itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Literal

from functions.alerts.pages.signing_key import signing_key
from hedgerow.errors import MissingError

if TYPE_CHECKING:
    from hedgerow.app import App

Purpose = Literal["acknowledge", "snooze", "useful", "useless", "chart", "incident"]

# One byte on the wire each. A number is never given another meaning: links outlive deployments.
NUMBERS: dict[Purpose, int] = {"acknowledge": 1, "snooze": 2, "useful": 3, "useless": 4, "chart": 5, "incident": 6}
PURPOSES = {number: purpose for purpose, number in NUMBERS.items()}
MAC_BYTES = 16
HEAD_BYTES = 1 + 5 + 1


class ExpiredLinkError(MissingError):
    """A link whose time has passed; its signature is good."""

    status: ClassVar[int] = 410
    code = "link_expired"
    hint = "Open the newest message about this incident: its links are fresh. Or use the API."


@dataclass(frozen=True, slots=True)
class Signed:
    """What a link allows: `purpose` on `subject_id` until `until`. `extra` is its maker's own."""

    purpose: Purpose
    subject_id: str
    until: datetime
    extra: str = ""


async def sign(app: App, purpose: Purpose, subject_id: str, until: datetime, extra: str = "") -> str:
    """The full address of a page or, for `chart`, of a PNG; "" when the installation knows no address of its own.

    `subject_id` has at most 255 bytes. `extra`, such as a channel's name, can be read by
    whoever has the link.
    """
    base = app.settings.public_url.rstrip("/")
    if not base:
        return ""
    token = seal(await signing_key(app), Signed(purpose, subject_id, until, extra))
    return f"{base}/v1/charts/{token}.png" if purpose == "chart" else f"{base}/v1/pages/{token}"


async def read(app: App, token: str, *purposes: Purpose) -> Signed:
    """What a token allows.

    `MissingError` when it is altered, cut or for none of `purposes` (none given: any);
    `ExpiredLinkError` when its time has passed.
    """
    signed = opened(await signing_key(app), token)
    if signed is None:
        raise MissingError(
            "This link is not whole, or was changed.",
            code="link_altered",
            hint="Open it again from the message, or copy all of it.",
        )
    if purposes and signed.purpose not in purposes:
        raise MissingError(
            "This link is for something else.",
            code="link_other_purpose",
            hint="Open the message again and use the link that says what you want.",
        )
    if app.now() >= signed.until:
        raise ExpiredLinkError(f"This link was good until {signed.until:%Y-%m-%d %H:%M} UTC.")
    return signed


def seal(key: bytes, signed: Signed) -> str:
    """The token: its claims, readable, and their HMAC; about 70 characters."""
    subject = signed.subject_id.encode()
    head = bytes([NUMBERS[signed.purpose]]) + int(signed.until.timestamp()).to_bytes(5) + len(subject).to_bytes(1)
    claims = head + subject + signed.extra.encode()
    return base64.urlsafe_b64encode(claims + _mac(key, claims)).rstrip(b"=").decode()


def opened(key: bytes, token: str) -> Signed | None:
    """The claims of a token whose signature is good, else None. Does not look at the time."""
    try:
        whole = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    claims, mac = whole[:-MAC_BYTES], whole[-MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, claims)):
        return None
    # The last character of base64 may carry bits nobody reads: one link has one spelling.
    if base64.urlsafe_b64encode(whole).rstrip(b"=").decode() != token:
        return None
    ends = HEAD_BYTES + claims[HEAD_BYTES - 1]
    return Signed(
        purpose=PURPOSES[claims[0]],
        subject_id=claims[HEAD_BYTES:ends].decode(),
        until=datetime.fromtimestamp(int.from_bytes(claims[1:6]), UTC),
        extra=claims[ends:].decode(),
    )


def _mac(key: bytes, claims: bytes) -> bytes:
    return hmac.digest(key, claims, hashlib.sha256)[:MAC_BYTES]
