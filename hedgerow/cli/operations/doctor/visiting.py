"""Opens the installation and has everything looked at; what cannot even be opened is a finding too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.api import timetable
from hedgerow import wiring
from hedgerow.cli.environment import DEFAULT_URL
from hedgerow.cli.operations.doctor.case import ADMIN_KEY, Case, is_cloud
from hedgerow.cli.operations.doctor.diagnosing import AREAS, diagnose, place
from hedgerow.cli.operations.doctor.findings import Finding, Report, found, sorted_by_weight
from hedgerow.cli.operations.doctor.settings import contradictions
from hedgerow.cli.operations.installation import is_embedded, opened
from hedgerow.cli.operations.place import LOCK, is_served
from hedgerow.errors import HedgerowError
from hedgerow.sealed_secrets import way_back

if TYPE_CHECKING:
    from pathlib import Path

    from hedgerow.app import App
    from hedgerow.settings import Settings

GOOGLE = "https://firestore.googleapis.com/"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the doctor's own environment says beside the settings; what is empty is what the installation says."""

    url: str = ""
    capture_url: str = ""
    tells: str = ""
    admin_key: str = field(default="", repr=False)
    variables: tuple[str, ...] = ()
    looks_at_all: bool = False


async def visit(settings: Settings, terminal: Terminal) -> Report:
    """The report of the installation that the settings name."""
    if is_embedded(settings) and (missing := _missing_key(settings)):
        return _unopened(settings, missing)
    try:
        async with opened(settings) as app:
            case = case_of(app, terminal)
            try:
                return await diagnose(case)
            finally:
                await case.inspection.close()
    except HedgerowError as error:
        subject = str(settings.data) if is_embedded(settings) else settings.store
        return _unopened(settings, found("store.unreachable", subject, error.detail, command=error.hint))


def unusable(error: HedgerowError) -> Report:
    """The report where not even the settings can be read."""
    finding = found("settings.invalid", "settings", error.detail, command=error.hint)
    return Report((finding,), wiring.utc_now(), skipped=AREAS)


def _unopened(settings: Settings, why: Finding) -> Report:
    findings = sorted_by_weight([why, *contradictions(settings)])
    return Report(findings, wiring.utc_now(), place(settings), tuple(name for name in AREAS if name != "settings"))


def case_of(app: App, terminal: Terminal) -> Case:
    """What the doctor is shown of an App; a server of the laptop says in its folder where it is."""
    settings = app.settings
    url = (terminal.url or ("" if is_cloud(settings) else address_in(settings.data)) or DEFAULT_URL).rstrip("/")
    key = terminal.admin_key or (settings.admin_key.get_secret_value() if settings.admin_key else "")
    google = ""
    if "firestore" in settings.store:
        google = f"http://{settings.firestore_emulator}/" if settings.firestore_emulator else GOOGLE
    return Case(
        app=app,
        inspection=wiring.inspection(settings, app.queue),
        schedules=lambda: wiring.schedules(settings, app.store, timetable.planned(settings.schedule_prefix), app.now),
        url=url,
        capture_url=terminal.capture_url.rstrip("/") or ("" if is_cloud(settings) else url),
        admin_key=key or ("" if is_cloud(settings) else _text(settings.data / ADMIN_KEY)),
        tells=frozenset(terminal.tells.split(",")) if "HEDGEROW_TELLS" in terminal.variables else None,
        variables=terminal.variables,
        looks_at_all=terminal.looks_at_all,
        google=google,
    )


def address_in(folder: Path) -> str:
    """Where the server of a folder says that it listens; empty where none runs."""
    return _text(folder / LOCK) if is_served(folder) else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _missing_key(settings: Settings) -> Finding | None:
    """Opening the vault would make a new key, which opens nothing: better to say that the old one is gone."""
    folder = settings.data
    if settings.vault != "sealed" or settings.sealing_key is not None or not (folder / "store.db").is_file():
        return None
    if (folder / "sealing.key").is_file():
        return None
    what = f"{folder} has a store, but not the key its secrets are sealed with: none of them can be opened."
    return found("vault.key_missing", "sealing.key", what, command=way_back(folder / "sealing.key"))
