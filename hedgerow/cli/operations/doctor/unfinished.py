"""What was begun and never ended, although a tick should have taken it up: runs, drafts of secrets, tenants that go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor.case import LONG_BEGUN, LONG_DUE, NAMED
from hedgerow.cli.operations.doctor.findings import fine, found, some
from hedgerow.drafts import SecretDraft
from hedgerow.models import SyncRun, Tenant
from hedgerow.ports import Where

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

TICK = "hedgerow schedules list; then hedgerow tick pro"


async def check(case: Case) -> list[Finding]:
    """One finding for each kind of unfinished thing."""
    findings = [*await _runs(case), *await _drafts(case), *await _tenants(case)]
    return findings or [fine("unfinished work", "no run, draft or deletion was left behind")]


async def _runs(case: Case) -> list[Finding]:
    findings: list[Finding] = []
    for state, what in (("running", "run under a lease that is over"), ("pending", "wait for their turn")):
        page = await case.app.store.find(
            SyncRun, Where("state", "==", state), Where("due_at", "<=", case.now - LONG_DUE), limit=NAMED
        )
        if page.items:
            names = some([run.id for run in page.items], page.next_cursor is not None)
            since = page.items[0].due_at
            findings.append(found("run.stuck", state, f"Sync runs {what}: {names}.", since=since, command=TICK))
    return findings


async def _drafts(case: Case) -> list[Finding]:
    old = Where("due_at", "<=", case.now - LONG_BEGUN)
    page = await case.app.store.find(SecretDraft, old, limit=NAMED)
    if not page.items:
        return []
    names = some([draft.connection_id for draft in page.items], page.next_cursor is not None)
    what = f"Secrets of connections that never came to be may still be in the vault: {names}."
    return [found("draft.left", "drafts", what, since=page.items[0].due_at, command=TICK)]


async def _tenants(case: Case) -> list[Finding]:
    old = Where("closing_since", "<=", case.now - LONG_BEGUN)
    page = await case.app.store.find(Tenant, old, limit=NAMED)
    return [
        found(
            "tenant.closing",
            tenant.id,
            f"{tenant.name} is still being deleted.",
            since=tenant.closing_since,
            command=f"hedgerow tenants delete {tenant.id} --yes",
        )
        for tenant in page.items
    ]
