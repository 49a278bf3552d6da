"""`Queue` on Pub/Sub and `Vault` on Secret Manager, by Google's own asynchronous clients."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from hedgerow.adapters.google_clients import ClientPerLoop, open_transport, patience
from hedgerow.adapters.google_errors import APPLY, Service
from hedgerow.adapters.pubsub import PubSub
from hedgerow.adapters.pubsub_requests import chunks
from hedgerow.adapters.secret_names import check_name
from hedgerow.errors import MisconfiguredError, SecretGoneError, TooLargeError
from hedgerow.pushes import DEAD_TOPIC, MOST_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient

    from hedgerow.messages import Message

REQUESTS_AT_ONCE = 8
SECRET_BYTES = 65_536
_ETAG = " etag "
ACK_SECONDS = 600
RETRY_SECONDS = (1, 600)
"""On the emulator. The cloud's begin at 10; a person at a laptop should not wait that long for the second try."""


class PubSubQueue:
    """Messages to the topics `topic_prefix` + topic of a project.

    `emulator_host` ("127.0.0.1:8392") speaks to Google's emulator, in plain text and
    without credentials; None to the service.
    """

    def __init__(self, project: str, topic_prefix: str = "hedgerow-", *, emulator_host: str | None = None) -> None:
        self._pubsub = PubSub(project, topic_prefix, emulator_host)

    async def publish(self, *messages: Message) -> None:
        """Hand all messages to Pub/Sub, in as few requests as it allows, some at a time."""
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        places = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def send(topic: str, chunk: list[Any]) -> None:
            async with places:
                await self._send(topic, chunk)

        requests = [(topic, chunk) for topic, batch in by_topic.items() for chunk in chunks(batch)]
        await _all_of(send(topic, chunk) for topic, chunk in requests)

    async def reach(self) -> None:
        """Ask for a topic. That there is none, or that it is not for us to look at, is an answer too."""
        from google.api_core import exceptions as google

        # Most targets publish seldom: their first look must not stop the loop for an import.
        await asyncio.to_thread(importlib.import_module, "google.pubsub_v1")
        try:
            with self._pubsub.service.errors(), suppress(google.NotFound):
                await self._pubsub.publishers.get().get_topic(
                    {"topic": self._pubsub.topic("sync-requested")}, **patience()
                )
        except MisconfiguredError as error:
            if error.code != "no_rights":
                raise

    async def ensure_push(
        self,
        topic: str,
        endpoint: str,
        *,
        attempts: int = MOST_ATTEMPTS,
        retry_seconds: tuple[int, int] = RETRY_SECONDS,
    ) -> None:
        """Create the topic and one push subscription to `endpoint`, or point the existing one there.

        After so many failed attempts a message goes to the dead topic, which is created
        too; its own messages are tried for ever. For the emulator: in the cloud Terraform
        does it.
        """
        from google.api_core import exceptions as google

        subscription: dict[str, Any] = {
            "name": self._pubsub.subscription(topic),
            "topic": self._pubsub.topic(topic),
            "push_config": {"push_endpoint": endpoint},
            "ack_deadline_seconds": ACK_SECONDS,
            "retry_policy": {
                "minimum_backoff": {"seconds": retry_seconds[0]},
                "maximum_backoff": {"seconds": retry_seconds[1]},
            },
        }
        if topic != DEAD_TOPIC:
            subscription["dead_letter_policy"] = {
                "dead_letter_topic": self._pubsub.topic(DEAD_TOPIC),
                "max_delivery_attempts": attempts,
            }
        with self._pubsub.service.errors(self._pubsub.topic(topic)):
            for name in {topic, DEAD_TOPIC}:
                with suppress(google.AlreadyExists):
                    await self._pubsub.publishers.get().create_topic({"name": self._pubsub.topic(name)}, **patience())
            try:
                await self._pubsub.subscribers.get().create_subscription(subscription, **patience())
            except google.AlreadyExists:
                changed = [
                    name for name in ("push_config", "dead_letter_policy", "retry_policy") if name in subscription
                ]
                update = {"subscription": subscription, "update_mask": {"paths": changed}}
                await self._pubsub.subscribers.get().update_subscription(update, **patience())

    async def close(self) -> None:
        """Close the channels of this event loop."""
        await self._pubsub.close()

    async def _send(self, topic: str, chunk: list[Any]) -> None:
        from google.api_core import exceptions as google
        from google.pubsub_v1.types import PublishRequest

        request = PublishRequest.wrap(PublishRequest.pb()(topic=self._pubsub.topic(topic), messages=chunk))
        with self._pubsub.service.errors(self._pubsub.topic(topic)):
            try:
                await self._pubsub.publishers.get().publish(request, **patience())
            except google.NotFound as error:
                if "project not found" in str(error.message):
                    raise
                raise MisconfiguredError(
                    f"Pub/Sub has no topic {self._pubsub.topic(topic)}.",
                    code="no_topic",
                    hint=f"Run {APPLY}, or start `hedgerow dev --emulators`: each creates the topics.",
                ) from error


