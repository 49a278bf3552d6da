"""A partial view reads fewer fields of another class's records, on both stores, and is never written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.sync.ticking import DueConnection
from hedgerow import alert_traces
from hedgerow.cli.operations.collections import every_record, views
from hedgerow.models import Connection
from hedgerow.ports import Add, Delete, Store, Swap, Where

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def connection(number: int, due_at: datetime | None) -> Connection:
    return Connection(
        id=f"con_{number}",
        tenant_id="ten_1",
        name="Shop",
        host="https://us.posthog.com",
        state="connected",
        state_since=NOW,
        tier="pro",
        created_at=NOW,
        due_at=due_at,
    )


async def test_a_view_finds_what_the_whole_class_wrote(store: Store) -> None:
    due = [NOW - timedelta(minutes=number) for number in range(5)]
    await store.commit(*(Add(connection(number, at)) for number, at in enumerate(due)), Add(connection(9, None)))
    where = (Where("tier", "==", "pro"), Where("due_at", "<=", NOW))
    first = await store.find(DueConnection, *where, limit=3)
    rest = await store.find(DueConnection, *where, limit=3, cursor=first.next_cursor)
    assert [(one.id, one.due_at) for one in (*first.items, *rest.items)] == [
        (f"con_{number}", due[number]) for number in (4, 3, 2, 1, 0)
    ]
    whole = await store.get(Connection, "con_4")
    assert whole is not None
    assert first.items[0].version == whole.version


async def test_a_view_is_never_written(store: Store) -> None:
    await store.commit(Add(connection(1, NOW)))
    view = (await store.find(DueConnection, Where("tier", "==", "pro"))).items[0]
    for change in (Add(view), Swap(view)):
        with pytest.raises(ValueError, match="never written"):
            await store.commit(change)


async def test_a_view_is_enough_to_delete_by(store: Store) -> None:
    await store.commit(Add(connection(1, NOW)), Add(connection(2, NOW)))
    view = (await store.find(DueConnection, Where("tier", "==", "pro"), limit=1)).items[0]
    await store.commit(Delete(DueConnection, view.id, view.version))
    assert await store.get(Connection, view.id) is None
    assert await store.get(Connection, "con_2") is not None


def test_every_view_is_served_by_an_index_of_the_class_it_looks_at() -> None:
    whole = {kind.collection: kind for kind in every_record()}
    assert set(alert_traces.OF_A_CONNECTION) <= set(views())
    for view in views():
        assert set(view.indexes) <= set(whole[view.collection].indexes)
        assert view.model_fields.keys() <= whole[view.collection].model_fields.keys()


def test_every_view_has_the_schema_and_the_lifts_of_the_class_it_looks_at() -> None:
    whole = {kind.collection: kind for kind in every_record()}
    for kind in (*every_record(), *views()):
        full = whole[kind.collection]
        assert (kind.schema_version, kind.lifts) == (full.schema_version, full.lifts), kind
        assert list(kind.lifts) == list(range(1, kind.schema_version)), kind
