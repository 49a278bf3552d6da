"""`Queue` on Pub/Sub and `Vault` on Secret Manager, by Google's own asynchronous clients."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from hedgerow.adapters.google_clients import (
    PATIENCE_SECONDS,
    ClientPerLoop,
    emulator_channel,
    google_errors,
    short_retry,
)
from hedgerow.adapters.secret_names import check_name
from hedgerow.errors import SecretGoneError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

    from hedgerow.messages import Message

REQUEST_MESSAGES = 1000
REQUEST_BYTES = 9_000_000
"""Pub/Sub takes 1,000 messages and 10 MB in one request; the rest of the 10 is for framing."""
REQUESTS_AT_ONCE = 8
ACK_SECONDS = 600
RETRY_SECONDS = (1, 60)


class PubSubQueue:
    """Messages to the topics `topic_prefix` + topic of a project.

    `emulator_host` ("127.0.0.1:8392") speaks to Google's emulator, in plain text and
    without credentials; None to the service.
    """

    def __init__(self, project: str, topic_prefix: str = "hedgerow-", *, emulator_host: str | None = None) -> None:
        self._project = f"projects/{project}"
        self._prefix = topic_prefix
        self._emulator_host = emulator_host
        self._publishers = ClientPerLoop(self._connect_publisher)
        self._subscribers = ClientPerLoop(self._connect_subscriber)

    async def publish(self, *messages: Message) -> None:
        """Hand all messages to Pub/Sub, in as few requests as it allows, some at a time."""
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        places = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def send(topic: str, chunk: list[Any]) -> None:
            async with places:
                await self._send(topic, chunk)

        await _all_of(send(topic, chunk) for topic, batch in by_topic.items() for chunk in _chunks(batch))

    async def ensure_push(self, topic: str, endpoint: str) -> None:
        """Create the topic and one push subscription to `endpoint`, or point the existing one there.

        For the emulator: in the cloud Terraform does it.
        """
        from google.api_core import exceptions as google

        subscription: dict[str, Any] = {
            "name": f"{self._project}/subscriptions/{self._prefix}{topic}",
            "topic": self._topic(topic),
            "push_config": {"push_endpoint": endpoint},
            "ack_deadline_seconds": ACK_SECONDS,
            "retry_policy": {
                "minimum_backoff": {"seconds": RETRY_SECONDS[0]},
                "maximum_backoff": {"seconds": RETRY_SECONDS[1]},
            },
        }
        with google_errors("Pub/Sub"):
            with suppress(google.AlreadyExists):
                await self._publishers.get().create_topic({"name": self._topic(topic)}, **_call())
            try:
                await self._subscribers.get().create_subscription(subscription, **_call())
            except google.AlreadyExists:
                moved = {"subscription": subscription["name"], "push_config": subscription["push_config"]}
                await self._subscribers.get().modify_push_config(moved, **_call())

    async def close(self) -> None:
        """Close the channels of this event loop."""
        await self._publishers.close()
        await self._subscribers.close()

    async def _send(self, topic: str, chunk: list[Any]) -> None:
        from google.api_core import exceptions as google
        from google.pubsub_v1.types import PublishRequest

        request = PublishRequest.wrap(PublishRequest.pb()(topic=self._topic(topic), messages=chunk))
        try:
            with google_errors("Pub/Sub"):
                await self._publishers.get().publish(request, **_call())
        except google.NotFound as error:
            raise TransientError(
                f"Pub/Sub has no topic {self._topic(topic)}.",
                hint="Create the topics: `terraform apply`, or `hedgerow dev --emulators` for the emulator.",
            ) from error

    def _topic(self, topic: str) -> str:
        return f"{self._project}/topics/{self._prefix}{topic}"

    def _connect_publisher(self) -> PublisherAsyncClient:
        from google.pubsub_v1 import PublisherAsyncClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

        if self._emulator_host is None:
            return PublisherAsyncClient()
        return PublisherAsyncClient(
            transport=PublisherGrpcAsyncIOTransport(channel=emulator_channel(self._emulator_host))
        )

    def _connect_subscriber(self) -> SubscriberAsyncClient:
        from google.pubsub_v1 import SubscriberAsyncClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

        if self._emulator_host is None:
            return SubscriberAsyncClient()
        return SubscriberAsyncClient(
            transport=SubscriberGrpcAsyncIOTransport(channel=emulator_channel(self._emulator_host))
        )


class SecretManagerVault:
    """Secrets `prefix` + name of a project; a reference is a numbered version's resource name.

    Never `latest`: it lags behind a write by seconds, a number does not. `emulator_host`
    names a server that takes plain text without credentials, for tests.
    """

    def __init__(self, project: str, prefix: str = "hedgerow-", *, emulator_host: str | None = None) -> None:
        self._project = f"projects/{project}"
        self._prefix = prefix
        self._emulator_host = emulator_host
        self._clients = ClientPerLoop(self._connect)

    async def write(self, name: str, secret: SecretStr) -> str:
        """Keep a secret as a new version of `name`; the answer is its reference.

        A repeated call after a lost answer leaves an extra version, which the next
        `destroy` with a reference to keep removes.
        """
        from google.api_core import exceptions as google

        id = self._prefix + check_name(name)
        client = self._clients.get()
        creation = {"parent": self._project, "secret_id": id, "secret": {"replication": {"automatic": {}}}}
        addition = {"parent": f"{self._project}/secrets/{id}", "payload": {"data": secret.get_secret_value().encode()}}
        with google_errors("Secret Manager"):
            with suppress(google.AlreadyExists):
                await client.create_secret(creation, **_call())
            version = await client.add_secret_version(addition, **_call())
        return str(version.name)

    async def read(self, reference: str) -> SecretStr:
        """The secret behind a reference; `SecretGoneError` when it was destroyed."""
        from google.api_core import exceptions as google

        gone = SecretGoneError(f"Secret Manager holds nothing under {reference}.")
        if "/secrets/" not in reference:
            raise gone
        try:
            with google_errors("Secret Manager"):
                answer = await self._clients.get().access_secret_version({"name": reference}, **_call())
        except (google.NotFound, google.FailedPrecondition) as error:
            raise gone from error
        return SecretStr(answer.payload.data.decode())

    async def destroy(self, name: str, *, keep: str | None = None) -> None:
        """Destroy every version of `name`, except the reference to keep. Safe to repeat."""
        from google.api_core import exceptions as google

        secret = f"{self._project}/secrets/{self._prefix}{check_name(name)}"
        try:
            with google_errors("Secret Manager"):
                if keep is None:
                    await self._clients.get().delete_secret({"name": secret}, **_call())
                else:
                    await self._destroy_others(secret, keep)
        except google.NotFound:
            return

    async def close(self) -> None:
        """Close the channel of this event loop."""
        await self._clients.close()

    async def _destroy_others(self, secret: str, keep: str) -> None:
        from google.api_core import exceptions as google
        from google.cloud.secretmanager_v1.types import SecretVersion

        client = self._clients.get()
        async for version in await client.list_secret_versions({"parent": secret}, **_call()):
            if version.state == SecretVersion.State.DESTROYED or _within_project(version.name) == _within_project(keep):
                continue
            try:
                await client.destroy_secret_version({"name": version.name}, **_call())
            except (google.NotFound, google.FailedPrecondition):
                # Somebody else destroyed it in the meantime.
                continue

    def _connect(self) -> SecretManagerServiceAsyncClient:
        from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
        from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
            SecretManagerServiceGrpcAsyncIOTransport,
        )

        if self._emulator_host is None:
            return SecretManagerServiceAsyncClient()
        return SecretManagerServiceAsyncClient(
            transport=SecretManagerServiceGrpcAsyncIOTransport(channel=emulator_channel(self._emulator_host))
        )


def _call() -> dict[str, Any]:
    return {"retry": short_retry(), "timeout": PATIENCE_SECONDS}


async def _all_of(sends: Iterable[Any]) -> None:
    # Every send ends before the first failure is raised: nothing stays in flight behind the caller.
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def _chunks(messages: list[Message]) -> Iterator[list[Any]]:
    from google.pubsub_v1.types import PubsubMessage

    chunk: list[Any] = []
    size = 0
    for message in messages:
        encoded = PubsubMessage.pb()(data=message.model_dump_json().encode(), attributes={"key": message.key})
        bytes_more = encoded.ByteSize() + 8
        if chunk and (len(chunk) == REQUEST_MESSAGES or size + bytes_more > REQUEST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(encoded)
        size += bytes_more
    if chunk:
        yield chunk


def _within_project(name: str) -> str:
    # The service answers with the project's number where it was asked by id.
    return name.split("/", 2)[2]