class SecretManagerVault:
    """Secrets `prefix` + name of a project; a reference is a numbered version's resource name.

    Never `latest`: it lags behind a write by seconds, a number does not. `emulator_host`
    names a server that takes plain text without credentials, for tests.
    """

    def __init__(self, project: str, prefix: str = "hedgerow-", *, emulator_host: str | None = None) -> None:
        self._project = f"projects/{project}"
        self._prefix = prefix
        self._emulator_host = emulator_host
        self._service = Service("Secret Manager", "secretmanager.googleapis.com", project, emulator=emulator_host)
        self._clients = ClientPerLoop(self._connect)

    async def write(self, name: str, secret: SecretStr) -> str:
        """Keep a secret as a new version of `name`; the answer is its reference.

        A repeated call after a lost answer leaves an extra version, which the next
        `destroy` with a reference to keep removes.
        """
        from google.api_core import exceptions as google

        id = self._prefix + check_name(name)
        if (size := len(secret.get_secret_value().encode())) > SECRET_BYTES:
            raise TooLargeError(f"Secret Manager keeps {SECRET_BYTES:,} bytes in a secret; {id} has {size:,}.")
        creation = {"parent": self._project, "secret_id": id, "secret": {"replication": {"automatic": {}}}}
        addition = {"parent": f"{self._project}/secrets/{id}", "payload": {"data": secret.get_secret_value().encode()}}
        with self._service.errors(id):
            client = self._clients.get()
            with suppress(google.AlreadyExists):
                await client.create_secret(creation, **patience())
            version = await client.add_secret_version(addition, **patience())
        return str(version.name)

    async def read(self, reference: str) -> SecretStr:
        """The secret behind a reference; `SecretGoneError` when it was destroyed."""
        from google.api_core import exceptions as google

        gone = SecretGoneError(f"Secret Manager holds nothing under {reference}.")
        # A record that was moved here may still name the project it came from, or be somebody's invention.
        within = _within_project(reference)
        if not within.startswith(f"secrets/{self._prefix}"):
            raise gone
        with self._service.errors(within):
            try:
                named = {"name": f"{self._project}/{within}"}
                answer = await self._clients.get().access_secret_version(named, **patience())
            except (google.NotFound, google.FailedPrecondition) as error:
                raise gone from error
        return SecretStr(answer.payload.data.decode())

    async def versions(self, name: str) -> tuple[str, ...]:
        """A mark of each version that is not destroyed: its name and its etag.

        A secret that was deleted and is written again counts from 1 again; the etag tells
        the new version from the old one [U].
        """
        from google.api_core import exceptions as google
        from google.cloud.secretmanager_v1.types import SecretVersion

        marks: list[str] = []
        with self._service.errors(self._prefix + name), suppress(google.NotFound):
            pages = await self._clients.get().list_secret_versions({"parent": self._secret(name)}, **patience())
            destroyed = SecretVersion.State.DESTROYED
            marks += [f"{each.name}{_ETAG}{each.etag}" async for each in pages if each.state != destroyed]
        return tuple(marks)

    async def destroy(self, name: str, *, keep: str | None = None, only: Sequence[str] | None = None) -> None:
        """Destroy every version of `name`, or of the marks `only`, except the reference to keep. Safe to repeat."""
        marks = await self.versions(name) if only is None else only
        kept = None if keep is None else _within_project(keep)
        with self._service.errors(self._prefix + name):
            for mark in marks:
                version, _, etag = mark.partition(_ETAG)
                if _within_project(version) != kept:
                    await self._destroy_version(version, etag)

    async def remove(self, name: str) -> None:
        """Delete the secret `name`, unless it has a version that is not destroyed. Safe to repeat."""
        from google.api_core import exceptions as google

        if await self.versions(name):
            return
        with self._service.errors(self._prefix + name), suppress(google.NotFound):
            await self._clients.get().delete_secret({"name": self._secret(name)}, **patience())

    async def close(self) -> None:
        """Close the channel of this event loop."""
        await self._clients.close()

    def _secret(self, name: str) -> str:
        return f"{self._project}/secrets/{self._prefix}{check_name(name)}"

    async def _destroy_version(self, version: str, etag: str) -> None:
        from google.api_core import exceptions as google

        # Somebody else destroyed it in the meantime, or it is another one under the same number. Which of these an
        # etag that does not fit is answered with is unverified.
        with suppress(google.NotFound, google.FailedPrecondition, google.Aborted):
            await self._clients.get().destroy_secret_version({"name": version, "etag": etag}, **patience())

    def _connect(self) -> SecretManagerServiceAsyncClient:
        from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
        from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
            SecretManagerServiceGrpcAsyncIOTransport,
        )

        return SecretManagerServiceAsyncClient(
            transport=open_transport(SecretManagerServiceGrpcAsyncIOTransport, self._emulator_host)
        )


async def _all_of(sends: Iterable[Any]) -> None:
    # Every send ends before the first failure is raised: nothing stays in flight behind the caller.
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def _within_project(name: str) -> str:
    # The service answers with the project's number where it was asked by id.
    return name.split("/", 2)[-1]
