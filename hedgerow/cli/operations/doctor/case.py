"""What the doctor is shown: the installation, and how this command reaches its server."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hedgerow.app import App
    from hedgerow.inspection import Inspection
    from hedgerow.ports import Schedules
    from hedgerow.settings import Settings

LONG_DUE = timedelta(minutes=15)
"""Three ticks: what is due for longer was not only missed once."""
LONG_BEGUN = timedelta(hours=1)
"""What takes seconds and is taken up by ticks when it dies has not ended after this."""
LOOKED_AT = 500
"""The most records of a kind that are read where no index finds the ill ones."""
NO_RIGHTS = "no_rights"
"""The code of an error that says what this account may not do."""
DAMAGED = "damaged"
"""The code of an error that says that a file of the embedded store or queue is damaged."""
ADMIN_KEY = "admin.key"
"""The file in which `hedgerow dev` keeps the key it made."""
TERRAFORMS_VARIABLES = 'eval "$(terraform output -raw operator_environment)"'
"""The line that has Terraform name the installation to a terminal."""
NAMED = 20
"""The most records of a kind that are read where an index does."""


@dataclass(frozen=True)
class Case:
    """One installation to look at. `variables` are the names of the HEDGEROW_* variables that are set."""

    app: App
    inspection: Inspection
    schedules: Callable[[], Schedules]
    """Opened by who looks at them: without a region there are none to look at."""
    url: str
    capture_url: str = ""
    """Where SDKs send to: in the cloud another function's address. Empty where nobody said it."""
    tells: frozenset[str] | None = None
    """What Terraform says is there to tell people: `alerts`, `operator_webhook`. None where it says nothing."""
    admin_key: str = field(default="", repr=False)
    variables: tuple[str, ...] = ()
    looks_at_all: bool = False
    """At every connection, however many there are and however long that takes."""
    google: str = ""
    """Whose Date header tells Google's time: an origin, empty where nothing of Google's is used."""

    @property
    def settings(self) -> Settings:
        """What the installation runs on."""
        return self.app.settings

    @property
    def is_cloud(self) -> bool:
        """Is its state Google's, and no emulator's?"""
        return is_cloud(self.settings)

    @property
    def now(self) -> datetime:
        """The installation's clock."""
        return self.app.now()


def is_cloud(settings: Settings) -> bool:
    """Is the state of these settings Google's, and no emulator's?"""
    return settings.store == "firestore" and not settings.firestore_emulator


def read_key(settings: Settings) -> str:
    """The line that puts the admin key into a terminal."""
    if is_cloud(settings):
        return 'export HEDGEROW_ADMIN_KEY="$(eval "$(terraform output -raw admin_key_command)")"'
    return f'export HEDGEROW_ADMIN_KEY="$(cat {shlex.quote(str(settings.data / ADMIN_KEY))})"'
