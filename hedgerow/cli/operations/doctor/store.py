"""Does the store answer, take, give back and forget; and is its file the owner's alone, on a disk with room?"""

from __future__ import annotations

import shlex
import shutil
import time
from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor.case import DAMAGED, NO_RIGHTS
from hedgerow.cli.operations.doctor.findings import fine, found
from hedgerow.cli.operations.installation import is_embedded
from hedgerow.errors import ConflictError, HedgerowError, MisconfiguredError, RejectedError, TransientError
from hedgerow.models import RetentionWalk
from hedgerow.ports import Add, Delete
from hedgerow.records import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

SLOW_SECONDS = 1.0
LEAST_BYTES = 1_000_000_000
LEAST_SHARE = 0.05
ROLES = "docs/operations/google-errors.md has the roles"
FILES = ("store.db", "store.db-wal", "queue.db", "queue.db-wal", "sealing.key", "admin.key")


async def check(case: Case) -> list[Finding]:
    """Write, read and delete a record, or only read where no more is allowed; look at the files."""
    findings = await _probe(case)
    if is_embedded(case.settings):
        findings += _files(case.settings.data) + _disk(case.settings.data)
    return findings


async def _probe(case: Case) -> list[Finding]:
    name = f"{case.settings.store} {case.settings.data if is_embedded(case.settings) else case.settings.database}"
    # A walk nobody is on: no class of record exists for this alone.
    probe = RetentionWalk(id=f"doctor:{new_id('probe')}", cursor="")
    began = time.perf_counter()
    try:
        await case.app.store.commit(Add(probe))
        is_there = await case.app.store.get(RetentionWalk, probe.id) is not None
        await case.app.store.commit(Delete(RetentionWalk, probe.id))
    except (TransientError, RejectedError, ConflictError) as error:
        return [await _refused(case, name, probe, error)]
    milliseconds = (time.perf_counter() - began) * 1000
    if not is_there:
        what = "A record that was just written could not be read."
        return [found("store.refused", name, what, command="Look at the log of the store.")]
    if milliseconds > SLOW_SECONDS * 1000:
        what = f"A write, a read and a deletion took {milliseconds:,.0f} ms."
        return [found("store.slow", name, what, command=_hurry(case))]
    return [fine("store", f"{name}: wrote, read and deleted in {milliseconds:,.0f} ms")]


async def _refused(case: Case, name: str, probe: RetentionWalk, error: HedgerowError) -> Finding:
    if error.code == NO_RIGHTS:
        try:
            await case.app.store.get(RetentionWalk, probe.id)
        except HedgerowError:
            return found("store.refused", name, error.detail, command=error.hint)
        what = f"Your account may read it and not write to it, so a write was not tried. {error.detail}"
        return found("store.read_only", name, what, command=f"The role full has the right; {ROLES}.")
    if error.code == DAMAGED:
        return found("store.unreachable", name, error.detail, command=error.hint)
    if isinstance(error, MisconfiguredError | RejectedError):
        return found("store.refused", name, error.detail, command=error.hint)
    return found("store.unreachable", name, error.detail, command=_start(case, error.hint))


def _start(case: Case, hint: str) -> str:
    if is_embedded(case.settings):
        return f"ls -l {shlex.quote(str(case.settings.data))}; another process may hold the file, or the disk be full"
    return hint


def _hurry(case: Case) -> str:
    if is_embedded(case.settings):
        return "Put the data folder on a local disk: hedgerow dev --data DIR"
    return "Run the command nearer to the database's region; where functions are slow too: docs/operations/README.md"


def _files(folder: Path) -> list[Finding]:
    findings: list[Finding] = []
    for name in FILES:
        path = folder / name
        if path.is_file() and path.stat().st_mode & 0o077:
            what = f"{path} may be read by other users of this machine."
            findings.append(found("store.open_to_others", name, what, command=f"chmod 600 {shlex.quote(str(path))}"))
    return findings


def _disk(folder: Path) -> list[Finding]:
    disk = shutil.disk_usage(folder)
    if disk.free >= LEAST_BYTES or disk.free >= disk.total * LEAST_SHARE:
        size = sum(path.stat().st_size for name in FILES if (path := folder / name).is_file())
        return [fine("disk", f"{disk.free / 1e9:,.1f} GB free, {size / 1e6:,.1f} MB used by {folder}")]
    what = f"{disk.free / 1e6:,.0f} MB are free on the disk of {folder}."
    return [found("store.disk_low", str(folder), what, command="Free space, or move the folder and say --data DIR.")]
