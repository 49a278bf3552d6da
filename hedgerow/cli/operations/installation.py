"""The installation that the operator's commands work on, in this process and with the operator's own rights.

The HEDGEROW_* variables name it, as they do for the functions; without any it is the
embedded one of this folder. Refuses to make an empty one where none is, unless asked to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow import wiring
from hedgerow.cli.operations.place import as_it_was_if_refused
from hedgerow.errors import InvalidError, MissingError
from hedgerow.settings import Settings, read

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.app import App


def read_settings(folder: Path | None = None) -> Settings:
    """The environment's settings, on another folder where one is named; `HedgerowError` says which cannot be used."""
    asked = read()
    if folder is None:
        return asked
    if not is_embedded(asked) and not asked.firestore_emulator:
        raise InvalidError(
            f"--data names a folder, and HEDGEROW_STORE={asked.store} a project: only one of them can be meant.",
            hint="Leave --data out, or unset HEDGEROW_STORE, HEDGEROW_QUEUE and HEDGEROW_VAULT.",
        )
    return asked.model_copy(update={"data": folder})


def is_embedded(settings: Settings) -> bool:
    """Is the state in a file of this machine?"""
    return settings.store == "sqlite"


@asynccontextmanager
async def opened(
    settings: Settings, now: Callable[[], datetime] = wiring.utc_now, *, may_be_new: bool = False
) -> AsyncIterator[App]:
    """The App of these settings, closed at the end; `MissingError` where the embedded one's folder is empty.

    `may_be_new` is for whoever brings data: an empty folder then becomes an installation, unless the block refuses.
    """
    if not may_be_new and is_embedded(settings) and not (settings.data / "store.db").is_file():
        raise MissingError(
            f"There is no installation in the folder {settings.data}.",
            code="no_installation",
            hint="Name its folder with --data; for one on the emulators or in the cloud set HEDGEROW_STORE, "
            "HEDGEROW_QUEUE and HEDGEROW_PROJECT (docs/operations/doctor.md, Where it looks); or make one: hedgerow dev.",
        )
    if not may_be_new and _has_no_key(settings):
        raise MissingError(
            f"{settings.data} is not the folder of the installation on the emulators: it has no sealing.key.",
            code="no_installation",
            hint="Name the folder of hedgerow dev --emulators with --data, or set HEDGEROW_SEALING_KEY.",
        )
    if is_embedded(settings) and settings.data.exists() and not settings.data.is_dir():
        raise InvalidError(f"{settings.data} is a file, not a folder.", hint="Name a folder with --data.")
    # In the cloud nothing of an installation is in a folder; with the emulators, at most a sealing key.
    is_here = is_embedded(settings) or (settings.firestore_emulator and settings.sealing_key is None)
    with as_it_was_if_refused(settings.data) if may_be_new and is_here else nullcontext():
        app = wiring.build(settings, now)
        try:
            yield app
        finally:
            await wiring.close(app)


def _has_no_key(settings: Settings) -> bool:
    """On the emulators, is there nothing to open the vault with? A key made now would open nothing that others sealed."""
    if settings.vault != "sealed" or settings.sealing_key is not None or not settings.firestore_emulator:
        return False
    return not is_embedded(settings) and not (settings.data / "sealing.key").is_file()
