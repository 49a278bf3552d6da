"""What `hedgerow dev` runs on: its options, the settings they lead to, its own admin key and clock."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from functions.api.routes import checked
from hedgerow import tiers, wiring
from hedgerow.errors import HedgerowError
from hedgerow.settings import Settings, read
from local.admin_key import kept_admin_key

if TYPE_CHECKING:
    from collections.abc import Callable


class CannotStartError(Exception):
    """The server cannot start; the message is one line for the person at the terminal."""


@dataclass(frozen=True)
class Options:
    """What `hedgerow dev` was asked for."""

    port: int
    data: Path
    now: datetime | None = None
    emulators: bool = False


def settings_of(options: Options) -> Settings:
    """The environment's settings, with what is the laptop's own; `CannotStartError` for one that cannot be used."""
    try:
        asked = read()
        checked()
    except HedgerowError as error:
        raise CannotStartError(f"{error.detail} {error.hint}") from error
    try:
        tiers.load(asked.tiers_file)
    except HedgerowError as error:
        where = f" The file is {asked.tiers_file}, by HEDGEROW_TIERS_FILE." if asked.tiers_file else ""
        raise CannotStartError(f"{error.detail} {error.hint}{where}") from error
    invoker = SecretStr(secrets.token_urlsafe(32))
    update: dict[str, object] = {
        "data": options.data,
        "invoker": invoker,
        # What calls here is this server itself, or an emulator: neither has an identity token.
        "identity": "off",
        "invoker_emails": (),
        "vault": "sealed",
        "store": "sqlite",
        "queue": "embedded",
    }
    if options.emulators:
        if not asked.firestore_emulator or not asked.pubsub_emulator:
            raise CannotStartError(
                "--emulators needs FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST, each the host:port of a running "
                "emulator: gcloud emulators firestore start, gcloud beta emulators pubsub start."
            )
        update |= {"store": "firestore", "queue": "pubsub", "project": asked.project or "hedgerow-local"}
    if not asked.admin_key:  # An empty variable is none: nobody may be the operator without a key.
        update["admin_key"] = SecretStr(_admin_key(options.data))
    return asked.model_copy(update=update)


def at_home(settings: Settings, here: str) -> Settings:
    """Links in messages lead here, and messages may go to the chat of this machine, which is no public address."""
    return settings.model_copy(
        update={
            "public_url": settings.public_url or f"http://{here}",
            "allowed_private_hosts": (*settings.allowed_private_hosts, here),
        }
    )


def _admin_key(data: Path) -> str:
    """The key made for this folder, printed at every start."""
    key = kept_admin_key(data)
    print(f"HEDGEROW_ADMIN_KEY={key}", flush=True)
    return key


def clock_from(starts_at: datetime | None) -> Callable[[], datetime]:
    """The wall clock, or one that starts elsewhere and runs on from there."""
    if starts_at is None:
        return wiring.utc_now
    offset = starts_at - wiring.utc_now()
    return lambda: wiring.utc_now() + offset
