"""`hedgerow export-data`, `import-data`, `upgrade-data`: data between stores, and older data into today's form.

In process, with the operator's own rights: no server needs to run.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.in_process import DataOption, run
from hedgerow.cli.options import JsonOption, YesOption
from hedgerow.cli.questions import confirm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hedgerow.app import App
    from hedgerow.cli.operations.moving.importing import Prepared

TELL_SECONDS = 2.0

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="The export's folder.")]


def export_data(
    folder: FolderArgument,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Only what is this tenant's, ten_….")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write everything, or all that is a tenant's, into a folder.

    Run again after it was stopped, it goes on. Secrets are in it sealed or not at all.
    """
    from hedgerow.cli.operations.moving.exporting import export
    from hedgerow.cli.operations.moving.folder import Folder

    told = _Telling()
    manifest = run(data, lambda app: export(app, Folder(folder), tenant, told))
    told.end()
    if as_json:
        return screen.say_json(manifest.model_dump(mode="json"))
    records = sum(entry.records for entry in manifest.collections.values())
    size = sum(entry.bytes for entry in manifest.collections.values())
    kinds = screen.counted(len(manifest.collections), "collection")
    return screen.say(f"{screen.counted(records, 'record')} of {kinds}, {size:,} bytes, are in {folder}.")


def import_data(
    folder: FolderArgument,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the export's records in the place of others with the same id.")
    ] = False,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave sealed secrets out; connections then ask for their key.")
    ] = False,
    yes: YesOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring an export into a store and compare it.

    Nothing is written when the export is damaged or the store holds other records under
    its ids; with --replace it says how many, and asks. Run again after it was stopped, it goes on.
    """
    from hedgerow.cli.operations.moving.folder import Folder
    from hedgerow.cli.operations.moving.importing import Choices, prepared, write
    from hedgerow.cli.operations.moving.writers import writers

    told = _Telling()
    there, choices = Folder(folder), Choices(replace=replace, secrets=not without_secrets)

    async def look(app: App) -> tuple[Prepared, tuple[str, ...]]:
        return await prepared(app, there, choices), await writers(app) if replace else ()

    export, warnings = run(data, look, may_be_new=True)
    for warning in warnings:
        screen.warn(warning)
    if export.overwritten:
        screen.warn(_overwritten(export.overwritten))
        if not yes:
            confirm("Replace what the store holds?")
    done = run(data, lambda app: write(app, there, export, choices, told), may_be_new=True)
    told.end()
    if as_json:
        return screen.say_json(
            {"written": done.written, "there": done.there, "secrets_left_out": done.secrets_left_out}
        )
    screen.say(f"{screen.counted(done.written, 'record')} written and read back; {done.there:,} were there already.")
    if done.secrets_left_out:
        screen.say(
            f"{screen.counted(done.secrets_left_out, 'sealed secret')} left out: connections and channels whose secret "
            "is not in this vault say `secret_gone`. → hedgerow connections rotate"
        )
    return None


def upgrade_data(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Write records of an older schema anew.

    After a release whose notes ask for it. Run again after it was stopped, it goes on.
    """
    from hedgerow.cli.operations.collections import every_record
    from hedgerow.cli.operations.moving.upgrading import upgrade

    told = _Telling()
    written = run(data, lambda app: upgrade(app.store, every_record(), told))
    told.end()
    if as_json:
        return screen.say_json({"written": written})
    if not written:
        return screen.say("Nothing to do: no schema has changed since the first release.")
    for collection, number in written.items():
        screen.say(f"{collection}: {screen.counted(number, 'record')} written anew.")
    return None


def _overwritten(numbers: Mapping[str, int]) -> str:
    kinds = ", ".join(f"{number:,} of {collection}" for collection, number in numbers.items())
    whole = screen.counted(sum(numbers.values()), "record")
    return f"{whole} of the store differ from the export's and would be overwritten: {kinds}."


class _Telling:
    """Says on standard error how far it is: each collection once it is done, and a long one now and then."""

    def __init__(self) -> None:
        self._collection = ""
        self._done = 0
        self._told_at = time.monotonic()

    def __call__(self, collection: str, done: int) -> None:
        if collection != self._collection:
            self.end()
        self._collection, self._done = collection, done
        if time.monotonic() - self._told_at >= TELL_SECONDS:
            screen.warn(f"{collection}: {done:,} …")
            self._told_at = time.monotonic()

    def end(self) -> None:
        if self._collection:
            screen.warn(f"{self._collection}: {self._done:,}")
