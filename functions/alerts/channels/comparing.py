"""Whether a channel has a certain address or token: a yes or a no, so that nobody need be shown either."""

from __future__ import annotations

import hmac

from pydantic import BaseModel, ConfigDict, SecretStr

from functions.alerts.channels.places import ClosedError, opened
from functions.alerts.records import Channel
from hedgerow.app import App


class AddressGiven(BaseModel):
    """What a file's references lead to."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr | None = None
    token: SecretStr | None = None


class Compared(BaseModel):
    """The answer."""

    same: bool


async def is_same(app: App, channel: Channel, given: AddressGiven) -> bool:
    """Does the vault hold just this? An address that is gone is another one."""
    try:
        place = await opened(app, channel)
    except ClosedError:
        return False
    return all(
        hmac.compare_digest(_text(getattr(place.settings, name, None)), _text(getattr(given, name)))
        for name in ("url", "token")
    )


def _text(secret: SecretStr | None) -> bytes:
    return b"" if secret is None else secret.get_secret_value().strip().encode()
