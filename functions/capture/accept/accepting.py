"""What becomes of a request's events: forwarded, kept, buried, and what the SDK hears of it.

The forward comes first; then everything that was not delivered is written in one go, so
that a store that fails leaves the SDK with all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.accept.forwarding import CLOSED
from functions.capture.accept.lots import Lot, grave, lots_of, tally_of
from functions.capture.wire import answers
from functions.capture.wire.answers import Answer
from hedgerow.deliveries import Attempt
from hedgerow.errors import TransientError
from hedgerow.models import Trouble

if TYPE_CHECKING:
    from functions.capture.accept.forwarding import Verdicts
    from functions.capture.accept.lots import AsideState
    from functions.capture.events import Envelope, Frozen
    from functions.capture.hosting import Host
    from functions.capture.projects import Project
    from functions.capture.wire.inbound import Inbound, Sorted
    from hedgerow.deliveries import Lane
    from hedgerow.posthog.ingestion import Outcome

LANES: dict[str, Lane] = {"recording": "recordings", "ai": "ai"}
MOST_VERDICT = 300
Said = dict[str, dict[str, str]]


async def settle(host: Host, project: Project, envelope: Envelope, found: Sorted, inbound: Inbound) -> Answer:
    """Protocol v0 and recordings: one answer for the whole request."""
    lane = LANES.get(inbound.place.kind, "events")
    historical = envelope.historical
    lots = _aside(project, found, inbound, historical=historical)
    quota = b""
    if found.forward:
        if lane == "recordings":
            _name_token(project, found.forward)
        carried = inbound.carried
        outcome = await host.forwarding.forward(project, lane, found.forward, carried, historical=historical)
        lots += _after(host, project, lane, found, outcome, inbound, historical=historical)
        if lane == "recordings" and outcome.kind == "delivered" and b"quota_limited" in outcome.body:
            quota = outcome.body
    await _write(host, lots, found)
    if inbound.query.get("beacon") == "1":
        return answers.BEACON
    return Answer(200, quota) if quota else answers.ACCEPTED


async def settle_v1(host: Host, project: Project, envelope: Envelope, found: Sorted, inbound: Inbound) -> Answer:
    """Protocol v1: one verdict for each event. What waits here is `ok`: nobody has to send it again."""
    historical = envelope.historical
    lots = _aside(project, found, inbound, historical=historical)
    said: Said = {name: {"result": "ok"} for name in found.named.values()}
    if found.forward:
        lane: Lane = "ai" if "/ai/" in inbound.place.path else "events"
        verdicts = await host.forwarding.forward_v1(
            project, lane, found.forward, inbound.carried, historical=historical
        )
        if verdicts.outcome.kind == "delivered":
            lots += _not_taken(project, lane, found, verdicts, inbound, said, historical=historical)
        lots += _after(host, project, lane, found, verdicts.outcome, inbound, historical=historical)
    await _write(host, lots, found)
    for poison in found.poisons:
        if poison.uuid in found.named:
            said[found.named[poison.uuid]] = {"result": "drop", "details": poison.code}
    return answers.results(said)


async def _write(host: Host, lots: list[Lot], found: Sorted) -> None:
    if not lots:
        return
    try:
        await host.outbox.commit(lots)
    except TransientError:
        found.refused = [event for lot in lots if not lot.is_written for event in lot.frozen]
        raise


def _not_taken(
    project: Project, lane: Lane, found: Sorted, verdicts: Verdicts, inbound: Inbound, said: Said, *, historical: bool
) -> list[Lot]:
    """Take out what PostHog dropped or wants again, and note every verdict that is not plain success."""
    lots: list[Lot] = []
    again = found.fresh([event for event in found.forward if event.uuid in verdicts.again])
    dropped = [event for event in found.forward if event.uuid in verdicts.dropped]
    trouble = _trouble("posthog_busy", "PostHog asked for this event again.")
    lots += lots_of(project, again, inbound.source, lane=lane, historical=historical, trouble=trouble)
    for event in dropped:
        details = verdicts.dropped[event.uuid][:MOST_VERDICT]
        trouble = _trouble("posthog_refused", f"PostHog dropped it: {details or 'no reason given'}.")
        lots += lots_of(
            project,
            found.fresh([event]),
            inbound.source,
            lane=lane,
            historical=historical,
            state="dead",
            trouble=trouble,
        )
        said[found.named[event.uuid]] = {"result": "drop", "details": details}
    for key, details in verdicts.warned.items():
        if key in found.named:
            said[found.named[key]] = {"result": "warning", "details": details[:MOST_VERDICT]}
    gone = verdicts.again | verdicts.dropped.keys()
    found.forward = [event for event in found.forward if event.uuid not in gone]
    return lots


def _after(
    host: Host, project: Project, lane: Lane, found: Sorted, outcome: Outcome, inbound: Inbound, *, historical: bool
) -> list[Lot]:
    """Count what PostHog took; the answer is what it did not."""
    events, connection, now = found.fresh(found.forward), project.connection, inbound.received_at
    if len(events) < len(found.forward):
        host.counts.mark(connection, "repeated", now, len(found.forward) - len(events))
    if outcome.kind == "delivered":
        host.counts.add_tally(connection, now, tally_of(events, now), "delivered")
        return []
    if lane == "recordings" and host.app.settings.recordings == "drop" and outcome.kind == "failed":
        host.counts.mark(connection, "recordings.dropped", now, len(events))
        return []
    is_final = outcome.kind != "failed" and len(found.forward) == 1
    return lots_of(
        project,
        events,
        inbound.source,
        lane=lane,
        historical=historical,
        state="dead" if is_final else "pending",
        trouble=_trouble(outcome.code, outcome.detail),
        attempt=None if outcome is CLOSED else _attempt(host, outcome),
    )


def _aside(project: Project, found: Sorted, inbound: Inbound, *, historical: bool) -> list[Lot]:
    """What is not forwarded now: refused by the catalogue, held or to be looked at by the merge guard, unreadable."""
    source = inbound.source
    lots = [grave(project, poison, source) for poison in found.poisons]
    groups: dict[tuple[str, str, str], tuple[Trouble, list[Frozen]]] = {}
    for state, trouble, event in found.aside:
        if id(event) in found.repeated:
            continue
        groups.setdefault((state, trouble.code, trouble.detail), (trouble, []))[1].append(event)
    for (state, _, _), (trouble, events) in groups.items():
        if state == "merge":
            lots += lots_of(project, events, source, lane="merges", historical=historical)
            continue
        kept: AsideState = "held" if state == "held" else "dead"
        lots += lots_of(project, events, source, historical=historical, state=kept, trouble=trouble)
    return lots


def _name_token(project: Project, events: list[Frozen]) -> None:
    """A recording goes out as an array, so each element names the project itself."""
    for event in events:
        properties = event.body.get("properties")
        if isinstance(properties, dict) and not event.body.get("api_key") and not event.body.get("token"):
            properties["token"] = project.token


def _attempt(host: Host, outcome: Outcome) -> Attempt:
    return Attempt(at=host.app.now(), status=outcome.status, code=outcome.code, detail=outcome.detail)


def _trouble(code: str, detail: str) -> Trouble:
    hints = {
        "posthog_refused": "PostHog's own words say what is wrong with it; mend what sends it, then redeliver.",
        "posthog_unexpected": "Look at the host and the project token of the connection: something else than PostHog's "
        "capture seems to answer. It is sent again every minute.",
        "posthog_too_large": "It is cut into smaller batches; a single event that is too large stays dead.",
    }
    return Trouble(
        code=code, detail=detail, hint=hints.get(code, "Nothing to do: it is sent again every minute until it arrives.")
    )
