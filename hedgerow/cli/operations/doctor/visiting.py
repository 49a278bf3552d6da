"""Opens the installation and has everything looked at; what cannot even be opened is a finding too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api import timetable
from hedgerow import wiring
from hedgerow.cli.operations.doctor.case import Case
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.findings import Finding, Report, found
from hedgerow.cli.operations.installation import is_embedded, opened
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.settings import Settings

GOOGLE = "https://firestore.googleapis.com/"


async def visit(settings: Settings, *, url: str, admin_key: str, variables: tuple[str, ...]) -> Report:
    """The report of the installation that the settings name."""
    if is_embedded(settings) and (missing := _missing_key(settings)):
        return Report((missing,), wiring.utc_now())
    try:
        async with opened(settings) as app:
            case = case_of(app, url=url, admin_key=admin_key, variables=variables)
            try:
                return await diagnose(case)
            finally:
                await case.inspection.close()
    except HedgerowError as error:
        subject = str(settings.data) if is_embedded(settings) else settings.store
        finding = found("store.unreachable", subject, error.detail, command=error.hint)
        return Report((finding,), wiring.utc_now())


def case_of(app: App, *, url: str, admin_key: str = "", variables: tuple[str, ...] = ()) -> Case:
    """What the doctor is shown of an App."""
    settings = app.settings
    google = ""
    if "firestore" in settings.store:
        google = f"http://{settings.firestore_emulator}/" if settings.firestore_emulator else GOOGLE
    return Case(
        app=app,
        inspection=wiring.inspection(settings, app.queue),
        schedules=lambda: wiring.schedules(settings, app.store, timetable.planned(settings.schedule_prefix), app.now),
        url=url.rstrip("/"),
        admin_key=admin_key,
        variables=variables,
        google=google,
    )


def _missing_key(settings: Settings) -> Finding | None:
    """Opening the vault would make a new key, which opens nothing: better to say that the old one is gone."""
    folder = settings.data
    if settings.vault != "sealed" or settings.sealing_key is not None or not (folder / "store.db").is_file():
        return None
    if (folder / "sealing.key").is_file():
        return None
    what = f"{folder} has a store, but not the key its secrets are sealed with: none of them can be opened."
    command = f"Restore {folder}/sealing.key from a backup; else rotate every connection's key."
    return found("vault.key_missing", "sealing.key", what, command=command)
