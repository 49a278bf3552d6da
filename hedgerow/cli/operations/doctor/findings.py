"""What the doctor finds: one line a person can act on, with since when and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hedgerow.cli.operations.doctor.codes import CODES, Severity

ORDER: tuple[Severity, ...] = ("problem", "warning", "unknown", "ok")
CAUSES = (
    "settings.invalid",
    "settings.contradiction",
    "vault.key_missing",
    "store.unreachable",
    "store.refused",
    "server.other_installation",
    "queue.unreachable",
)
"""What makes other things look wrong."""
BLINDING = frozenset({"settings.invalid", "store.unreachable"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or fine. `subject` is an id or a name; `command` may be a sentence where none mends it.

    `tenant` is whose it is, where the command needs a key of that tenant.
    """

    code: str
    severity: Severity
    subject: str
    what: str
    since: datetime | None = None
    command: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found, the gravest first; where it was looked, and which areas could not be."""

    findings: tuple[Finding, ...]
    at: datetime
    looked_at: str = ""
    skipped: tuple[str, ...] = ()

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(each for each in self.findings if each.severity == severity)

    @property
    def exit_code(self) -> int:
        """3 when nothing can be said for want of the store or of settings, 1 with problems, else 0."""
        codes = {each.code for each in self.findings}
        if codes & BLINDING or (self.skipped and "store.refused" in codes):
            return 3
        return 1 if self.of("problem") else 0


def found(
    code: str, subject: str, what: str, *, since: datetime | None = None, command: str = "", tenant: str = ""
) -> Finding:
    """A finding; its code says how grave it is. A code that is none is a `KeyError`."""
    severity, _ = CODES[code]
    return Finding(code, severity, subject, what, since, command, tenant)


def fine(subject: str, what: str) -> Finding:
    """That nothing is wrong, and what was looked at."""
    return found("ok", subject, what)


def sorted_by_weight(findings: list[Finding]) -> tuple[Finding, ...]:
    """Problems first, then warnings, what could not be seen, what is fine; causes first, then the longest standing."""

    def weight(each: Finding) -> tuple[int, int, str, float, str]:
        since = each.since.timestamp() if each.since else float("inf")
        cause = CAUSES.index(each.code) if each.code in CAUSES else len(CAUSES)
        return ORDER.index(each.severity), cause, each.code, since, each.subject

    return tuple(sorted(findings, key=weight))


def counted(number: int, one: str, *, more: bool = False) -> str:
    """A number with its noun: 1 message, 20 messages or more."""
    return f"{number:,} {one}{'' if number == 1 and not more else 's'}{' or more' if more else ''}"


def some(names: list[str], more: bool = False) -> str:
    """The first few of many, for a sentence."""
    shown = ", ".join(names[:5])
    return f"{shown}, …" if more or len(names) > 5 else shown
