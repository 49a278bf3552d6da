"""Who calls, by Google's OIDC tokens: what one says, and whether that lets its bearer in.

A private target stands behind IAM: the platform checks the signature and cuts it off, so the
claims alone are looked at again. Where IAM lets anybody in, the signature is checked here,
before anything the token says is believed. No part of a token is ever logged or answered.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hedgerow.errors import ForbiddenError, MisconfiguredError, UnauthorizedError

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.settings import Settings

ISSUERS = frozenset({"accounts.google.com", "https://accounts.google.com"})
SKEW = timedelta(seconds=60)
"""How far our clock and Google's may be apart."""
MOST_CHARACTERS = 8_192
_SEEN_BY_PLATFORM = "x-serverless-authorization"
"""Where this header is sent the platform checks its token, and lets `authorization` through unseen."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, none of it proved yet. Times are seconds since 1970."""

    issuer: str
    audience: str
    email: str
    is_email_verified: bool
    issued_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart: its header's `alg` and `kid`, its claims, and what was signed by what."""

    algorithm: str
    kid: str
    claims: Claims
    signed: bytes
    signature: bytes


def misconfigured(settings: Settings) -> list[str]:
    """What is wrong with the settings of identity, each in a sentence that names the variable; empty when nothing is."""
    return _of_private(settings) + _of_operators(settings)


async def admit_private(app: App, headers: Mapping[str, str]) -> None:
    """Let a call to a schedule or topic target in, or raise 401, 403 or `MisconfiguredError`."""
    settings = app.settings
    if wrong := _of_private(settings):
        _refuse_all(wrong)
    if settings.identity == "off":
        return
    token = _read(bearer_of(headers.get(_SEEN_BY_PLATFORM) or headers.get("authorization", "")))
    if settings.identity == "signature":
        await _verify(app, token)
    _check_audience(token.claims, settings.audience, f"https://{headers.get('host', '')}")
    _check(token.claims, settings.invoker_emails, app.now())


async def admit_operator(app: App, bearer: str) -> str:
    """The e-mail of the operator a Google identity token stands for, its signature verified; else 401 or 403."""
    settings = app.settings
    if wrong := _of_operators(settings):
        _refuse_all(wrong)
    token = _read(bearer)
    await _verify(app, token)
    _check_audience(token.claims, settings.audience or settings.public_url, "")
    _check(token.claims, settings.operator_emails, app.now())
    return token.claims.email


def looks_like_token(bearer: str) -> bool:
    """Three parts with dots between, the first of them base64 of `{"`: no key of ours has that form."""
    return bearer.startswith("eyJ") and bearer.count(".") == 2


def bearer_of(header: str) -> str:
    """What stands after `Bearer`; `token_missing` when nothing does."""
    scheme, _, bearer = header.partition(" ")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise UnauthorizedError(
            "No identity token was sent.",
            code="token_missing",
            hint="Cloud Scheduler and Pub/Sub send one when their job or subscription names a service account (oidc_token).",
        )
    return bearer.strip()


def _of_private(settings: Settings) -> list[str]:
    wrong: list[str] = []
    if settings.identity == "off":
        if settings.invoker_emails:
            wrong.append("HEDGEROW_INVOKER_EMAILS is set, but HEDGEROW_IDENTITY is `off`: set it to `claims`.")
        return wrong
    if not settings.invoker_emails:
        wrong.append(
            f"HEDGEROW_IDENTITY is `{settings.identity}`, but HEDGEROW_INVOKER_EMAILS names nobody: "
            "set it to the service accounts of Cloud Scheduler's jobs and Pub/Sub's subscriptions."
        )
    if settings.identity == "signature" and not settings.audience:
        wrong.append(
            "HEDGEROW_IDENTITY is `signature`, but HEDGEROW_AUDIENCE is not set: set it to the function's own address."
        )
    if settings.pubsub_emulator:
        wrong.append(
            f"HEDGEROW_IDENTITY is `{settings.identity}`, but PUBSUB_EMULATOR_HOST is set, and the emulator sends no "
            "tokens: set HEDGEROW_IDENTITY to `off`."
        )
    return wrong


def _of_operators(settings: Settings) -> list[str]:
    if not settings.operator_emails or settings.audience or settings.public_url:
        return []
    wrong = (
        "HEDGEROW_OPERATOR_EMAILS is set, but neither HEDGEROW_AUDIENCE nor HEDGEROW_PUBLIC_URL says what "
        "their tokens must be for: set HEDGEROW_PUBLIC_URL to this installation's address."
    )
    return [wrong]


