"""One ingestion request from its body to its answer: read, freeze, judge, forward, or keep.

What is answered 200 is with PostHog or on disk. Refused as a whole is only what PostHog's
edge would refuse and nobody could deliver: no token, an empty body, too much.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from functions.capture import answers
from functions.capture.answers import Answer
from functions.capture.decoding import EmptyBodyError, TooLargeError, UnreadableError, decode
from functions.capture.envelopes import read
from functions.capture.events import Arrived, Envelope, Frozen, Poison
from functions.capture.forwarding import Carried, Verdicts
from functions.capture.freezing import freeze
from functions.capture.outbox_writer import Source, tally_of
from hedgerow.errors import TransientError
from hedgerow.logs import log
from hedgerow.models import Trouble

if TYPE_CHECKING:
    from functions.capture.hosting import Host
    from functions.capture.passing import Passed
    from functions.capture.paths import Place
    from functions.capture.projects import Project
    from hedgerow.deliveries import Lane
    from hedgerow.posthog.ingestion import Outcome

LANES: dict[str, Lane] = {"recording": "recordings", "ai": "ai"}
MOST_VERDICT = 300


@dataclass(slots=True)
class Inbound:
    """A request as it came: `headers` by lower-case name, `address` the client's own."""

    method: str
    place: Place
    raw_query: bytes
    query: dict[str, str]
    raw_headers: list[tuple[bytes, bytes]]
    headers: dict[bytes, bytes]
    body: bytes
    received_at: datetime
    address: str | None = None
    peer: str = ""
    address_chain: str = ""

    def header(self, name: bytes) -> str:
        """A header's text, "" when it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(slots=True)
class Sorted:
    """A request's events, each where it belongs."""

    forward: list[Frozen] = field(default_factory=list)
    repeated: set[str] = field(default_factory=set)
    aside: list[tuple[str, Trouble, Frozen]] = field(default_factory=list)
    poisons: list[Poison] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    """v1: our uuid of an event to the SDK's own writing of it."""


async def ingest(host: Host, inbound: Inbound) -> Answer | Passed:
    """Answer one request on an ingestion path."""
    is_v1 = inbound.place.kind == "v1"
    try:
        envelope = _opened(host, inbound)
    except (EmptyBodyError, TooLargeError, UnreadableError) as error:
        return await _without_events(host, inbound, error)
    token = envelope.token
    if not token:
        return _tokenless(inbound, envelope)
    try:
        project = await host.projects.by_token(token)
        if project is None:
            return await _stranger(host, token, inbound)
        if project.passes:
            host.counts.mark(project.connection, "passed", inbound.received_at, max(1, len(envelope.events)))
            return await _passed(host, project, inbound)
        if not envelope.events and not envelope.broken:
            return _refusal(inbound, 400, "empty_batch", "request holds no event")
        found = _sorted(host, project, envelope, inbound)
        answer = await (_v1 if is_v1 else _v0)(host, project, envelope, found, inbound)
    except TransientError as error:
        log().warning("capture.store_down", detail=error.detail)
        return _refusal(inbound, 503, "service_unavailable", "transient error, please retry")
    await host.counts.flush_if_due()
    return answer


def _opened(host: Host, inbound: Inbound) -> Envelope:
    is_recording = inbound.place.kind == "recording"
    text = decode(
        inbound.body,
        query=inbound.query,
        content_type=inbound.header(b"content-type"),
        encoding=inbound.header(b"content-encoding"),
        legacy=inbound.place.legacy,
        limit=host.app.settings.capture_bytes * (2 if is_recording else 1),
    )
    return read(
        text,
        query=inbound.query,
        bearer=_bearer(inbound),
        protocol="v1" if inbound.place.kind == "v1" else "v0",
        sent_at_header=inbound.header(b"posthog-request-timestamp"),
    )


def _sorted(host: Host, project: Project, envelope: Envelope, inbound: Inbound) -> Sorted:
    """Freeze every event and ask the guards about it."""
    name, _, version = inbound.header(b"posthog-sdk-info").partition("/")
    arrived = Arrived(
        now=inbound.received_at,
        sent_at=envelope.sent_at,
        address=None if project.rules.privacy.no_ip else inbound.address,
        protocol="v1" if inbound.place.kind == "v1" else "v0",
        library=(name, version) if name else None,
        fills_name=inbound.place.kind == "engage",
    )
    connection, judges, recents = project.connection, project.judges, host.recents
    found = Sorted()
    marks: dict[str, int] = {}

    def mark(text: str) -> None:
        marks[text] = marks.get(text, 0) + 1

    for each in envelope.events:
        event = freeze(each, arrived)
        if isinstance(event, Poison):
            found.poisons.append(event)
            continue
        if arrived.protocol == "v1":
            found.named[event.uuid] = str(each.get("uuid") or event.uuid)
        if recents.repeats(connection.id, event):
            found.repeated.add(event.uuid)
        for judge in judges:
            aside = judge(event, mark)
            if aside is not None:
                found.aside.append((aside.state, aside.trouble, event))
                break
        else:
            found.forward.append(event)
    if envelope.broken:
        found.poisons.append(Poison(str(uuid.uuid4()), envelope.rest or inbound.body, "unreadable", envelope.broken))
    for text, number in marks.items():
        host.counts.mark(connection, text, inbound.received_at, number)
    return found


