"""Today's code reads what each former release wrote, on both stores, and moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow import hours, months
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.cli.operations.collections import every_record, views
from hedgerow.cli.operations.moving.exporting import export
from hedgerow.cli.operations.moving.folder import Folder
from hedgerow.cli.operations.moving.importing import Choices, bring_in
from hedgerow.hours import HourMonth
from hedgerow.models import Connection, MetricMonth, SyncRun
from hedgerow.ports import Swap, Where
from tests.moving_stage import everything
from tests.stage import PERSONAL_KEY, Stage, staged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.conftest import Written


async def test_every_record_is_read(written: Written) -> None:
    held = await everything(written.store)
    assert {kind.collection: len(records) for kind, records in held.items() if records} == dict(written.numbers)


async def test_every_view_reads_its_part(written: Written) -> None:
    for view in views():
        found = (await written.store.find(view, limit=500)).items
        assert len(found) == written.numbers.get(view.collection, 0), view


async def test_every_index_finds_what_was_written_before_it_was_declared(written: Written) -> None:
    for kind in every_record():
        for record in (await written.store.find(kind, limit=500)).items:
            for index in kind.indexes:
                fields = [field.removeprefix("-") for field in index.fields]
                if all(getattr(record, field) is not None for field in fields):
                    found = await written.store.find(
                        kind, Where(fields[0], "==", getattr(record, fields[0])), limit=500
                    )
                    assert record.id in {one.id for one in found.items}, (kind, index)


async def test_every_record_is_written_again_as_it_was(written: Written) -> None:
    before = await everything(written.store)
    for kind in every_record():
        for record in (await written.store.find(kind, limit=500)).items:
            await written.store.commit(Swap(record))
    assert await everything(written.store) == before


async def test_packed_months_and_the_vault_open(written: Written, stage: Stage) -> None:
    for record in (await written.store.find(MetricMonth, limit=500)).items:
        assert months.unpack(record.month, record.packed).series
    for hour in (await written.store.find(HourMonth, limit=500)).items:
        assert hours.unpack(hour.month, hour.packed).series
    keys = {
        (await stage.app.vault.read(one.secret_ref or "")).get_secret_value()
        for one in (await written.store.find(Connection)).items
    }
    assert PERSONAL_KEY in keys
    assert all(key.startswith("phx_") for key in keys)


async def test_it_is_exported_and_imported(written: Written, stage: Stage, tmp_path: Path) -> None:
    await export(stage.app, Folder(tmp_path / "one"), None, lambda *_: None)
    store = SqliteStore(":memory:")
    async with staged(store=store) as there:
        await bring_in(there.app, Folder(tmp_path / "one"), Choices(), lambda *_: None)
        await export(there.app, Folder(tmp_path / "two"), None, lambda *_: None)
    for file in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / file.name).read_bytes() == file.read_bytes(), file.name
    assert len((await store.find(SyncRun, limit=500)).items) == written.numbers["sync_runs"]
    await store.close()
