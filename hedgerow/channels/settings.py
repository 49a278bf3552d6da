"""A channel's settings, of whichever kind, and their way into the vault and back. They are secret as a whole."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.teams import TeamsSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import InvalidError

ChannelSettings = Annotated[
    SlackSettings | DiscordSettings | TeamsSettings | GoogleChatSettings | WebhookSettings, Field(discriminator="kind")
]


def dump(settings: ChannelSettings) -> SecretStr:
    """Everything, secrets too, as one text for the vault."""
    return SecretStr(json.dumps({name: _plain(value) for name, value in settings}))


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def load(secret: SecretStr) -> ChannelSettings:
    """What `dump` wrote; `InvalidError` for anything else, which it does not repeat."""
    adapter: TypeAdapter[ChannelSettings] = TypeAdapter(ChannelSettings, config=ConfigDict(hide_input_in_errors=True))
    try:
        return adapter.validate_json(secret.get_secret_value())
    except ValidationError:
        raise InvalidError(
            "What is kept of this channel cannot be read.", hint="Give the channel's address or token again."
        ) from None