def _refuse_all(wrong: list[str]) -> None:
    from hedgerow.logs import log

    log().error("identity.misconfigured", detail=" ".join(wrong))
    raise MisconfiguredError(
        "This function's settings do not say who may call it.",
        code="identity_misconfigured",
        hint="The operator sees which variable in this function's log, and by `hedgerow doctor`.",
    )


def _read(bearer: str) -> Token:
    """A token's parts. Its size is looked at first: what comes in may be anything."""
    if len(bearer) > MOST_CHARACTERS:
        raise _malformed(f"it is over {MOST_CHARACTERS} characters")
    parts = bearer.split(".")
    if len(parts) != 3:
        raise _malformed("it has not three parts")
    try:
        header, body = _object(parts[0]), _object(parts[1])
        claims = Claims(
            issuer=_text(body, "iss"),
            audience=_text(body, "aud"),
            email=_text(body, "email") if "email" in body else "",
            is_email_verified=body.get("email_verified") is True,
            issued_at=_seconds(body, "iat"),
            expires_at=_seconds(body, "exp"),
        )
        algorithm, kid = str(header.get("alg")), str(header.get("kid"))
        return Token(algorithm, kid, claims, f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2]))
    except (ValueError, RecursionError):
        raise _malformed("a part of it cannot be read") from None


async def _verify(app: App, token: Token) -> None:
    """Refuse what Google did not sign. The token's own `alg` decides nothing: anything but RS256 is refused."""
    from hedgerow import google_keys

    key = await google_keys.of(app).key(app, token.kid) if token.algorithm == "RS256" else None
    if key is None or not google_keys.is_signed(key, token.signed, token.signature):
        raise UnauthorizedError(
            "Google did not sign this token.",
            code="bad_signature",
            hint="Get a new token from Google. Behind IAM the platform cuts signatures off: "
            "there HEDGEROW_IDENTITY is to be `claims`.",
        )


def _check_audience(claims: Claims, wanted: str, called: str) -> None:
    """The token must be for `wanted`; where that is empty, for the address that was `called`, whatever the path."""
    if wanted:
        # An audience of nothing but slashes is no address: it would be that of a token for nobody.
        is_meant = bool(wanted.rstrip("/")) and claims.audience.rstrip("/") == wanted.rstrip("/")
    else:
        is_meant = _origin(claims.audience) == _origin(called) is not None
    if not is_meant:
        raise ForbiddenError(
            "This token is for another address.",
            code="wrong_audience",
            hint="Its audience must be what HEDGEROW_AUDIENCE says; without that, the address that is called.",
        )


def _check(claims: Claims, emails: tuple[str, ...], now: datetime) -> None:
    at = now.timestamp()
    if claims.issuer not in ISSUERS:
        raise ForbiddenError(
            "This token was not issued by Google.",
            code="wrong_issuer",
            hint="Use an identity token of accounts.google.com.",
        )
    if at >= claims.expires_at + SKEW.total_seconds():
        raise UnauthorizedError(
            "This token has expired.", code="token_expired", hint="Get a new one: each is good for an hour."
        )
    if claims.issued_at > at + SKEW.total_seconds():
        raise UnauthorizedError(
            "This token was issued in the future.",
            code="token_from_the_future",
            hint="The clock of this server or of the sender is wrong; see `hedgerow doctor`.",
        )
    if not claims.is_email_verified or claims.email not in emails:
        raise ForbiddenError(
            "This account may not call here.",
            code="wrong_caller",
            hint="The operator adds its address to HEDGEROW_INVOKER_EMAILS for a private function, "
            "to HEDGEROW_OPERATOR_EMAILS for the API.",
        )


def _malformed(why: str) -> UnauthorizedError:
    return UnauthorizedError(
        f"The identity token cannot be read: {why}.",
        code="token_malformed",
        hint="Send the token as Google gave it: three parts of base64 with dots between.",
    )


def _origin(address: str) -> str | None:
    """`https://host` in lower case; None for what is no https address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return f"https://{parts.netloc.lower()}" if parts.scheme == "https" and parts.netloc else None


def _object(part: str) -> dict[str, Any]:
    found = json.loads(_bytes(part))
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - what a token holds, not what a caller passed
    return found


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not base64") from error


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise ValueError(f"no {name}")  # noqa: TRY004 - as above
    return value


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise ValueError(f"no {name}")
    return float(value)
