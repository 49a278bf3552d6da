"""Which kind of channel an address belongs to, and whether it can be one. Pure: nothing is called, nothing resolved."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import SecretStr

from hedgerow.addresses import Allowed, is_public, literal
from hedgerow.channels.notice import ChannelKind
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import InvalidError

NAMES: Mapping[ChannelKind, str] = {
    "slack": "Slack",
    "discord": "Discord",
    "teams": "Teams",
    "google_chat": "Google Chat",
    "webhook": "a webhook",
}
_HOSTS: Mapping[str, ChannelKind] = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "discord.com": "discord",
    "canary.discord.com": "discord",
    "ptb.discord.com": "discord",
    "discordapp.com": "discord",
    "canary.discordapp.com": "discord",
    "ptb.discordapp.com": "discord",
    "chat.googleapis.com": "google_chat",
}
_TEAMS = (".logic.azure.com", ".webhook.office.com", ".environment.api.powerplatform.com")
_PATHS: Mapping[ChannelKind, tuple[str, str]] = {
    "slack": (r"/services/[^/]+/[^/]+/[^/]+", "https://hooks.slack.com/services/…"),
    "discord": (r"/api(/v\d+)?/webhooks/\d+/[\w-]+/?", "https://discord.com/api/webhooks/…"),
    "teams": (r"/.+", "the address the workflow shows"),
    "google_chat": (r"/v1/spaces/[^/]+/messages", "https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…"),
    "webhook": (r".*", ""),
}


def kind_of(url: str) -> ChannelKind:
    """The kind by its host; whatever belongs to no chat is a webhook."""
    parts = _split(url)
    return _kind_of_host(parts.hostname or "") if parts else "webhook"


def check(settings: ChannelSettings, allowed_private_hosts: tuple[str, ...]) -> None:
    """`InvalidError`, telling the remedy, when nothing could ever arrive there by what the settings say.

    An address in `allowed_private_hosts` may have any scheme and shape: a stand-in, a proxy.
    """
    if isinstance(settings, WebhookSettings):
        for secret in settings.secrets:
            _check_signing_secret(secret.get_secret_value())
    if isinstance(settings, SlackSettings) and settings.token is not None:
        _check_bot(settings, settings.token.get_secret_value())
    if settings.url is not None:
        _check_address(settings.kind, settings.url.get_secret_value(), Allowed.of(allowed_private_hosts))


def shown(settings: ChannelSettings) -> str:
    """The host, which is all of an address that may be shown."""
    url: SecretStr | None = settings.url
    if url is None:
        return "slack.com"
    parts = _split(url.get_secret_value())
    return (parts.hostname if parts else None) or "—"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _kind_of_host(host: str) -> ChannelKind:
    plain = host.rstrip(".").lower()
    return "teams" if plain.endswith(_TEAMS) else _HOSTS.get(plain, "webhook")


def _check_address(kind: ChannelKind, url: str, allowed: Allowed) -> None:
    parts = _split(url)
    if parts is None or not parts.hostname or not url.isascii() or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise InvalidError(
            "The address cannot be read.", hint="Give the whole https:// address, as the service shows it."
        )
    if parts.scheme in {"http", "https"} and allowed.has(parts.hostname, parts.port or _port(parts)):
        return
    if parts.scheme != "https":
        raise InvalidError("The address must begin with https://.", hint="Give the https:// address of the channel.")
    if parts.username is not None or parts.password is not None:
        raise InvalidError("The address holds a user name.", hint="Give it without the part before the @.")
    _check_public(parts.hostname)
    _check_shape(kind, parts)


def _port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _check_public(host: str) -> None:
    address = literal(host)
    if (
        (address is not None and not is_public(address))
        or host.rstrip(".") == "localhost"
        or host.endswith(".localhost")
    ):
        raise InvalidError(
            "The address is a private or reserved one.",
            hint="Give a public address; for one in a private network the operator of Hedgerow adds its host:port to "
            "HEDGEROW_ALLOWED_PRIVATE_HOSTS.",
        )


def _check_shape(kind: ChannelKind, parts: SplitResult) -> None:
    meant = _kind_of_host(parts.hostname or "")
    if meant != kind:
        raise InvalidError(
            f"This address belongs to {NAMES[meant]}, not to {NAMES[kind]}.",
            hint=f'Set the channel\'s kind to "{meant}", or give the address of {NAMES[kind]}.',
        )
    shape, example = _PATHS[kind]
    if not re.fullmatch(shape, parts.path):
        raise InvalidError(
            f"This address of {NAMES[kind]} is not an incoming webhook's.", hint=f"It looks like {example}"
        )
    if kind == "google_chat" and not {"key", "token"} <= parse_qs(parts.query).keys():
        raise InvalidError("The address lacks its key or token.", hint=f"Copy it whole: {example}")


def _check_bot(settings: SlackSettings, token: str) -> None:
    if not re.fullmatch(r"xoxb-[A-Za-z0-9-]+", token):
        raise InvalidError(
            "This is not a bot's token.",
            hint="Give the Bot User OAuth Token, xoxb-…, of an app with the scope chat:write.",
        )
    if not re.fullmatch(r"[CDG][A-Z0-9]{2,}|#?[^\s#@<>]{1,80}", settings.slack_channel):
        raise InvalidError("The Slack channel cannot be read.", hint="Give its id, such as C0123456789.")


def _check_signing_secret(secret: str) -> None:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise InvalidError(
            "A signing secret must be whsec_ and 24 to 64 random bytes in base64.",
            hint="Leave it out to have one made, or give one of that form.",
        )
