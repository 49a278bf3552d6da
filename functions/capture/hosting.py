"""What one instance holds between requests: caches, breakers, counts, the door to the outbox. Built at first use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.capture.accept.breakers import Breakers
from functions.capture.accept.forwarding import Forwarding
from functions.capture.accept.outbox_writer import OutboxWriter
from functions.capture.accept.recents import Recents
from functions.capture.counting import Counts
from functions.capture.projects import Projects
from hedgerow import collecting

if TYPE_CHECKING:
    from functions.capture.through.passing import Passing
    from hedgerow.app import App

MOST_APPS = 8
_hosts: dict[int, Host] = {}


@dataclass(slots=True)
class Host:
    """The moving parts of capture in one process, for one App."""

    app: App
    projects: Projects
    outbox: OutboxWriter
    counts: Counts
    breakers: Breakers
    forwarding: Forwarding
    recents: Recents
    stall_seconds: float = 30.0
    """How long a client may be silent in the middle of its body."""
    body_seconds: float = 300.0
    """How long it may take over all of it; whoever sends a byte now and then is not waited for."""
    _passing: Passing | None = None

    @property
    def passing(self) -> Passing:
        """Everything that is not ingestion; an instance that only captures never loads it."""
        if self._passing is None:
            from functions.capture.through.passing import Passing

            self._passing = Passing(self.app)
        return self._passing


def host_of(app: App) -> Host:
    """The host of this App; a process in the cloud has one, tests have more."""
    found = _hosts.get(id(app))
    if found is None or found.app is not app:
        if len(_hosts) >= MOST_APPS:
            _hosts.clear()
        found = _hosts[id(app)] = _built(app)
    return found


async def close(app: App) -> None:
    """Write the last counts; for a server that ends in order."""
    found = _hosts.pop(id(app), None)
    if found is not None:
        await found.counts.flush()


def _built(app: App) -> Host:
    # Events are many small objects that die at once. The collector need not walk what was imported
    # again and again for them; without this it takes a sixth of a busy instance's time.
    collecting.keep_what_is_loaded()
    counts, breakers = Counts(app), Breakers()
    return Host(
        app=app,
        projects=Projects(app),
        outbox=OutboxWriter(app, counts),
        counts=counts,
        breakers=breakers,
        forwarding=Forwarding(app, breakers),
        recents=Recents(),
    )
