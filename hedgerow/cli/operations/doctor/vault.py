"""Does the vault answer, and does it still hold what connections refer to? No secret is kept, shown or compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor.case import NAMED, NO_RIGHTS
from hedgerow.cli.operations.doctor.findings import counted, fine, found
from hedgerow.errors import HedgerowError, SecretGoneError
from hedgerow.models import Connection
from hedgerow.ports import Where

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

ABSENT = "con_doctor"


async def check(case: Case) -> list[Finding]:
    """Read what cannot be there, then the secrets of the newest connections.

    Nothing is written: a secret in the cloud is billed, and whoever may write one may
    replace one. A read of a name that is absent shows that the vault answers.
    """
    name = case.settings.vault
    held = await _held(case)
    try:
        await _read_absent(case)
        gone = await _gone(case, held)
    except HedgerowError as error:
        if error.code == NO_RIGHTS:
            raise  # Ours, not the functions': nothing is known of the vault.
        return [found("vault.unreachable", name, error.detail, command=error.hint)]
    return gone or [fine("vault", f"{name} answers; read {counted(len(held), 'secret')} of the newest connections")]


async def _read_absent(case: Case) -> None:
    settings = case.settings
    absent = f"projects/{settings.project}/secrets/{settings.secret_prefix}{ABSENT}/versions/1"
    try:
        await case.app.vault.read(absent if settings.vault == "secret_manager" else f"{ABSENT}.0")
    except SecretGoneError:
        return


async def _held(case: Case) -> list[Connection]:
    """The newest connections that have a secret."""
    held: list[Connection] = []
    # Whose sync has met that its secret is gone needs attention, and its secret is gone still.
    for state in ("connected", "needs_attention"):
        page = await case.app.store.find(Connection, Where("state", "==", state), limit=NAMED)
        held += [connection for connection in page.items if connection.secret_ref]
    return held


async def _gone(case: Case, held: list[Connection]) -> list[Finding]:
    findings: list[Finding] = []
    for connection in held:
        try:
            await case.app.vault.read(connection.secret_ref or "")
        except SecretGoneError as error:
            what = f"{connection.name} of {connection.tenant_id}: {error.detail}"
            command = f"hedgerow connections rotate {connection.id}"
            tenant = connection.tenant_id
            findings.append(found("vault.secret_gone", connection.id, what, command=command, tenant=tenant))
    return findings
