"""Are the settings ones that can be meant? Reads names and values, nothing outside."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from hedgerow import identity
from hedgerow.cli.operations.doctor.case import TERRAFORMS_VARIABLES, is_cloud, read_key
from hedgerow.cli.operations.doctor.findings import counted, fine, found
from hedgerow.settings import Settings

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

PREFIX = "HEDGEROW_"
OF_THE_COMMAND = frozenset(
    {
        "HEDGEROW_URL",
        "HEDGEROW_CAPTURE_URL",
        "HEDGEROW_TELLS",
        "HEDGEROW_API_KEY",
        "HEDGEROW_POSTHOG_PERSONAL_API_KEY",
        "HEDGEROW_POSTHOG_PROJECT_TOKEN",
        "HEDGEROW_CHANNEL_URL",
    }
)
"""Variables that the command line reads beside the settings."""


async def check(case: Case) -> list[Finding]:
    """Unknown variables, contradictions, identity, and the admin key."""
    findings = [*_unknown(case.variables), *contradictions(case.settings)]
    findings += [
        found("settings.identity", "identity", sentence, command="docs/observability.md, Who calls")
        for sentence in identity.misconfigured(case.settings)
    ]
    if case.is_cloud and not case.admin_key:
        what = "It is not set here, so whether the server takes it was not tried."
        findings.append(found("settings.no_admin_key", "HEDGEROW_ADMIN_KEY", what, command=read_key(case.settings)))
    return findings or [fine("settings", f"{counted(len(case.variables), 'HEDGEROW_ variable')}, all known")]


def known_variables() -> frozenset[str]:
    """Every variable that something reads."""
    own = {f"HEDGEROW_{name.upper()}" for name, each in Settings.model_fields.items() if each.validation_alias is None}
    return frozenset(own) | OF_THE_COMMAND


def _unknown(variables: tuple[str, ...]) -> list[Finding]:
    known = known_variables()
    findings: list[Finding] = []
    for name in variables:
        if name in known:
            continue
        # What all have in common would make any two of them alike.
        bare = {each.removeprefix(PREFIX): each for each in known}
        near = [bare[each] for each in get_close_matches(name.removeprefix(PREFIX), bare, n=1)]
        meant = f"; {near[0]} is meant?" if near else "."
        command = f"unset {name}" + (f"; export {near[0]}=…" if near else "")
        findings.append(found("settings.unknown_variable", name, f"Nothing reads {name}{meant}", command=command))
    return findings


def contradictions(settings: Settings) -> list[Finding]:
    """One finding for each pair of settings that cannot both be meant."""
    wrong: list[tuple[str, str, str]] = []
    in_google = [
        name
        for name, is_there in (
            ("HEDGEROW_STORE", settings.store == "firestore"),
            ("HEDGEROW_QUEUE", settings.queue == "pubsub"),
            ("HEDGEROW_VAULT", settings.vault == "secret_manager"),
        )
        if is_there
    ]
    if settings.project and not in_google:
        what = f"A project is named, {settings.project}, and everything is kept in the folder {settings.data}: it was looked at."
        command = f"{TERRAFORMS_VARIABLES} for the project; unset HEDGEROW_PROJECT for the folder"
        wrong.append(("HEDGEROW_PROJECT", what, command))
    if in_google and not settings.project:
        what = f"{in_google[0]} needs a Google Cloud project, and HEDGEROW_PROJECT is not set."
        wrong.append(("HEDGEROW_PROJECT", what, "export HEDGEROW_PROJECT=…; gcloud projects list shows the ids"))
    if (settings.store == "firestore") != (settings.queue == "pubsub"):
        what = f"State is in {settings.store}, work in {settings.queue}: no function could share both with another."
        wrong.append(("HEDGEROW_QUEUE", what, "export HEDGEROW_STORE=firestore HEDGEROW_QUEUE=pubsub, or unset both"))
    if settings.store == "firestore" and bool(settings.firestore_emulator) != bool(settings.pubsub_emulator):
        what = "One emulator is named and the other is not: half of the work would go to the real service."
        wrong.append(("PUBSUB_EMULATOR_HOST", what, "set FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST, or neither"))
    if is_cloud(settings) and settings.vault == "sealed" and settings.sealing_key is None:
        what = "Secrets are sealed with a key in a file of this machine, which no function has."
        wrong.append(("HEDGEROW_SEALING_KEY", what, "export HEDGEROW_VAULT=secret_manager, or HEDGEROW_SEALING_KEY"))
    if settings.public_url and not settings.public_url.startswith(("https://", "http://")):
        what = "HEDGEROW_PUBLIC_URL is no address: links in chat lead nowhere."
        wrong.append(("HEDGEROW_PUBLIC_URL", what, "export HEDGEROW_PUBLIC_URL=https://…"))
    return [found("settings.contradiction", subject, what, command=command) for subject, what, command in wrong]
