"""Where a message goes: the settings behind a channel's, a webhook's or the operator's id, read from the vault.

A secret is named by its record's id. Settings are secret as a whole and leave this file
only as `ChannelSettings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from functions.alerts.notifying.planning import OPERATOR
from functions.alerts.records import Channel, Webhook
from hedgerow.app import App
from hedgerow.channels import recognising
from hedgerow.channels import settings as settings_of
from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.notice import ChannelKind
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.teams import TeamsSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import HedgerowError, InvalidError, SecretGoneError
from hedgerow.models import Trouble

BOTH_SECRETS_FOR = timedelta(days=1)


class ClosedError(HedgerowError):
    """Nothing can be sent there, and trying again changes nothing."""

    code = "channel_closed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to send. `record` is None for the operator's channel."""

    id: str
    name: str
    settings: ChannelSettings
    record: Channel | Webhook | None


async def place_of(app: App, id: str) -> Place:
    """The place behind an id; `ClosedError` when it is gone, off, or its secret cannot be read."""
    if id == OPERATOR:
        return _operators(app)
    record = await record_of(app, id)
    if record is None:
        raise ClosedError("It was deleted.", code="channel_deleted", hint="Choose another channel for the rule.")
    if record.disabled_at is not None:
        hint = "Mend its address, send a test, then switch it on again."
        raise ClosedError("It is switched off.", code="channel_disabled", hint=hint)
    return await opened(app, record)


async def record_of(app: App, id: str) -> Channel | Webhook | None:
    """The channel or webhook with this id."""
    return await app.store.get(Webhook, id) if id.startswith("whk_") else await app.store.get(Channel, id)


async def opened(app: App, record: Channel | Webhook) -> Place:
    """The place of a record, on or off."""
    try:
        settings = settings_of.load(await app.vault.read(record.secret_ref))
    except (SecretGoneError, InvalidError):
        hint = "Give its address again: PATCH it with `url`."
        raise ClosedError("Its address is gone from the vault.", code="secret_gone", hint=hint) from None
    return Place(record.id, name_of(record), _signing_now(settings, record.rotated_at, app.now()), record)


def name_of(record: Channel | Webhook) -> str:
    """What people call it."""
    return record.name if isinstance(record, Channel) else record.shown


def at_address(kind: ChannelKind, url: SecretStr, *secrets: SecretStr) -> ChannelSettings:
    """The settings of a channel that is an address; `secrets` sign what goes to a webhook."""
    match kind:
        case "slack":
            return SlackSettings(url=url)
        case "discord":
            return DiscordSettings(url=url)
        case "teams":
            return TeamsSettings(url=url)
        case "google_chat":
            return GoogleChatSettings(url=url)
    return WebhookSettings(url=url, secrets=secrets)


def trouble_of(error: HedgerowError) -> Trouble:
    """An error as records keep it."""
    return Trouble(code=error.code, detail=error.detail, hint=error.hint)


def _signing_now(settings: ChannelSettings, rotated_at: datetime | None, now: datetime) -> ChannelSettings:
    """Without the secret before the newest, once its day is over."""
    if not isinstance(settings, WebhookSettings) or rotated_at is None or now < rotated_at + BOTH_SECRETS_FOR:
        return settings
    return settings.model_copy(update={"secrets": settings.secrets[:1]})


def _operators(app: App) -> Place:
    url, secret = app.settings.operator_webhook, app.settings.operator_webhook_secret
    if url is None:
        hint = "Set HEDGEROW_OPERATOR_WEBHOOK."
        raise ClosedError("The operator has no channel.", code="no_operator_channel", hint=hint)
    settings = at_address(recognising.kind_of(url.get_secret_value()), url, *(() if secret is None else (secret,)))
    try:
        recognising.check(settings, app.settings.allowed_private_hosts)
    except InvalidError as error:
        raise ClosedError(
            f"HEDGEROW_OPERATOR_WEBHOOK cannot be used. {error.detail}", code="operator_channel", hint=error.hint
        ) from None
    return Place(OPERATOR, "the operator’s channel", settings, None)
