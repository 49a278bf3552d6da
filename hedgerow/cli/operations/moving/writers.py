"""Who may be writing to a store while an import puts records in the place of others: a warning each, no lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.installation import is_embedded
from hedgerow.cli.operations.place import is_served
from hedgerow.cli.operations.schedules.keeping import timetable
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.cli.operations.schedules.keeping import Timetable

PAUSE = "Pause them (hedgerow schedules pause NAME), or their work and the export's overwrite each other."


async def writers(app: App) -> tuple[str, ...]:
    """A sentence for each that is at work on this store; none where nothing is."""
    if is_embedded(app.settings) or app.settings.firestore_emulator:
        if not is_served(app.settings.data):
            return ()
        return (f"A server runs on {app.settings.data}: stop it, or its work and the export's overwrite each other.",)
    try:
        return going(await timetable(app))
    except HedgerowError as error:
        return (f"Whether schedules are paused could not be told: {error.detail} {PAUSE}",)


def going(there: Timetable) -> tuple[str, ...]:
    """The schedules that go on calling ticks, in one sentence."""
    names = [job.name for job in there.jobs if job.state != "paused"]
    return (f"Schedules that are not paused: {', '.join(names)}. {PAUSE}",) if names else ()
