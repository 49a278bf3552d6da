"""An export and its import, on every pair of stores: everything arrives, to the byte, and nothing that is another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.capture_rules import hash_key_name
from hedgerow.cli.operations.collections import BELONGS, every_record
from hedgerow.cli.operations.moving import belonging, exporting
from hedgerow.cli.operations.moving.belonging import moved
from hedgerow.cli.operations.moving.exporting import export
from hedgerow.cli.operations.moving.folder import Folder
from hedgerow.cli.operations.moving.importing import Choices, bring_in
from hedgerow.errors import StateConflictError
from hedgerow.models import Connection, QueryText, Tenant
from hedgerow.ports import Add, Swap
from hedgerow.sealed_secrets import SealedSecret
from tests.moving_stage import everything, furnished
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.ports import Store
    from hedgerow.records import Record


def silent(collection: str, done: int) -> None:
    """Nobody listens."""


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(params=["sqlite", "firestore"])
async def other(request: pytest.FixtureRequest, project: str) -> AsyncIterator[Store]:
    """The store that is moved to."""
    opened: Store
    if request.param == "sqlite":
        opened = SqliteStore(":memory:")
    else:
        opened = FirestoreStore(f"{project}-too", emulator_host=request.getfixturevalue("firestore_host"))
    yield opened
    await opened.close()


@pytest.fixture
async def stage(store: Store) -> AsyncIterator[Stage]:
    async with staged(store=store) as made:
        yield made


@pytest.fixture
async def there(other: Store) -> AsyncIterator[Stage]:
    async with staged(store=other) as made:
        yield made


async def test_everything_arrives_and_a_second_export_is_the_same_to_the_byte(
    stage: Stage, there: Stage, tmp_path: Path
) -> None:
    await furnished(stage)
    await export(stage.app, Folder(tmp_path / "one"), None, silent)
    done = await bring_in(there.app, Folder(tmp_path / "one"), Choices(), silent)
    await export(there.app, Folder(tmp_path / "two"), None, silent)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    before, after = await everything(stage.store), await everything(there.store)
    assert all(before[kind] for kind in every_record()), [kind for kind in every_record() if not before[kind]]
    for kind in every_record():
        wanted = before[kind] if BELONGS[kind] != "passing" else {}
        if kind is SealedSecret:
            wanted = {id: secret for id, secret in wanted.items() if "signing-links" not in id}
        assert after[kind] == wanted, kind
    assert done.written == sum(len(held) for held in after.values())
    again = await bring_in(there.app, Folder(tmp_path / "one"), Choices(), silent)
    assert (again.written, again.there) == (0, done.written)


async def test_a_tenants_export_holds_all_of_the_tenant_and_nothing_of_another(
    stage: Stage, there: Stage, tmp_path: Path
) -> None:
    mine, theirs = await furnished(stage)
    await export(stage.app, Folder(tmp_path / "mine"), mine.id, silent)
    await bring_in(there.app, Folder(tmp_path / "mine"), Choices(), silent)
    before, after = await everything(stage.store), await everything(there.store)
    own = await belonging.owned_by(stage.store, mine.id)
    names = {*own.connections, *map(hash_key_name, own.connections), *own.addresses}
    for kind in every_record():
        assert after[kind] == {id: record for id, record in before[kind].items() if is_of(record, mine, names)}, kind
        assert after[kind] or kind not in moved(mine.id), kind
    foreign = await belonging.owned_by(stage.store, theirs.id)
    written = b"".join(contents(tmp_path / "mine").values()).decode()
    for id in (theirs.id, *foreign.connections, *foreign.addresses, "phc_theirs", "Theirs"):
        assert id not in written


def is_of(record: Record, tenant: Tenant, names: set[str]) -> bool:
    """Whose a record is, told otherwise than the export tells it: by whatever it names."""
    if BELONGS[type(record)] in {"passing", "installation"}:
        return False
    fields = record.model_dump(mode="json")
    return tenant.id in (fields["id"], fields.get("tenant_id")) or bool(
        names & {fields.get("connection_id"), fields.get("name")}
    )


async def test_no_plain_secret_is_in_an_export(stage: Stage, tmp_path: Path) -> None:
    await furnished(stage)
    await export(stage.app, Folder(tmp_path / "one"), None, silent)
    for name, written in contents(tmp_path / "one").items():
        assert b"phx_" not in written, name
        assert b"hooks.test/secret" not in written, name


async def test_another_record_of_the_same_id_stops_the_import_before_anything_is_written(
    stage: Stage, there: Stage, tmp_path: Path
) -> None:
    tenant, _ = await furnished(stage)
    await export(stage.app, Folder(tmp_path / "one"), None, silent)
    await there.store.commit(Add(tenant.model_copy(update={"name": "Another", "version": 0})))
    with pytest.raises(StateConflictError, match=f"tenants/{tenant.id}") as refused:
        await bring_in(there.app, Folder(tmp_path / "one"), Choices(), silent)
    assert "--replace" in refused.value.hint
    assert sum(len(held) for held in (await everything(there.store)).values()) == 1
    await bring_in(there.app, Folder(tmp_path / "one"), Choices(replace=True), silent)
    after = await there.store.get(Tenant, tenant.id)
    assert after is not None
    assert after.name == "Mine"


async def test_marks_of_the_store_it_came_from_stay_there(stage: Stage, there: Stage, tmp_path: Path) -> None:
    connection = await stage.connection(await stage.tenant())
    progress = connection.progress.model_copy(update={"slot_version": 7, "slot_shared": True})
    await stage.store.commit(Swap(connection.model_copy(update={"progress": progress})))
    await export(stage.app, Folder(tmp_path / "one"), None, silent)
    await bring_in(there.app, Folder(tmp_path / "one"), Choices(), silent)
    moved = await there.store.get(Connection, connection.id)
    assert moved is not None
    assert (moved.progress.slot_version, moved.progress.slot_shared) == (None, False)
    shown = json.loads((tmp_path / "one" / "connections.ndjson").read_text())
    assert "slot_version" not in shown["progress"]


async def test_pages_follow_each_other(stage: Stage, tmp_path: Path) -> None:
    at = stage.clock()
    some = [Tenant(id=f"ten_{number}", name="n", tier="pro", created_at=at) for number in range(2 * exporting.PAGE + 1)]
    await stage.store.commit(*map(Add, some))
    told: list[tuple[str, int]] = []
    await export(stage.app, Folder(tmp_path / "one"), None, lambda collection, done: told.append((collection, done)))
    assert told == [("tenants", 5), ("tenants", 205), ("tenants", 401)]
    lines = (tmp_path / "one" / "tenants.ndjson").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == sorted(tenant.id for tenant in some)


async def test_no_page_holds_more_than_a_few_megabytes(stage: Stage, there: Stage, tmp_path: Path) -> None:
    large = [QueryText(id=f"qry_{number:02}", connection_id="con_1", text="x" * 990_000) for number in range(12)]
    small = [QueryText(id=f"qry_{number:02}", connection_id="con_1", text="x") for number in range(12, 60)]
    for begin in range(0, len(large), 4):
        await stage.store.commit(*map(Add, large[begin : begin + 4]))
    await stage.store.commit(*map(Add, small))
    told: list[int] = []
    await export(stage.app, Folder(tmp_path / "one"), None, lambda _, done: told.append(done))
    # A few to see how long they are; four of them; after the first page of short ones, all that are left.
    assert told == [5, 9, 13, 17, 60]
    told.clear()
    await bring_in(there.app, Folder(tmp_path / "one"), Choices(), lambda _, done: told.append(done))
    assert told == [4, 8, 60]
