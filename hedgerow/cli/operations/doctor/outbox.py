"""What lies in the outbox: waiting for too long, dead, or held for a decision.

Steps from connection to connection along an index, a bounded number of them, one record
of each state: a million waiting events cost as much as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor.case import LONG_DUE
from hedgerow.cli.operations.doctor.findings import counted, fine, found
from hedgerow.deliveries import DeliveryState, DeliveryStory
from hedgerow.ports import Where

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

CONNECTIONS = 50


async def check(case: Case) -> list[Finding]:
    """One finding for each connection and state."""
    findings: list[Finding] = []
    last, seen, more = "", 0, True
    while case.looks_at_all or seen < CONNECTIONS:
        page = await case.app.store.find(DeliveryStory, Where("connection_id", ">", last), limit=1)
        if not page.items:
            more = False
            break
        last = page.items[0].connection_id
        seen += 1
        for state in ("pending", "held", "dead"):
            finding = await _oldest(case, last, state)
            findings += [finding] if finding else []
    number = counted(seen, "connection", more=more)
    return findings or [fine("outbox", f"nothing waits too long; {number} looked at that had deliveries")]


async def _oldest(case: Case, connection_id: str, state: DeliveryState) -> Finding | None:
    mine, alike = Where("connection_id", "==", connection_id), Where("state", "==", state)
    page = await case.app.store.find(DeliveryStory, mine, alike, limit=1)
    if not page.items:
        return None
    delivery = page.items[0]
    since = delivery.accepted_at
    tenant = delivery.tenant_id
    why = f" ({delivery.trouble.detail.rstrip('.')})." if delivery.trouble else "."
    listed = f"hedgerow outbox list {connection_id} --state {state}"
    if state == "held":
        what = f"Events of {tenant} wait for a person's decision{why}"
        return found("outbox.held", connection_id, what, since=since, command=listed, tenant=tenant)
    if state == "dead":
        what = f"Events of {tenant} that PostHog did not take are not sent again by themselves{why}"
        command = f"hedgerow outbox redeliver --connection {connection_id} --state dead"
        return found("outbox.dead", connection_id, what, since=since, command=command, tenant=tenant)
    if since > case.now - LONG_DUE:
        return None
    what = f"Events of {tenant} wait for PostHog{why}"
    return found("outbox.waiting", connection_id, what, since=since, command=listed, tenant=tenant)
