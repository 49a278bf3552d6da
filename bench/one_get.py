"""The floor of `bench.starts`: an async function of the framework, Firestore's client imported, one document asked for."""

from __future__ import annotations

import os
from functools import cache

import functions_framework.aio
import grpc.aio
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from starlette.requests import Request


@functions_framework.aio.http
async def one_get(request: Request) -> str:
    """Answer "ok" once the store has answered."""
    root = f"projects/{os.environ['HEDGEROW_PROJECT']}/databases/(default)"  # noqa: TID251 - nothing of Hedgerow is in it
    answers = await _client().batch_get_documents(
        {"database": root, "documents": [f"{root}/documents/connections/con_nobodys"]},
        metadata=[("google-cloud-resource-prefix", root), ("authorization", "Bearer owner")],
    )
    async for _ in answers:
        pass
    return "ok"


@cache
def _client() -> FirestoreAsyncClient:
    channel = grpc.aio.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])  # noqa: TID251
    return FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=channel))
