"""gRPC servers that fail as they are told: a status so many times, then the truth; or the truth, and its answer lost.

`Faults` is the list of what to fail with, by method or for all; `serving` puts it before
any server's methods; `relaying` puts it before a real one, such as an emulator.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ALWAYS = 10_000


@dataclass(frozen=True)
class Fault:
    """What a call gets instead of its answer. `done` says that it was done all the same; `reason` is ErrorInfo's."""

    status: grpc.StatusCode
    said: str = "What Google said."
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass
class Faults:
    """Faults still to come, in turn; `only` narrows them to one method. `calls` counts every call by method."""

    coming: deque[Fault] = field(default_factory=deque)
    only: str = ""
    calls: list[str] = field(default_factory=list)

    def then(self, fault: Fault, times: int = 1) -> None:
        """Let the next calls meet this."""
        self.coming.extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        """The fault of this call, if it has one."""
        name = method.rsplit("/", 1)[-1]
        self.calls.append(name)
        if self.only not in {"", name} or not self.coming:
            return None
        return self.coming.popleft()


@asynccontextmanager
async def serving(services: Mapping[str, Mapping[str, Any]], faults: Faults) -> AsyncIterator[str]:
    """Serve methods by service name on a free port of this machine; yields "host:port"."""
    server = grpc.aio.server(interceptors=[_Interceptor(faults)])
    for name, methods in services.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    async with _started(server) as host:
        yield host


@asynccontextmanager
async def relaying(upstream: str, faults: Faults) -> AsyncIterator[str]:
    """Serve every method of the server at `upstream`, bytes for bytes; yields "host:port"."""
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    channel = grpc.aio.insecure_channel(upstream, options=unlimited)
    server = grpc.aio.server(options=unlimited, handlers=[_Relay(channel, faults)])
    async with _started(server) as host:
        yield host
    await channel.close()


def unary(call: Any, decode: Any, encode: Any) -> Any:
    """A method of one request and one answer."""
    return grpc.unary_unary_rpc_method_handler(call, request_deserializer=decode, response_serializer=encode)


@asynccontextmanager
async def _started(server: Any) -> AsyncIterator[str]:
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


class _Interceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None

        async def call(request: Any, context: Any) -> Any:
            fault = self._faults.take(details.method)
            if fault is None:
                return await handler.unary_unary(request, context)
            if fault.done:
                await handler.unary_unary(request, context)
            return await _fail(context, fault)

        return unary(call, handler.request_deserializer, handler.response_serializer)


class _Relay(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A call of any shape as a stream of answers to one request: on the wire they are the same."""

    def __init__(self, channel: Any, faults: Faults) -> None:
        self._channel = channel
        self._faults = faults

    def service(self, details: Any) -> Any:
        async def call(request: bytes, context: Any) -> AsyncIterator[bytes]:
            fault = self._faults.take(details.method)
            if fault is not None and not fault.done:
                await _fail(context, fault)
            metadata = [pair for pair in context.invocation_metadata() if _is_ours(pair[0])]
            try:
                async for answer in self._channel.unary_stream(details.method)(request, metadata=metadata):
                    if fault is None:
                        yield answer
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details())
            if fault is not None:
                await _fail(context, fault)

        return grpc.unary_stream_rpc_method_handler(call)


def _is_ours(header: str) -> bool:
    return not header.startswith(("grpc-", ":", "user-agent", "te", "content-type"))


async def _fail(context: Any, fault: Fault) -> None:
    from google.protobuf import any_pb2
    from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

    if fault.reason:
        info = error_details_pb2.ErrorInfo(reason=fault.reason, domain="googleapis.com", metadata=dict(fault.metadata))
        packed = any_pb2.Any()
        packed.Pack(info)
        status = status_pb2.Status(code=fault.status.value[0], message=fault.said, details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(fault.status, fault.said)
