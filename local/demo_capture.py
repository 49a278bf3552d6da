"""The demo's act about capture: an outage that loses nothing, and an e-mail address that stays out of an event.

Events are sent by PostHog's own Python SDK, pointed at Hedgerow; what arrived is read from PostHog.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from hedgerow.wiring import utc_now
from local.stage import StepError

if TYPE_CHECKING:
    from posthog import Posthog

    from local.stage import Stage

COUNT = 1_000
LONGEST_WAIT = 60.0
# PostHog corrects an SDK's clock by how long its request took: milliseconds, far below the outage.
MOST_OFF = timedelta(seconds=2)
ADDRESS = "maria.keller@example.com"


def tell(stage: Stage, posthog: dict[str, str]) -> None:
    """Both parts of the act, on a connection that stands."""
    _survive_an_outage(stage, posthog)
    _keep_an_address_out(stage, posthog)


def _survive_an_outage(stage: Stage, posthog: dict[str, str]) -> None:
    _say("\n── PostHog goes away: every connection to it is closed.")
    _switch(posthog, off=True)
    since, began = utc_now(), time.monotonic()
    sdk = _sdk(stage, posthog)
    _say(f"A back end goes on: {COUNT:,} events by PostHog's Python SDK, whose `host` is {sdk.host}.")
    own = {}
    for number in range(COUNT):
        id, at = str(uuid4()), utc_now()
        sdk.capture(
            "cart.updated", distinct_id=f"shopper_{number % 50}", uuid=id, timestamp=at, properties={"items": number}
        )
        own[id] = at
    sdk.shutdown()
    stage.run("outbox")
    _switch(posthog, off=False)
    _say(f"\n── PostHog is back after {time.monotonic() - began:.0f} s. Nobody has to do anything.")
    found = _arrived(posthog, own)
    furthest = max(abs(found[id] - at) for id, at in own.items())
    if furthest > MOST_OFF:
        raise StepError(f"An event moved by {furthest.total_seconds():.1f} s.")
    _say(
        f"PostHog holds all {len(found):,}, each once, the furthest {furthest / timedelta(milliseconds=1):.0f} ms "
        "from its own time (what its request took)."
    )
    _say("\n── Hedgerow's books against PostHog's own count.")
    stage.run("reconcile", "--from", f"{since:%Y-%m-%dT%H:00:00Z}")


def _keep_an_address_out(stage: Stage, posthog: dict[str, str]) -> None:
    _say("\n── Personal data: e-mail addresses are masked in events; who a person is stays as it was sent.")
    stage.run("guards", "set", "--email", "mask")
    sdk = _sdk(stage, posthog)
    sdk.capture(
        "payment.completed",
        distinct_id="shopper_1",
        properties={"amount_minor": 4_900, "currency": "EUR", "method": "card", "note": f"Receipt to {ADDRESS}"},
    )
    sdk.capture("$identify", distinct_id="shopper_1", properties={"$set": {"email": ADDRESS}})
    sdk.shutdown()
    note, email = _ask(
        posthog,
        "select anyIf(properties.note, event = 'payment.completed'), anyIf(properties.$set.email, event = '$identify') "
        "from events where distinct_id = 'shopper_1' and event in ('payment.completed', '$identify')",
    )[0]
    if ADDRESS in str(note) or email != ADDRESS:
        raise StepError("The address stands where it should not, or is gone where it belongs.")
    _say("\nIn PostHog:")
    _say(f"  payment.completed  note   {note}")
    _say(f"  $identify          email  {email}")


def _sdk(stage: Stage, posthog: dict[str, str]) -> Posthog:
    from posthog import Posthog

    return Posthog(posthog["project_token"], host=stage.variables["HEDGEROW_URL"])


def _switch(posthog: dict[str, str], *, off: bool) -> None:
    answer = httpx.post(f"{posthog['host']}/_local/off", json={"off": off}, timeout=30, trust_env=False)
    answer.raise_for_status()


def _arrived(posthog: dict[str, str], own: dict[str, datetime]) -> dict[str, datetime]:
    """The instants of our events, once all are there; each must be there once."""
    until = time.monotonic() + LONGEST_WAIT
    while _ask(posthog, "select count() from events where event = 'cart.updated'")[0][0] < len(own):
        if time.monotonic() > until:
            raise StepError(f"Not every event had arrived after {LONGEST_WAIT:.0f} s.")
        time.sleep(0.25)
    rows = _ask(posthog, "select uuid, timestamp from events where event = 'cart.updated' limit 10000")
    found = {str(id): datetime.fromisoformat(at) for id, at in rows}
    if len(rows) != len(own) or found.keys() != own.keys():
        raise StepError(f"{len(rows):,} events arrived, {len(own):,} were sent.")
    return found


def _ask(posthog: dict[str, str], hogql: str) -> list[list[Any]]:
    answer = httpx.post(
        f"{posthog['host']}/api/projects/{posthog['project_id']}/query/",
        json={"query": {"kind": "HogQLQuery", "query": hogql}, "refresh": "force_blocking"},
        headers={"Authorization": f"Bearer {posthog['personal_api_key']}"},
        timeout=30,
        trust_env=False,
    )
    answer.raise_for_status()
    rows: list[list[Any]] = json.loads(answer.content)["results"]
    return rows


def _say(line: str) -> None:
    print(line, flush=True)
