"""What former releases wrote, opened by today's stores: one fixture, once for each release and store."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from tests.stage import Stage, staged
from tests.upgrade.make_releases import RELEASES

if TYPE_CHECKING:
    from hedgerow.ports import Store

FOLDER = Path(__file__).parent / "releases"


@dataclass(frozen=True)
class Written:
    """A store as a release left it, and how many records that release counted, by collection."""

    release: str
    store: Store
    numbers: Mapping[str, int]


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sqlite", "firestore"])
async def written(request: pytest.FixtureRequest, release: str, project: str, tmp_path: Path) -> AsyncIterator[Written]:
    opened: Store
    if request.param == "sqlite":
        (tmp_path / "store.db").write_bytes(gzip.decompress((FOLDER / f"{release}.db.gz").read_bytes()))
        numbers = counted(tmp_path / "store.db")
        opened = SqliteStore(tmp_path / "store.db")
    else:
        documents = json.loads(gzip.decompress((FOLDER / f"{release}.documents.json.gz").read_bytes()))
        numbers = {collection: len(ids) for collection, ids in documents.items()}
        put(request.getfixturevalue("firestore_host"), project, documents)
        opened = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
    yield Written(release, opened, numbers)
    await opened.close()


@pytest.fixture
async def stage(written: Written) -> AsyncIterator[Stage]:
    """Today's installation on that store."""
    async with staged(store=written.store) as made:
        yield made


def counted(file: Path) -> dict[str, int]:
    """Rows of each table that has an id: our collections."""
    with closing(sqlite3.connect(file)) as opened:
        tables = [name for (name,) in opened.execute("SELECT tbl_name FROM sqlite_schema WHERE sql LIKE '%(id TEXT%'")]
        numbers = {name: opened.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in tables}
    return {name: number for name, number in numbers.items() if number}


def put(host: str, project: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write documents as they were, by Firestore's REST API."""
    root = f"projects/{project}/databases/(default)"
    writes = [
        {"update": {"name": f"{root}/documents/{collection}/{id}", "fields": fields}}
        for collection, held in documents.items()
        for id, fields in held.items()
    ]
    with httpx.Client(headers={"Authorization": "Bearer owner"}, timeout=30) as client:
        client.post(f"http://{host}/v1/{root}/documents:commit", json={"writes": writes}).raise_for_status()
