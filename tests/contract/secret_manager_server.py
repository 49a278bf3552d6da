"""A Secret Manager of our own: the real client's calls, answered over gRPC with its own message classes.

It keeps what the service is known to do: names with the project's number in them,
destroyed versions that stay listed, deleted secrets that count from 1 again. `unavailable`
counts down calls to refuse first; `forbidden` refuses all for want of rights.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.cloud.secretmanager_v1 import types
from google.protobuf import empty_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROJECT_NUMBER = "428901773355"
SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
State = types.SecretVersion.State


@dataclass
class SecretManager:
    """Secrets by (project, id), each a list of versions: the bytes, or None when destroyed."""

    secrets: dict[tuple[str, str], list[bytes | None]] = field(default_factory=dict)
    unavailable: int = 0
    forbidden: bool = False
    calls: list[str] = field(default_factory=list)
    _lives: list[list[bytes | None]] = field(default_factory=list)

    async def create_secret(self, request: types.CreateSecretRequest, context: Any) -> types.Secret:
        await self._begin("create", context)
        key = (request.parent.split("/")[1], request.secret_id)
        if key in self.secrets:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Secret {key} already exists.")
        if "automatic" not in request.secret.replication:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "A secret needs a replication policy.")
        self.secrets[key] = []
        return types.Secret(name=f"projects/{PROJECT_NUMBER}/secrets/{request.secret_id}")

    async def add_version(self, request: types.AddSecretVersionRequest, context: Any) -> types.SecretVersion:
        await self._begin("add", context)
        key, versions = await self._secret(request.parent, context)
        if len(request.payload.data) > 65536:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The payload is too large.")
        versions.append(request.payload.data)
        return types.SecretVersion(name=_name(key, len(versions)), state=State.ENABLED)

    async def access_version(
        self, request: types.AccessSecretVersionRequest, context: Any
    ) -> types.AccessSecretVersionResponse:
        await self._begin("access", context)
        key, versions, number = await self._version(request.name, context)
        kept = versions[number - 1]
        if kept is None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{request.name} is in DESTROYED state.")
        return types.AccessSecretVersionResponse(name=_name(key, number), payload={"data": kept})

    async def list_versions(
        self, request: types.ListSecretVersionsRequest, context: Any
    ) -> types.ListSecretVersionsResponse:
        await self._begin("list", context)
        key, versions = await self._secret(request.parent, context)
        # Newest first, two a page: the client must follow the pages.
        numbers = list(range(len(versions), 0, -1))
        start = int(request.page_token or 0)
        return types.ListSecretVersionsResponse(
            versions=[
                {
                    "name": _name(key, number),
                    "state": State.DESTROYED if versions[number - 1] is None else State.ENABLED,
                    "etag": self._etag(versions, number),
                }
                for number in numbers[start : start + 2]
            ],
            next_page_token=str(start + 2) if start + 2 < len(numbers) else "",
        )

    async def destroy_version(self, request: types.DestroySecretVersionRequest, context: Any) -> types.SecretVersion:
        await self._begin("destroy", context)
        key, versions, number = await self._version(request.name, context)
        if request.etag not in {"", self._etag(versions, number)}:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "The etag is another version's.")
        if versions[number - 1] is None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{request.name} is in DESTROYED state.")
        versions[number - 1] = None
        return types.SecretVersion(name=_name(key, number), state=State.DESTROYED)

    async def delete_secret(self, request: types.DeleteSecretRequest, context: Any) -> empty_pb2.Empty:
        await self._begin("delete", context)
        key, _ = await self._secret(request.name, context)
        del self.secrets[key]
        return empty_pb2.Empty()

    def _etag(self, versions: list[bytes | None], number: int) -> str:
        """As long as a secret lives each of its versions has one; the next secret of its name has others."""
        if not any(each is versions for each in self._lives):
            self._lives.append(versions)
        life = next(at for at, each in enumerate(self._lives) if each is versions)
        return f'"{life}-{number}"'

    async def _begin(self, call: str, context: Any) -> None:
        self.calls.append(call)
        if self.forbidden:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission denied on resource.")
        if self.unavailable:
            self.unavailable -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Come back in a moment.")

    async def _secret(self, name: str, context: Any) -> tuple[tuple[str, str], list[bytes | None]]:
        _, asked, _, id = name.split("/")[:4]
        for (project, known), versions in self.secrets.items():
            if known == id and asked in {project, PROJECT_NUMBER}:
                return (project, known), versions
        await context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{name}] not found.")
        raise AssertionError

    async def _version(self, name: str, context: Any) -> tuple[tuple[str, str], list[bytes | None], int]:
        key, versions = await self._secret(name, context)
        number = int(name.rsplit("/", 1)[1])
        if not 0 < number <= len(versions):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Secret Version [{name}] not found.")
        return key, versions, number


@asynccontextmanager
async def secret_manager_server(manager: SecretManager | None = None) -> AsyncIterator[str]:
    """Serve `manager`, or an empty one, on a free port of this machine; yields "host:port"."""
    manager = manager or SecretManager()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, _methods(manager)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def _methods(manager: SecretManager) -> dict[str, Any]:
    def method(call: Any, request: Any, serialize: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=request.deserialize, response_serializer=serialize
        )

    version = types.SecretVersion.serialize
    return {
        "CreateSecret": method(manager.create_secret, types.CreateSecretRequest, types.Secret.serialize),
        "AddSecretVersion": method(manager.add_version, types.AddSecretVersionRequest, version),
        "AccessSecretVersion": method(
            manager.access_version, types.AccessSecretVersionRequest, types.AccessSecretVersionResponse.serialize
        ),
        "ListSecretVersions": method(
            manager.list_versions, types.ListSecretVersionsRequest, types.ListSecretVersionsResponse.serialize
        ),
        "DestroySecretVersion": method(manager.destroy_version, types.DestroySecretVersionRequest, version),
        "DeleteSecret": method(manager.delete_secret, types.DeleteSecretRequest, empty_pb2.Empty.SerializeToString),
    }


def _name(key: tuple[str, str], number: int) -> str:
    return f"projects/{PROJECT_NUMBER}/secrets/{key[1]}/versions/{number}"
