"""Do the manifest and the tiers make sense? Read as a deployment reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.routes import checked
from hedgerow import tiers
from hedgerow.cli.operations.doctor.findings import fine, found
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding


async def check(case: Case) -> list[Finding]:
    """The first thing that is wrong with either."""
    findings: list[Finding] = []
    try:
        number = len(checked())
    except HedgerowError as error:
        number = 0
        findings.append(found("manifest.invalid", "functions/manifest.json", error.detail, command=error.hint))
    try:
        tiers.load(case.settings.tiers_file)
    except HedgerowError as error:
        file = case.settings.tiers_file
        name = file.name if file else "tiers.json"
        what = error.detail.removeprefix(f"{name}: ")
        # Whose own file it is knows where it lies.
        command = f"{error.hint} The file is {file}, by HEDGEROW_TIERS_FILE." if file else error.hint
        findings.append(found("tiers.invalid", name, what, command=command))
    return findings or [fine("manifest", f"{number} targets, {len(tiers.TIERS)} tiers")]
