"""Do the manifest and the tiers make sense? Read as a deployment reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.routes import targets
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
        number = len(targets())
    except HedgerowError as error:
        number = 0
        findings.append(found("manifest.invalid", "functions/manifest.json", error.detail, command=error.hint))
    try:
        tiers.load(case.settings.tiers_file)
    except HedgerowError as error:
        findings.append(found("tiers.invalid", "tiers.json", error.detail, command=error.hint))
    return findings or [fine("manifest", f"{number} targets, {len(tiers.TIERS)} tiers")]
