"""The five operations: who may call one, and what becomes of the event it makes.

Sent to PostHog at once, and PostHog's answer handed on; or, in the durable mode, kept in the
outbox. Refusals before an operation begins are errors of `hedgerow.errors`; everything after
is an answer in the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from functions.capture.accept.lots import Source, tally_of
from functions.capture.events import Arrived, Poison
from functions.capture.operating import operation_answers
from functions.capture.operating.operation_forms import FORMS
from functions.capture.operating.operation_reading import ParameterError, instant_of, read
from functions.capture.wire.freezing import freeze
from functions.capture.wire.timestamps import written
from hedgerow.deliveries import packed_batch
from hedgerow.errors import (
    ForbiddenError,
    InvalidError,
    MissingError,
    OversizedError,
    StateConflictError,
    TransientError,
    UnauthorizedError,
)
from hedgerow.keys import recognise
from hedgerow.ownership import connection_of, no_connection
from hedgerow.posthog.ingestion import PATHS, USER_AGENT, send
from hedgerow.posthog.keys import WHERE_TOKEN, trouble_of_project_token

if TYPE_CHECKING:
    from datetime import datetime

    from functions.capture.events import Aside, Frozen
    from functions.capture.hosting import Host
    from functions.capture.operating.operation_answers import OperationAnswer
    from functions.capture.projects import Project
    from hedgerow.models import Connection

SEND_SECONDS = 8.0
"""How long PostHog has to answer: the caller waits for its word, and gives up after ten by habit."""
PATH = "/v1/capture/"
OURS = "hdg_"
ROLES = frozenset(["capture", "write"])
HOW = (
    f"Send `Authorization: Bearer phc_…`, the project token ({WHERE_TOKEN}), or a key of yours with ?connection=con_…."
)
GUARDED = (
    "The merge guard looks at it before PostHog does: it is sent within about a minute, or held for a person to "
    "decide. GET /v1/connections/{id}/outbox shows which."
)
HELD = (
    "The merge guard holds it. Send it after all with POST /v1/connections/{id}/outbox/redeliver, or drop it with "
    "POST /v1/connections/{id}/outbox/refuse."
)
REFUSED = "Mend the event, or the catalogue; nothing was sent or kept."
NOT_KEPT = (
    "Nothing was sent or kept. If it is right all the same, send it with ?mode=durable, which keeps it held, and "
    "release it with POST /v1/connections/{id}/outbox/redeliver."
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the query of an operation's address asks for."""

    connection_id: str | None = None
    durable: bool = False


def wish_of(query: bytes) -> Wish:
    """The query as sent; `InvalidError` for anything but one `connection` and one `mode=durable`."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    found = dict(pairs)
    unknown = next((name for name in found if name not in {"connection", "mode"}), None)
    if unknown is not None or len(found) < len(pairs):
        raise InvalidError(
            "The query of an operation takes `connection` and `mode`, each once.",
            code="query_unknown",
            hint="Parameters of the operation go into the body, as a JSON object.",
        )
    if found.get("mode", "durable") != "durable":
        raise InvalidError(
            "`mode` can only be `durable`.",
            code="mode_unknown",
            hint="Leave it out for PostHog's own answer; ?mode=durable keeps the event in the outbox.",
            members={"field": "mode"},
        )
    return Wish(found.get("connection"), "mode" in found)


async def authorise(host: Host, bearer: str | None, connection_id: str | None) -> Project:
    """The project of a call, by its project token, or by a tenant's key and the connection it names.

    `UnauthorizedError`, `ForbiddenError`, `MissingError`, `InvalidError`; `StateConflictError`
    for a connection that takes no events; `TransientError` while the store is down.
    """
    if not bearer:
        raise UnauthorizedError("No key was sent.", code="key_missing", hint=HOW)
    if bearer.startswith(OURS):
        return await _by_key(host, bearer, connection_id)
    project = await host.projects.by_token(bearer)
    if project is None:
        refusal = _stranger(host, bearer)
        await host.counts.flush_if_due()
        raise refusal
    if connection_id not in {None, project.connection.id}:
        raise no_connection()
    _refuse_closed(project.connection)
    return project


async def perform(
    host: Host,
    operation: str,
    project: Project,
    body: bytes,
    *,
    durable: bool,
    address: str | None,
    sdk: str = "",
    seconds: float = SEND_SECONDS,
) -> OperationAnswer:
    """Carry one operation out. `address` is the client's own, `sdk` its User-Agent, `seconds` what PostHog has.

    `MissingError`, `OversizedError` and `MalformedError` before it begins.
    """
    if operation not in FORMS:
        raise MissingError(f"There is no such operation; there are {', '.join(FORMS)}.", hint=f"POST {PATH}event")
    limit = host.app.settings.body_bytes
    if len(body) > limit:
        raise OversizedError(f"The body is over {limit} bytes.")
    now = host.app.now()
    try:
        event = _frozen(operation, project, body, now, address)
        aside = _judged(host, project, event, now)
        if aside is not None and aside.state == "dead":
            raise ParameterError(f"{aside.trouble.detail} {REFUSED}")
        if aside is not None and aside.state == "held" and not durable:
            raise ParameterError(f"{aside.trouble.detail} {NOT_KEPT}")
    except ParameterError as error:
        answer = operation_answers.of_parameters(error.detail)
    else:
        warnings = await _warnings(host, project, operation, event)
        if durable or aside is not None:
            source = Source(now, sdk[:120], PATH + operation)
            answer = await _kept(host, project, event, aside, source, warnings)
        else:
            answer = await _sent(host, project, operation, event, now, warnings, seconds)
    await host.counts.flush_if_due()
    return answer


def _frozen(operation: str, project: Project, body: bytes, now: datetime, address: str | None) -> Frozen:
    """The event of an operation with its uuid and instant decided; `ParameterError` where it cannot be one."""
    wire = read(operation, body).wire()
    instant = instant_of(wire.timestamp, now)
    event: dict[str, object] = {"event": wire.name, "distinct_id": wire.distinct_id, "properties": wire.properties}
    if instant is not None:
        event["timestamp"] = written(instant)
    frozen = freeze(event, Arrived(now=now, address=None if project.rules.privacy.no_ip else address))
    if isinstance(frozen, Poison):
        raise ParameterError(f"PostHog would not take this event: {frozen.detail}")
    return frozen


def _judged(host: Host, project: Project, event: Frozen, now: datetime) -> Aside | None:
    """What the connection's guards say of it; they may have changed it."""

    def mark(name: str) -> None:
        host.counts.mark(project.connection, name, now)

    for judge in project.judges:
        aside = judge(event, mark)
        if aside is not None:
            return aside
    return None


