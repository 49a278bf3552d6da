"""Firestore's adapter with a meter in its channel: what the service itself would put on the bill.

Independent of the ports: it sees the requests and the documents that come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import grpc.aio
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

from hedgerow.adapters.firestore import FirestoreStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.billing.bill import Bill


class MeteredFirestore(FirestoreStore):
    """A store on the emulator at "host:port" whose every call is entered into `bill`."""

    def __init__(self, project: str, host: str, bill: Bill) -> None:
        super().__init__(project, emulator_host=host)
        self._host = host
        self.bill = bill

    def _connect(self) -> FirestoreAsyncClient:
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        meters = [_Reads(self.bill), _Writes(self.bill)]
        channel = grpc.aio.insecure_channel(self._host, options=unlimited, interceptors=cast("Any", meters))
        return FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=channel))


class _Reads(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Counts documents as they stream in; of a question without any, one."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return self._counted(await continuation(details, request), _method(details))

    async def _counted(self, answers: Any, method: str) -> AsyncIterator[Any]:
        documents = 0
        async for answer in answers:
            plain = type(answer).pb(answer) if hasattr(type(answer), "pb") else answer
            if method == "RunQuery":
                documents += bool(plain.document.name)
            elif method == "BatchGetDocuments":
                documents += plain.WhichOneof("result") is not None
            elif method == "RunAggregationQuery":
                number = sum(value.integer_value for value in plain.result.aggregate_fields.values())
                documents += -(-number // 1000)
            yield answer
        self._bill.reads += max(1, documents)


class _Writes(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Counts what a commit that came through has changed."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        if _method(details) == "Commit" and await call.code() is grpc.StatusCode.OK:
            plain = type(request).pb(request) if hasattr(type(request), "pb") else request
            for write in plain.writes:
                if write.WhichOneof("operation") == "delete":
                    self._bill.deletes += 1
                else:
                    self._bill.writes += 1
        return call


def _method(details: Any) -> str:
    method = details.method
    return (method.decode() if isinstance(method, bytes) else str(method)).rsplit("/", 1)[1]
