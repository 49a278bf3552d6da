"""The floor of `bench.starts`: an async function of the framework, Firestore's client imported, the store asked as often as the row asks it.

`/?calls=get;query,query`: groups one after another, the calls of a group at once.
"""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import Any

import functions_framework.aio
import grpc.aio
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from starlette.requests import Request

QUERY = {
    "from_": [{"collection_id": "bare"}],
    "where": {
        "field_filter": {
            "field": {"field_path": "due"},
            "op": "LESS_THAN_OR_EQUAL",
            "value": {"timestamp_value": "2026-01-01T00:00:00Z"},
        }
    },
    "limit": 100,
}


@functions_framework.aio.http
async def bare_calls(request: Request) -> str:
    """Answer "ok" once the store has answered every call."""
    for group in request.query_params.get("calls", "get").split(";"):
        await asyncio.gather(*(CALLS[name]() for name in group.split(",")))
    return "ok"


async def _get() -> None:
    asked = {"database": _root(), "documents": [f"{_root()}/documents/bare/nobodys"]}
    async for _ in await _client().batch_get_documents(asked, **_metadata()):
        pass


async def _query() -> None:
    asked = {"parent": f"{_root()}/documents", "structured_query": QUERY}
    async for _ in await _client().run_query(asked, **_metadata()):
        pass


async def _commit() -> None:
    document = {"name": f"{_root()}/documents/bare/counted", "fields": {"number": {"integer_value": 1}}}
    await _client().commit({"database": _root(), "writes": [{"update": document}]}, **_metadata())


CALLS = {"get": _get, "query": _query, "commit": _commit}


def _root() -> str:
    return f"projects/{os.environ['HEDGEROW_PROJECT']}/databases/(default)"  # noqa: TID251 - nothing of Hedgerow is in it


def _metadata() -> dict[str, Any]:
    return {"metadata": [("google-cloud-resource-prefix", _root()), ("authorization", "Bearer owner")]}


@cache
def _client() -> FirestoreAsyncClient:
    channel = grpc.aio.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])  # noqa: TID251
    return FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=channel))