async def _warnings(host: Host, project: Project, operation: str, event: Frozen) -> list[str]:
    """What PostHog would not say of an alias."""
    properties = event.body.get("properties")
    alias = properties.get("alias") if isinstance(properties, dict) else None
    if operation != "alias" or not isinstance(alias, str):
        return []
    from functions.capture.operating.identified import warning_of

    # As the guards left them: these are the ids PostHog knows.
    warning = await warning_of(host.app, project.connection, event.distinct_id, alias)
    return [warning] if warning else []


async def _sent(
    host: Host, project: Project, operation: str, event: Frozen, now: datetime, warnings: list[str], seconds: float
) -> OperationAnswer:
    """PostHog's answer; counted only when it took the event, because only then somebody was told so."""
    batch = packed_batch(project.token, orjson.dumps(event.body), historical=False)
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    url = project.origin + PATHS["events"]
    outcome = await send(host.app.outbound.session, url, batch, headers, seconds=seconds)
    if outcome.kind == "delivered":
        host.counts.add_tally(project.connection, now, tally_of([event], now), "delivered")
    return operation_answers.of_outcome(operation, outcome, event.uuid, warnings)


async def _kept(
    host: Host, project: Project, event: Frozen, aside: Aside | None, source: Source, warnings: list[str]
) -> OperationAnswer:
    """The outbox has it when this returns a success."""
    try:
        if aside is None:
            await host.outbox.keep(project, [event], source)
        elif aside.state == "held":
            await host.outbox.keep(project, [event], source, state="held", trouble=aside.trouble)
            warnings = [*warnings, HELD]
        else:
            await host.outbox.keep(project, [event], source, lane="merges")
            warnings = [*warnings, GUARDED]
    except TransientError:
        return operation_answers.of_failing(
            event.uuid, "Hedgerow could not store the event just now; nothing was sent. Send it again in a moment."
        )
    return operation_answers.of_keeping(event.uuid, warnings)


async def _by_key(host: Host, bearer: str, connection_id: str | None) -> Project:
    caller = await recognise(host.app, bearer)
    if caller.role not in ROLES:
        raise ForbiddenError(f"This key's role is `{caller.role}`; the call needs `capture` or `write`.")
    if not connection_id:
        raise InvalidError(
            "A key of a tenant does not say which project is meant.",
            code="connection_missing",
            hint="Name it in the address: ?connection=con_…; or send the project token in place of the key.",
            members={"field": "connection"},
        )
    connection = await connection_of(host.app, caller, connection_id)
    _refuse_closed(connection)
    if connection.project_token is None:
        raise StateConflictError(
            "The connection has no project token, without which PostHog takes no events.",
            code="project_token_not_given",
            hint=f"Give it: `hedgerow connections rotate`, or PATCH /v1/connections/{{id}}; it stands in {WHERE_TOKEN}.",
        )
    return await host.projects.of(connection)


def _refuse_closed(connection: Connection) -> None:
    """The SDKs' traffic passes a disconnected connection; here somebody waits for an answer and can change the key."""
    if connection.state in {"disconnecting", "disconnected"} or connection.refuse_traffic:
        raise StateConflictError(
            "The connection takes no events: it was disconnected.",
            code="connection_disconnected",
            hint="Connect the project again, or send events to PostHog itself.",
        )


def _stranger(host: Host, bearer: str) -> UnauthorizedError:
    trouble = trouble_of_project_token(bearer)
    if trouble is not None:
        return UnauthorizedError(trouble.detail, code=trouble.code, hint=trouble.hint)
    if bearer.startswith("phc_"):
        host.counts.stranger(bearer, host.app.now())
    return UnauthorizedError(
        "No connection here has this project token.",
        code="project_token_unknown",
        hint=f"Check it against the project's ({WHERE_TOKEN}), and connect the project with it: POST /v1/connections.",
    )
