"""What the doctor is shown: the installation, and how this command reaches its server."""

from __future__ import annotations

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
    admin_key: str = field(default="", repr=False)
    variables: tuple[str, ...] = ()
    google: str = ""
    """Whose Date header tells Google's time: an origin, empty where nothing of Google's is used."""

    @property
    def settings(self) -> Settings:
        """What the installation runs on."""
        return self.app.settings

    @property
    def now(self) -> datetime:
        """The installation's clock."""
        return self.app.now()
