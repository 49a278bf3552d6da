"""`Store` on Firestore in native mode: compare-and-swap by update time, no transactions.

A commit is one atomic batch of writes with preconditions, so nothing is ever locked and
a loser learns at once that it lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hedgerow.adapters.changes import check_changes, conflict, subject
from hedgerow.adapters.cursors import decode_cursor, encode_cursor
from hedgerow.adapters.firestore_queries import build_query, start_behind
from hedgerow.adapters.firestore_values import (
    MARK,
    decode_record,
    encode_record,
    encode_values,
    to_update_time,
    to_version,
)
from hedgerow.adapters.google_clients import (
    PATIENCE_SECONDS,
    ClientPerLoop,
    open_transport,
    repeatedly,
    short_retry,
)
from hedgerow.adapters.google_errors import Service, is_without_database
from hedgerow.adapters.index_choice import choose_index
from hedgerow.ports import Add, Committed, Delete, Page, Patch, Swap
from hedgerow.records import is_possible_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient

    from hedgerow.adapters.index_choice import IndexChoice
    from hedgerow.ports import Change, Where
    from hedgerow.records import Record

R = TypeVar("R", bound="Record")


class FirestoreStore:
    """Records as documents `collection/id` of one database.

    `emulator_host` ("127.0.0.1:8391") speaks to Google's emulator, in plain text and
    without credentials; None to the service, with the credentials of the environment.
    """

    def __init__(self, project: str, database: str = "(default)", *, emulator_host: str | None = None) -> None:
        self._root = f"projects/{project}/databases/{database}"
        self._emulator_host = emulator_host
        self._service = Service(
            name="Firestore",
            api="firestore.googleapis.com",
            project=project,
            place=f"database {database}",
            setting="HEDGEROW_DATABASE",
            emulator=emulator_host,
            emulator_setting="FIRESTORE_EMULATOR_HOST",
        )
        self._clients = ClientPerLoop(self._connect)

    async def get(self, kind: type[R], id: str) -> R | None:
        """One record, or None."""
        return (await self.get_many(kind, [id]))[0]

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """Several records, in the order of `ids`; None where none is."""
        names = sorted({self._name(kind, id) for id in ids if is_possible_id(id)})

        async def read(timeout: float) -> list[R]:
            answers = await self._clients.get().batch_get_documents(
                {"database": self._root, "documents": names}, **self._once(timeout)
            )
            return [decode_record(kind, answer.found) async for answer in answers if "found" in answer]

        with self._service.errors(kind.collection):
            records = await repeatedly(read) if names else []
        found = {record.id: record for record in records}
        return [found.get(id) for id in ids]

    async def find(
        self,
        kind: type[R],
        *where: Where,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[R]:
        """One page of the records that meet the conditions, in the order of their index."""
        if limit < 1:
            raise ValueError("a page has at least one record")
        choice = choose_index(kind, where)
        query = build_query(kind, choice)
        if cursor is not None:
            after = decode_cursor(cursor, kind, choice)
            start_behind(query, after, self._name(kind, after.id))
        # One more than asked for tells whether anything follows.
        query.limit.value = limit + 1

        async def read(timeout: float) -> list[R]:
            answers = await self._clients.get().run_query(
                {"parent": f"{self._root}/documents", "structured_query": query}, **self._once(timeout)
            )
            # Some answers of the stream only say how far the service has read.
            return [decode_record(kind, answer.document) async for answer in answers if answer.document.name]

        with self._service.errors(_asked(kind, choice)):
            records = await repeatedly(read)
        items = tuple(records[:limit])
        return Page(items, encode_cursor(items[-1], choice) if len(records) > limit else None)

    async def count(self, kind: type[R], *where: Where) -> int:
        """How many records meet the conditions."""
        choice = choose_index(kind, where)
        counting = {
            "structured_query": build_query(kind, choice),
            "aggregations": [{"count": {}, "alias": "number"}],
        }

        async def read(timeout: float) -> int:
            answers = await self._clients.get().run_aggregation_query(
                {"parent": f"{self._root}/documents", "structured_aggregation_query": counting}, **self._once(timeout)
            )
            async for answer in answers:
                return int(answer.result.aggregate_fields["number"].integer_value)
            return 0

        with self._service.errors(_asked(kind, choice)):
            return await repeatedly(read)

    async def commit(self, *changes: Change) -> Committed:
        """Make all changes or none, in one atomic batch."""
        from google.api_core import exceptions as google

        check_changes(changes)
        if not changes:
            return Committed()
        writes = [self._write(await self._as_whole(change)) for change in changes]
        with self._service.errors(lambda: _largest(changes, writes)):
            try:
                answer = await self._clients.get().commit(
                    {"database": self._root, "writes": writes},
                    **self._once(PATIENCE_SECONDS) | {"retry": short_retry()},
                )
            except (google.AlreadyExists, google.NotFound, google.FailedPrecondition) as error:
                if is_without_database(error):
                    raise
                raise conflict(*changes) from error
        written = zip(map(subject, changes), changes, answer.write_results, strict=True)
        return Committed(
            {
                (kind.collection, id): to_version(type(wrote).pb(wrote).update_time)
                for (kind, id), change, wrote in written
                if not isinstance(change, Delete)
            }
        )

    async def close(self) -> None:
        """Close the channel of this event loop."""
        await self._clients.close()

    def _connect(self) -> FirestoreAsyncClient:
        from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
        from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

        return FirestoreAsyncClient(transport=open_transport(FirestoreGrpcAsyncIOTransport, self._emulator_host))

    def _once(self, timeout: float) -> dict[str, Any]:
        metadata = [("google-cloud-resource-prefix", self._root)]
        if self._emulator_host is not None:
            # The emulator's word for "no security rules".
            metadata.append(("authorization", "Bearer owner"))
        return {"metadata": metadata, "retry": None, "timeout": timeout}

    def _name(self, kind: type[Record], id: str) -> str:
        return f"{self._root}/documents/{kind.collection}/{id}"

    async def _as_whole(self, change: Change) -> Change:
        """A patch of a record that was lifted on reading writes all of it: older fields may not stay beside new ones."""
        if not isinstance(change, Patch) or change.version > 0:
            return change
        record = await self.get(change.kind, change.id)
        if record is None or abs(record.version) != abs(change.version):
            raise conflict(change)
        return Swap(record.model_copy(update=change.values))

    def _write(self, change: Change) -> Any:
        from google.cloud.firestore_v1.types import Write

        name = self._name(*subject(change))
        match change:
            case Add(record):
                return Write.pb()(update=encode_record(record, name), current_document={"exists": False})
            case Swap(record):
                expected = {"update_time": to_update_time(record.version)}
                return Write.pb()(update=encode_record(record, name), current_document=expected)
            case Patch(kind, _, version, values):
                return Write.pb()(
                    update=encode_values(kind, values, name),
                    update_mask={"field_paths": [*values, MARK]},
                    current_document={"update_time": to_update_time(version)},
                )
            case Delete(_, _, 0):
                return Write.pb()(delete=name)
            case Delete(_, _, version):
                return Write.pb()(delete=name, current_document={"update_time": to_update_time(version)})


def _asked(kind: type[Record], choice: IndexChoice) -> str:
    """A query as the index that serves it is declared: "collection connections: tier, due_at"."""
    fields = choice.index.fields if choice.index else ("by id",)
    return f"collection {kind.collection}: {', '.join(fields)}"


def _largest(changes: Sequence[Change], writes: Sequence[Any]) -> str:
    """The largest document of a commit, by name and size: the one that a refusal for size is about."""
    sizes = [write.ByteSize() for write in writes]
    kind, id = subject(changes[sizes.index(max(sizes))])
    return f"{kind.collection}/{id}, {max(sizes):,} bytes"
