"""Tells PostHog's keys apart by their prefix, and says what is wrong when one stands in another's place.

Pure, and silent about the key itself. Old keys have no prefix, so only what is
recognised as another kind is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hedgerow.records import derived_id

KeyCode = Literal[
    "project_token_as_personal_key",
    "secret_key_as_personal_key",
    "oauth_token_as_personal_key",
    "hedgerow_key_as_posthog_key",
    "personal_key_as_project_token",
    "secret_key_as_project_token",
    "key_malformed",
]

WHERE_PERSONAL = "PostHog: Settings > User > Personal API keys (it begins with phx_)"
WHERE_TOKEN = "PostHog: Settings > Project > General > Project token (it begins with phc_)"  # noqa: S105 -- where one is found
_PLAIN = re.compile(r"[!-~]{8,200}")


@dataclass(frozen=True, slots=True)
class KeyTrouble:
    """Why a key cannot be what it was given as."""

    code: KeyCode
    detail: str
    hint: str


def claim_id(token: str) -> str:
    """The id of the `TokenClaim` of a project token: one per token and installation."""
    return derived_id("tok", token)


def trouble_of_personal_key(key: str) -> KeyTrouble | None:
    """What is wrong with a personal API key, before PostHog is asked."""
    if key.startswith("phc_"):
        return KeyTrouble(
            "project_token_as_personal_key",
            "This is the project token (phc_), which can only send events. Many guides ask for it; reading metrics needs a personal API key (phx_).",
            f"Make a personal API key in {WHERE_PERSONAL}, and give this one as `project_token`.",
        )
    if key.startswith("phs_"):
        return KeyTrouble(
            "secret_key_as_personal_key",
            "This is a project secret key (phs_); it opens flags, not the queries metrics are made of.",
            f"Make a personal API key in {WHERE_PERSONAL}.",
        )
    if key.startswith("pha_"):
        return KeyTrouble(
            "oauth_token_as_personal_key",
            "This is an OAuth access token (pha_); it expires within hours.",
            f"Make a personal API key in {WHERE_PERSONAL}.",
        )
    return _trouble_of_any(key)


def trouble_of_project_token(token: str) -> KeyTrouble | None:
    """What is wrong with a project token, before PostHog is asked."""
    if token.startswith(("phx_", "pha_")):
        return KeyTrouble(
            "personal_key_as_project_token",
            "This is a secret key of a person, and project tokens are public: it ships in web pages.",
            f"Give it as `personal_api_key`; the project token is in {WHERE_TOKEN}.",
        )
    if token.startswith("phs_"):
        return KeyTrouble(
            "secret_key_as_project_token",
            "This is a project secret key (phs_), and project tokens are public.",
            f"The project token is in {WHERE_TOKEN}.",
        )
    return _trouble_of_any(token)


def _trouble_of_any(key: str) -> KeyTrouble | None:
    if key.startswith("hdg_"):
        return KeyTrouble(
            "hedgerow_key_as_posthog_key",
            "This is a key to Hedgerow, not to PostHog.",
            f"Personal API keys are made in {WHERE_PERSONAL}.",
        )
    if not _PLAIN.fullmatch(key):
        return KeyTrouble(
            "key_malformed",
            "This cannot be a PostHog key: it is too short or too long, or holds spaces or other characters.",
            "Copy it again, whole, without quotes, spaces or line breaks.",
        )
    return None
