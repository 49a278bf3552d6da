"""Everything on the SDKs' host that is not ingestion: whose project it is, then through to PostHog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.through.passing import Asked, token_of
from functions.capture.wire import answers
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from functions.capture.hosting import Host
    from functions.capture.through.passing import Passed
    from functions.capture.wire.answers import Answer
    from functions.capture.wire.inbound import Inbound


async def pass_through(host: Host, inbound: Inbound) -> Answer | Passed:
    """PostHog's answer to a question about flags, configuration, scripts and the like."""
    asked = asked_of(inbound)
    token = token_of(asked)
    try:
        project = await host.projects.by_token(token) if token else None
    except HedgerowError:
        return answers.refused(503, "transient error, please retry")
    if token and project is None:
        host.counts.stranger(token, inbound.received_at)
        await host.counts.flush_if_due()
        return answers.refused(401, "API key is not valid: unknown")
    origin, owner = (project.origin, project.connection.id) if project else (None, "")
    passed = await host.passing.answer(asked, origin, owner)
    return passed or answers.refused(401, "API key is not valid: none was found in the request")


def asked_of(inbound: Inbound) -> Asked:
    """A request as pass-through takes it."""
    return Asked(
        method=inbound.method,
        path=inbound.place.path,
        query=inbound.raw_query,
        headers=inbound.raw_headers,
        body=inbound.body,
        client=inbound.peer or None,
    )
