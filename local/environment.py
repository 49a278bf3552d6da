"""What the laptop reads from the environment beside Hedgerow's settings: emulators, and what the demo is asked for."""

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


def wants_to_stay() -> bool:
    """`SERVE=1 make demo`: leave the servers running."""
    return os.environ.get("SERVE", "") not in {"", "0"}


def with_variables(**variables: str) -> dict[str, str]:
    """This process's environment for a child, with these variables and none of Hedgerow's others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    return {**kept, **variables}
