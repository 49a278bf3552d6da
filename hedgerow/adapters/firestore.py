"""`Store` on Firestore in native mode: compare-and-swap by update time, no transactions.

A commit is one atomic batch of writes with preconditions, so nothing is ever locked and
a loser learns at once that it lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hedgerow.adapters.changes import check_changes, conflict, is_possible_id, subject
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
    emulator_channel,
    google_errors,
    short_retry,
)
from hedgerow.adapters.index_choice import choose_index
from hedgerow.ports import Add, Committed, Delete, Page, Patch, Swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient

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
        self._clients = ClientPerLoop(self._connect)

    async def get(self, kind: type[R], id: str) -> R | None:
        """One record, or None."""
        return (await self.get_many(kind, [id]))[0]

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """Several records, in the order of `ids`; None where none is."""
        names = sorted({self._name(kind, id) for id in ids if is_possible_id(id)})
        found: dict[str, R] = {}
        if names:
            with google_errors("Firestore"):
                answers = await self._clients.get().batch_get_documents(
                    {"database": self._root, "documents": names}, **self._call()
                )
                async for answer in answers:
                    if "found" in answer:
                        record = decode_record(kind, answer.found)
                        found[record.id] = record
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
        with google_errors("Firestore"):
            answers = await self._clients.get().run_query(
                {"parent": f"{self._root}/documents", "structured_query": query}, **self._call()
            )
            # Some answers of the stream only say how far the service has read.
            records = [decode_record(kind, answer.document) async for answer in answers if answer.document.name]
        items = tuple(records[:limit])
        return Page(items, encode_cursor(items[-1], choice) if len(records) > limit else None)

    async def count(self, kind: type[R], *where: Where) -> int:
        """How many records meet the conditions."""
        query = build_query(kind, choose_index(kind, where))
        counting = {"structured_query": query, "aggregations": [{"count": {}, "alias": "number"}]}
        with google_errors("Firestore"):
            answers = await self._clients.get().run_aggregation_query(
                {"parent": f"{self._root}/documents", "structured_aggregation_query": counting}, **self._call()
            )
            async for answer in answers:
                return int(answer.result.aggregate_fields["number"].integer_value)
        return 0

    async def commit(self, *changes: Change) -> Committed:
        """Make all changes or none, in one atomic batch."""
        from google.api_core import exceptions as google

        check_changes(changes)
        if not changes:
            return Committed()
        writes = [self._write(change) for change in changes]
        try:
            with google_errors("Firestore"):
                answer = await self._clients.get().commit({"database": self._root, "writes": writes}, **self._call())
        except (google.AlreadyExists, google.NotFound, google.FailedPrecondition) as error:
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

        if self._emulator_host is None:
            return FirestoreAsyncClient()
        return FirestoreAsyncClient(
            transport=FirestoreGrpcAsyncIOTransport(channel=emulator_channel(self._emulator_host))
        )

    def _call(self) -> dict[str, Any]:
        metadata = [("google-cloud-resource-prefix", self._root)]
        if self._emulator_host is not None:
            # The emulator's word for "no security rules".
            metadata.append(("authorization", "Bearer owner"))
        return {"metadata": metadata, "retry": short_retry(), "timeout": PATIENCE_SECONDS}

    def _name(self, kind: type[Record], id: str) -> str:
        return f"{self._root}/documents/{kind.collection}/{id}"

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
