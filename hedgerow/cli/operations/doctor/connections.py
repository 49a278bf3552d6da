"""Which connections are stuck, refused, failing or stale?

What an index finds is found wherever it is. The rest is judged on the first few hundred
connections, so that a look costs the same with a hundred thousand of them, or on all
where that was asked for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hedgerow import tiers
from hedgerow.cli.operations.doctor.case import LONG_BEGUN, LONG_DUE, LOOKED_AT, NAMED
from hedgerow.cli.operations.doctor.findings import counted, fine, found
from hedgerow.errors import HedgerowError
from hedgerow.models import Connection, ConnectionState, Tier
from hedgerow.ports import Where

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.tiers import TierRules

STALE = 3
"""Intervals without a success."""
WARNED = timedelta(days=30)
"""How long before its day a key is told of; of less than three times that, in the last third."""


async def check(case: Case) -> list[Finding]:
    """One finding for each connection and fault."""
    ailing, seen, more = await _one_by_one(case)
    findings = [
        *await _stuck(case),
        *[_attention(each) for each in await _in_state(case, "needs_attention")],
        *[
            _endless(each)
            for each in await _in_state(case, "disconnecting")
            if each.state_since < case.now - LONG_BEGUN
        ],
        *ailing,
    ]
    first = "the first " if more else ""
    return findings or [
        fine("connections", f"none due too long; {first}{counted(seen, 'connection')} looked at one by one")
    ]


async def _one_by_one(case: Case) -> tuple[list[Finding], int, bool]:
    """What is wrong with them, how many were looked at, and whether there are others."""
    rules = _rules(case)
    findings: list[Finding] = []
    cursor, seen = None, 0
    while True:
        page = await case.app.store.find(Connection, limit=LOOKED_AT, cursor=cursor)
        findings += [finding for each in page.items for finding in _ailing(case, each, rules)]
        cursor, seen = page.next_cursor, seen + len(page.items)
        if cursor is None or not case.looks_at_all:
            return findings, seen, cursor is not None


def _rules(case: Case) -> dict[Tier, TierRules] | None:
    """None where tiers.json cannot be used, which the area of the manifest tells."""
    try:
        return tiers.load(case.settings.tiers_file)
    except HedgerowError:
        return None


async def _stuck(case: Case) -> list[Finding]:
    findings: list[Finding] = []
    for tier in tiers.TIERS:
        page = await case.app.store.find(
            Connection, Where("tier", "==", tier), Where("due_at", "<=", case.now - LONG_DUE), limit=NAMED
        )
        if not page.items:
            continue
        number = counted(len(page.items), "connection", more=page.next_cursor is not None)
        what = f"{number} of tier {tier} due and not synced; the longest is {page.items[0].id}."
        command = f"hedgerow schedules list; then hedgerow tick {tier}"
        findings.append(found("connection.stuck", tier, what, since=page.items[0].due_at, command=command))
    return findings


async def _in_state(case: Case, state: ConnectionState) -> tuple[Connection, ...]:
    return (await case.app.store.find(Connection, Where("state", "==", state), limit=NAMED)).items


def _attention(connection: Connection) -> Finding:
    trouble = connection.trouble
    what = f"{_whose(connection)}: {trouble.detail}" if trouble else f"{_whose(connection)} needs attention."
    command = f"hedgerow connections rotate {connection.id}"
    if trouble and trouble.hint and "connections rotate" not in trouble.hint:
        command = f"{trouble.hint} Then: {command}"
    return _of("connection.needs_attention", connection, what, command, connection.state_since)


def _endless(connection: Connection) -> Finding:
    what = f"{_whose(connection)} is still disconnecting; its credential may still be there."
    return _of(
        "connection.disconnecting",
        connection,
        what,
        f"hedgerow disconnect {connection.id}",
        connection.state_since,
    )


def _ailing(case: Case, connection: Connection, rules: dict[Tier, TierRules] | None) -> list[Finding]:
    every = tiers.interval(connection, rules) if rules is not None else None
    findings = _expiring(case, connection)
    if connection.state != "connected" or not connection.activity_tracking:
        return findings
    progress = connection.progress
    last = progress.last_success_at or connection.created_at
    show = f"hedgerow runs {connection.id}"
    if every is not None and tiers.is_syncable(connection) and last < case.now - STALE * every:
        what = f"{_whose(connection)}: no success within {STALE} intervals of {every}{_why(connection)}."
        findings.append(_of("connection.stale", connection, what, show, last))
    elif progress.failures:
        began = "its last success" if progress.last_success_at else "it was connected"
        what = f"{_whose(connection)}: {counted(progress.failures, 'failed sync')} since {began}{_why(connection)}."
        findings.append(_of("connection.failing", connection, what, show, last))
    lost = [each for each in connection.capabilities if each.required and not each.ok]
    for each in lost:
        what = f"{_whose(connection)} can no longer {each.name.replace('_', ' ')}: {each.detail}"
        command = each.hint or f"hedgerow connections rotate {connection.id}"
        findings.append(_of("connection.capability_lost", connection, what, command))
    return findings


def _expiring(case: Case, connection: Connection) -> list[Finding]:
    """PostHog's own keys never expire; how old one may grow, the installation says."""
    days, since = case.settings.key_days, connection.key_since
    if not days or since is None or connection.secret_ref is None:
        return []
    # By its age: whatever instant an import brought, none of these lies outside of the calendar.
    allowed = timedelta(days=days)
    if case.now - since < allowed - min(WARNED, allowed / 3):
        return []
    expires = since + allowed
    verb = "was to be replaced by" if expires <= case.now else "is to be replaced by"
    what = f"{_whose(connection)}: its personal API key {verb} {expires.date()}, {counted(days, 'day')} after it was given."
    return [_of("connection.key_expiring", connection, what, f"hedgerow connections rotate {connection.id}", since)]


def _of(code: str, connection: Connection, what: str, command: str, since: datetime | None = None) -> Finding:
    return found(code, connection.id, what, since=since, command=command, tenant=connection.tenant_id)


def _whose(connection: Connection) -> str:
    return f"{connection.name} of {connection.tenant_id}"


def _why(connection: Connection) -> str:
    return f" ({connection.trouble.code})" if connection.trouble else ""
