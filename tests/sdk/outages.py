"""The end of an outage: PostHog is well again, and what waits is sent."""

from __future__ import annotations

import time

from tests.sdk.hosts import Site, Stage

SECONDS = 30


def come_back(stage: Stage, *sites: Site) -> None:
    """Let PostHog be well and wait until nothing waits any more, as nobody has to do anything about it."""
    stage.behave()
    until = time.monotonic() + SECONDS
    while left := {site.connection: waiting(stage, site) for site in sites if waiting(stage, site)}:
        assert time.monotonic() < until, left
        time.sleep(0.2)


def waiting(stage: Stage, site: Site) -> int:
    """How many events wait in Hedgerow's outbox."""
    totals = stage.call("GET", f"/v1/connections/{site.connection}/outbox")["totals"]
    return int(totals["pending"]["events"]) if "pending" in totals else 0
