"""One ingestion request from its body to its answer: read, freeze, judge, forward, or keep.

What is answered 200 is with PostHog or on disk. Refused as a whole is only what PostHog's
edge would refuse and nobody could deliver: no token, an empty body, too much.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from functions.capture.accept.accepting import settle, settle_v1
from functions.capture.accept.lots import grave
from functions.capture.events import Arrived, Envelope, Frozen, Poison
from functions.capture.guards.screening import needed
from functions.capture.wire import answers
from functions.capture.wire.answers import Answer
from functions.capture.wire.decoding import EmptyBodyError, TooLargeError, UnreadableError, decode
from functions.capture.wire.envelopes import MIXED_TOKENS, read
from functions.capture.wire.freezing import freeze_all
from functions.capture.wire.inbound import Inbound, Sorted
from hedgerow.errors import HedgerowError, TransientError
from hedgerow.logs import log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.capture.hosting import Host
    from functions.capture.projects import Project
    from functions.capture.through.passing import Passed


MOST_EVENTS = 20_000
"""Of one request; SDKs send a hundred. A few hundred bytes of gzip can hold a million."""
MOST_BRACKETS = 1_000_000
SMALL_BYTES = 1_000_000


async def ingest(host: Host, inbound: Inbound) -> Answer | Passed:
    """Answer one request on an ingestion path."""
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
        if project.rules.privacy.no_ip:
            inbound.forget_address()
        if not envelope.events and not envelope.broken:
            return _refusal(inbound, 400, "empty_batch", "request holds no event")
        try:
            answer = await _settled(host, project, envelope, inbound)
        except TypeError:
            if not envelope.is_plain:
                raise
            # Brackets hidden in strings deceived the quick look at depth: now every event is looked at.
            envelope.is_plain = False
            answer = await _settled(host, project, envelope, inbound)
    except HedgerowError as error:
        # A guard whose key is gone is no guard: nothing passes until it is back.
        log().warning("capture.store_down", code=error.code, detail=error.detail)
        return _refusal(inbound, 503, "service_unavailable", "transient error, please retry")
    await host.counts.flush_if_due()
    return answer


async def _settled(host: Host, project: Project, envelope: Envelope, inbound: Inbound) -> Answer:
    """Freeze, judge, forward or keep; whatever happens, a later copy of what was not accepted counts as the first."""
    sound, found = _frozen(envelope, inbound)
    visit = host.recents.begin(project.connection.id, sound)
    refused: Sequence[Frozen] = sound
    try:
        if visit.repeated:
            await host.recents.known(visit)
        found.repeated = visit.repeated
        _judge(host, project, sound, found, inbound)
        settling = settle_v1 if inbound.place.kind == "v1" else settle
        try:
            answer = await settling(host, project, envelope, found, inbound)
        except TransientError:
            refused = found.refused
            raise
        refused = ()
        return answer
    finally:
        host.recents.end(visit, refused)


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
    if len(text) > SMALL_BYTES and text.count(b"{") + text.count(b"[") > MOST_BRACKETS:
        raise TooLargeError(f"the body has over {MOST_BRACKETS:,} objects and lists")
    envelope = read(
        text,
        query=inbound.query,
        bearer=inbound.bearer,
        protocol="v1" if inbound.place.kind == "v1" else "v0",
        sent_at_header=inbound.header(b"posthog-request-timestamp"),
    )
    if len(envelope.events) > MOST_EVENTS:
        raise TooLargeError(f"the batch has {len(envelope.events):,} events; send at most {MOST_EVENTS:,} at a time")
    return envelope


def _frozen(envelope: Envelope, inbound: Inbound) -> tuple[list[Frozen], Sorted]:
    """Every event frozen; those that cannot be one stand among the poisons already."""
    name, _, version = inbound.header(b"posthog-sdk-info").partition("/")
    is_v1 = inbound.place.kind == "v1"
    arrived = Arrived(
        now=inbound.received_at,
        sent_at=envelope.sent_at,
        address=inbound.address,
        protocol="v1" if is_v1 else "v0",
        library=(name, version) if name else None,
        fills_name=inbound.place.kind == "engage",
        is_plain=envelope.is_plain,
    )
    # v1's verdicts are keyed by the uuid as the SDK wrote it.
    written = [_uuid_written(each) for each in envelope.events] if is_v1 else []
    sound: list[Frozen] = []
    found = Sorted()
    for number, event in enumerate(freeze_all(envelope.events, arrived)):
        if is_v1:
            found.named[event.uuid] = written[number] or event.uuid
        if isinstance(event, Poison):
            found.poisons.append(event)
        else:
            sound.append(event)
    if envelope.broken:
        found.poisons.append(Poison(str(uuid.uuid4()), envelope.rest or inbound.body, "unreadable", envelope.broken))
    return sound, found


def _uuid_written(event: object) -> str:
    said = event.get("uuid") if isinstance(event, dict) else None
    return said.encode("utf-8", "replace").decode() if isinstance(said, str) else ""


def _judge(host: Host, project: Project, sound: list[Frozen], found: Sorted, inbound: Inbound) -> None:
    """Ask the guards about every event: what is forwarded, what is put aside."""
    marks: dict[str, int] = {}

    def mark(text: str, times: int = 1) -> None:
        marks[text] = marks.get(text, 0) + times

    guards = project.guards
    judges, screens = [guard.judge for guard in guards], [guard.screen for guard in guards]
    for event, looking in zip(sound, needed(sound, judges, screens, mark), strict=True):
        for judge in looking:
            aside = judge(event, mark)
            if aside is not None:
                found.aside.append((aside.state, aside.trouble, event))
                break
        else:
            found.forward.append(event)
    if project.scrub is not None:
        found.poisons = [project.scrub(each, inbound.received_at, mark) for each in found.poisons]
    for text, times in marks.items():
        host.counts.mark(project.connection, text, inbound.received_at, times)


async def _without_events(host: Host, inbound: Inbound, error: UnreadableError | TooLargeError) -> Answer | Passed:
    """A body nobody can open. With a token beside it, it is kept; without one, PostHog's own refusal."""
    if isinstance(error, TooLargeError):
        return _refusal(inbound, 413, "payload_too_large", f"maximum event size exceeded: {error}")
    if isinstance(error, EmptyBodyError):
        return _refusal(inbound, 400, "empty_body", "request missing data payload")
    token = inbound.bearer or inbound.query.get("token") or inbound.query.get("api_key")
    if not token:
        return _refusal(inbound, 400, "request_decoding_error", f"failed to decode request: {error}")
    try:
        project = await host.projects.by_token(token)
        if project is None:
            return await _stranger(host, token, inbound)
        if project.passes:
            return await _passed(host, project, inbound)
        poison = Poison(str(uuid.uuid4()), inbound.body, "unreadable", f"The body could not be opened: {error}")
        if project.scrub is not None:
            poison = project.scrub(poison, inbound.received_at, lambda _: None)
        await host.outbox.commit([grave(project, poison, inbound.source)])
    except HedgerowError as failure:
        log().warning("capture.store_down", code=failure.code, detail=failure.detail)
        return _refusal(inbound, 503, "service_unavailable", "transient error, please retry")
    await host.counts.flush_if_due()
    return answers.results({}) if inbound.place.kind == "v1" else answers.ACCEPTED


def _tokenless(inbound: Inbound, envelope: Envelope) -> Answer:
    if inbound.place.kind == "v1":
        return answers.refused_v1(401, "missing_authorization", "Authorization header is required")
    if envelope.broken == MIXED_TOKENS:
        return answers.refused(401, MIXED_TOKENS)
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
    return await straight_through(host, inbound, project)


async def straight_through(host: Host, inbound: Inbound, project: Project) -> Answer | Passed:
    """A request to PostHog as it is, and its answer back."""
    from functions.capture.through.passing_through import asked_of

    passed = await host.passing.answer(asked_of(inbound), project.origin, project.connection.id)
    return passed or answers.refused(401, "event submitted without an api_key")


def _refusal(inbound: Inbound, status: int, tag: str, text: str) -> Answer:
    return answers.refusal(inbound.place.kind, status, tag, text)