async def _v0(host: Host, project: Project, envelope: Envelope, found: Sorted, inbound: Inbound) -> Answer:
    lane = LANES.get(inbound.place.kind, "events")
    source = _source(inbound)
    await _keep_aside(host, project, found, source, historical=envelope.historical)
    quota = b""
    if found.forward:
        if lane == "recordings":
            _name_token(project, found.forward)
        outcome = await host.forwarding.forward(
            project, lane, found.forward, _carried(inbound), historical=envelope.historical
        )
        await _settle(host, project, lane, found, outcome, source, historical=envelope.historical)
        if lane == "recordings" and b"quota_limited" in outcome.body and outcome.kind == "delivered":
            quota = outcome.body
    if inbound.query.get("beacon") == "1":
        return answers.BEACON
    return Answer(200, quota) if quota else answers.ACCEPTED


async def _v1(host: Host, project: Project, envelope: Envelope, found: Sorted, inbound: Inbound) -> Answer:
    source = _source(inbound)
    await _keep_aside(host, project, found, source, historical=envelope.historical)
    said = {name: {"result": "ok"} for name in found.named.values()}
    if found.forward:
        verdicts = await host.forwarding.forward_v1(
            project, found.forward, _carried(inbound), historical=envelope.historical
        )
        said |= await _settle_v1(host, project, found, verdicts, source, historical=envelope.historical)
    for poison in found.poisons:
        said[poison.uuid] = {"result": "drop", "details": poison.code}
    return answers.results(said)


async def _settle_v1(
    host: Host, project: Project, found: Sorted, verdicts: Verdicts, source: Source, *, historical: bool
) -> dict[str, dict[str, str]]:
    """Put away what PostHog dropped or wants again; the verdicts that are not plain success."""
    said: dict[str, dict[str, str]] = {}
    if verdicts.outcome.kind == "delivered" and (verdicts.dropped or verdicts.again):
        dropped = [event for event in found.forward if event.uuid in verdicts.dropped]
        again = [event for event in found.forward if event.uuid in verdicts.again]
        gone = {event.uuid for event in (*dropped, *again)}
        if again:
            later = _trouble("posthog_busy", "PostHog asked for this event again.")
            await host.outbox.keep(project, again, source, historical=historical, trouble=later)
        for event in dropped:
            details = verdicts.dropped[event.uuid][:MOST_VERDICT]
            refused = _trouble("posthog_refused", f"PostHog dropped it: {details or 'no reason given'}.")
            await host.outbox.keep(project, [event], source, historical=historical, state="dead", trouble=refused)
            said[found.named[event.uuid]] = {"result": "drop", "details": details}
        found.forward = [event for event in found.forward if event.uuid not in gone]
    for uuid_, details in verdicts.warned.items():
        if uuid_ in found.named:
            said[found.named[uuid_]] = {"result": "warning", "details": details[:MOST_VERDICT]}
    await _settle(host, project, "events", found, verdicts.outcome, source, historical=historical)
    return said


async def _settle(
    host: Host, project: Project, lane: Lane, found: Sorted, outcome: Outcome, source: Source, *, historical: bool
) -> None:
    """Count what PostHog took; keep what it did not."""
    events, connection = found.forward, project.connection
    if not events:
        return
    if outcome.kind == "delivered":
        fresh = [event for event in events if event.uuid not in found.repeated]
        host.counts.add_tally(connection, source.received_at, tally_of(fresh, source.received_at), "delivered")
        if len(fresh) < len(events):
            host.counts.mark(connection, "repeated", source.received_at, len(events) - len(fresh))
        return
    if lane == "recordings" and host.app.settings.recordings == "drop" and outcome.kind == "failed":
        host.counts.mark(connection, "recordings.dropped", source.received_at, len(events))
        return
    is_final = outcome.kind != "failed" and len(events) == 1
    await host.outbox.keep(
        project,
        events,
        source,
        lane=lane,
        historical=historical,
        state="dead" if is_final else "pending",
        trouble=_trouble(outcome.code, outcome.detail),
    )


async def _keep_aside(host: Host, project: Project, found: Sorted, source: Source, *, historical: bool) -> None:
    """Write what is not forwarded now, before anything else: its writing may fail, and then nothing was promised."""
    if found.poisons:
        await host.outbox.bury(project, found.poisons, source)
    groups: dict[tuple[str, str, str], list[tuple[Trouble, Frozen]]] = {}
    for state, trouble, event in found.aside:
        groups.setdefault((state, trouble.code, trouble.detail), []).append((trouble, event))
    for (state, _, _), members in groups.items():
        events = [event for _, event in members]
        if state == "merge":
            await host.outbox.keep(project, events, source, lane="merges", historical=historical)
        else:
            await host.outbox.keep(
                project,
                events,
                source,
                historical=historical,
                state="held" if state == "held" else "dead",
                trouble=members[0][0],
            )


