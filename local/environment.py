"""What the laptop's server reads from the environment beside Hedgerow's settings: where Google's emulators are."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Emulators:
    """host:port of each emulator, None where its variable is unset."""

    firestore: str | None
    pubsub: str | None


def emulators() -> Emulators:
    """The two variables that Google's own clients read as well."""
    return Emulators(os.environ.get("FIRESTORE_EMULATOR_HOST"), os.environ.get("PUBSUB_EMULATOR_HOST"))
