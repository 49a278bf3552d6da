"""Looks at everything, each area for itself: one that fails or hangs is told as unknown and stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor import (
    connections,
    dead,
    indexes,
    outbox,
    plan,
    queue,
    sameness,
    schedules,
    server,
    settings,
    store,
    telling,
    unfinished,
    vault,
)
from hedgerow.cli.operations.doctor.case import DAMAGED
from hedgerow.cli.operations.doctor.findings import Finding, Report, found, sorted_by_weight
from hedgerow.errors import HedgerowError, NewerRecordError
from hedgerow.key_shapes import without_keys

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.settings import Settings

    Check = Callable[[Case], Awaitable[list[Finding]]]

PATIENCE_SECONDS = 30.0
"""For one area; Google's clients repeat what fails for twenty."""
LONG_PATIENCE_SECONDS = 900.0
"""Where all connections are looked at: 100,000 come in some 200 pages."""

FIRST: tuple[tuple[str, Check], ...] = (
    ("settings", settings.check),
    ("manifest", plan.check),
    ("server", server.check),
    ("store", store.check),
)
ON_THE_STORE: tuple[tuple[str, Check], ...] = (
    ("same installation", sameness.check),
    ("indexes", indexes.check),
    ("vault", vault.check),
    ("schedules", schedules.check),
    ("connections", connections.check),
    ("unfinished work", unfinished.check),
    ("outbox", outbox.check),
    ("telling people", telling.check),
    ("dead messages", dead.check),
)
WITHOUT: tuple[tuple[str, Check], ...] = (("queue", queue.check),)
AREAS = tuple(name for name, _ in (*FIRST, *WITHOUT, *ON_THE_STORE))


async def diagnose(case: Case, *, patience: float | None = None) -> Report:
    """Everything that is wrong, the gravest first. Never raises for what it looks at."""
    if patience is None:
        patience = LONG_PATIENCE_SECONDS if case.looks_at_all else PATIENCE_SECONDS
    findings = await _look(case, (*FIRST, *WITHOUT), patience)
    skipped: tuple[str, ...] = ()
    if any(each.code in {"store.unreachable", "store.refused"} for each in findings):
        skipped = tuple(name for name, _ in ON_THE_STORE)
    else:
        findings += await _look(case, ON_THE_STORE, patience)
    once = list({(each.code, each.subject, each.what): each for each in findings}.values())
    return Report(sorted_by_weight(once), case.now, looked_at(case), skipped)


def looked_at(case: Case) -> str:
    """Which installation it is, for the first line: nobody should mend the wrong one."""
    capture = f", capture {case.capture_url}" if case.capture_url and case.capture_url != case.url else ""
    return f"{place(case.settings)}; its server {case.url}{capture}"


def place(settings: Settings) -> str:
    """Where the state of these settings is."""
    if settings.store == "sqlite":
        return f"the folder {settings.data.resolve()}"
    emulator = f"Firestore's emulator at {settings.firestore_emulator}, " if settings.firestore_emulator else ""
    return f"{emulator}project {settings.project or '(none is named)'}, database {settings.database}"


async def _look(case: Case, areas: tuple[tuple[str, Check], ...], patience: float) -> list[Finding]:
    async def within(check: Check) -> list[Finding]:
        async with asyncio.timeout(patience):
            return await check(case)

    answers = await asyncio.gather(*(within(check) for _, check in areas), return_exceptions=True)
    findings: list[Finding] = []
    for (name, _), answer in zip(areas, answers, strict=True):
        if isinstance(answer, Exception):
            findings.append(_unknown(name, answer, patience))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            findings += answer
    return findings


def _unknown(name: str, error: Exception, patience: float) -> Finding:
    if isinstance(error, NewerRecordError):
        return found("records.newer", name, error.detail, command=error.hint)
    if isinstance(error, TimeoutError):
        return found("unknown", name, f"No answer within {patience:.0f} s.", command="hedgerow doctor")
    if isinstance(error, HedgerowError) and error.code == DAMAGED:
        return found("store.unreachable", "sqlite", error.detail, command=error.hint)
    if isinstance(error, HedgerowError):
        return found("unknown", name, error.detail, command=error.hint)
    return found("unknown", name, f"{type(error).__name__}: {without_keys(str(error))[:300]}")