async def _without_events(host: Host, inbound: Inbound, error: UnreadableError | TooLargeError) -> Answer | Passed:
    """A body nobody can open. With a token beside it, it is kept; without one, PostHog's own refusal."""
    if isinstance(error, TooLargeError):
        return _refusal(inbound, 413, "payload_too_large", f"maximum event size exceeded: {error}")
    if isinstance(error, EmptyBodyError):
        return _refusal(inbound, 400, "empty_body", "request missing data payload")
    token = _bearer(inbound) or inbound.query.get("token") or inbound.query.get("api_key")
    if not token:
        return _refusal(inbound, 400, "request_decoding_error", f"failed to decode request: {error}")
    try:
        project = await host.projects.by_token(token)
        if project is None:
            return await _stranger(host, token, inbound)
        if project.passes:
            return await _passed(host, project, inbound)
        poison = Poison(str(uuid.uuid4()), inbound.body, "unreadable", f"The body could not be opened: {error}")
        await host.outbox.bury(project, [poison], _source(inbound))
    except TransientError:
        return _refusal(inbound, 503, "service_unavailable", "transient error, please retry")
    await host.counts.flush_if_due()
    return answers.results({}) if inbound.place.kind == "v1" else answers.ACCEPTED


def _tokenless(inbound: Inbound, envelope: Envelope) -> Answer:
    if inbound.place.kind == "v1":
        return answers.refused_v1(401, "missing_authorization", "Authorization header is required")
    if envelope.broken:
        return answers.refused(400, f"failed to parse request: {envelope.broken}")
    if not envelope.events:
        return answers.refused(400, "request holds no event")
    return answers.refused(401, "event submitted without an api_key")


async def _stranger(host: Host, token: str, inbound: Inbound) -> Answer:
    host.counts.stranger(token, inbound.received_at)
    await host.counts.flush_if_due()
    return _refusal(inbound, 401, "invalid_api_token", f"API key is not valid: {_shape(token)}")


def _shape(token: str) -> str:
    """PostHog's own word on a token, and `unknown` where PostHog would find out later and say nothing."""
    if token.startswith("phx_"):
        return "personal_api_key"
    if not token.strip():
        return "empty"
    if not token.isascii():
        return "not_ascii"
    if "\0" in token:
        return "null_byte"
    return "too_long" if len(token) > 64 else "unknown"


async def _passed(host: Host, project: Project, inbound: Inbound) -> Answer | Passed:
    """Traffic of a disconnected connection: nothing of it is kept but its number."""
    await host.counts.flush_if_due()
    return await straight_through(host, inbound, project.origin)


async def straight_through(host: Host, inbound: Inbound, origin: str | None) -> Answer | Passed:
    """A request to PostHog as it is, and its answer back."""
    from functions.capture.passing import Asked

    asked = Asked(
        method=inbound.method,
        path=inbound.place.path,
        query=inbound.raw_query,
        headers=inbound.raw_headers,
        body=inbound.body,
        client=inbound.peer or None,
    )
    return await host.passing.answer(asked, origin)


def _refusal(inbound: Inbound, status: int, tag: str, text: str) -> Answer:
    if inbound.place.kind == "v1":
        return answers.refused_v1(status, tag, text)
    return answers.refused(status, text)


def _name_token(project: Project, events: Sequence[Frozen]) -> None:
    """A recording goes out as an array, so each element names the project itself."""
    for event in events:
        properties = event.body.get("properties")
        if isinstance(properties, dict) and not event.body.get("api_key") and not event.body.get("token"):
            properties["token"] = project.token


def _bearer(inbound: Inbound) -> str | None:
    scheme, _, token = inbound.header(b"authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _source(inbound: Inbound) -> Source:
    sdk = inbound.header(b"posthog-sdk-info") or inbound.header(b"user-agent")
    return Source(inbound.received_at, sdk[:120], inbound.place.path[:80])


def _carried(inbound: Inbound) -> Carried:
    return Carried(
        user_agent=inbound.header(b"user-agent"),
        address_chain=inbound.address_chain,
        is_compressed=inbound.body[:2] == b"\x1f\x8b",
        sdk_info=inbound.header(b"posthog-sdk-info"),
        attempt=inbound.header(b"posthog-attempt") or "1",
        request_id=inbound.header(b"posthog-request-id"),
    )


def _trouble(code: str, detail: str) -> Trouble:
    hints = {
        "posthog_refused": "PostHog's own words say what is wrong with it; mend what sends it, then redeliver.",
        "posthog_too_large": "It is cut into smaller batches; a single event that is too large stays dead.",
    }
    return Trouble(
        code=code, detail=detail, hint=hints.get(code, "Nothing to do: it is sent again every minute until it arrives.")
    )
