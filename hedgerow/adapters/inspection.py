"""`Inspection` of the embedded queue and of Pub/Sub. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hedgerow.adapters.google_clients import PATIENCE_SECONDS, ClientPerLoop, open_transport, short_retry
from hedgerow.adapters.google_errors import Service
from hedgerow.adapters.monitoring import PubSubBacklogs
from hedgerow.inspection import Backlog, Subscription, Topic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

    from hedgerow.adapters.embedded import EmbeddedQueue

AGENT = "@gcp-sa-pubsub.iam.gserviceaccount.com"
"""How the accounts end by which Pub/Sub itself acts in a project."""


class EmbeddedInspection:
    """Every topic of the file exists, and its courier buries what it gives up."""

    def __init__(self, queue: EmbeddedQueue) -> None:
        self._queue = queue

    async def topics(self, names: Sequence[str]) -> tuple[Topic, ...]:
        """Each, as it was asked for."""
        return tuple(Topic(name, exists=True) for name in names)

    async def backlog(self, at: datetime) -> dict[str, Backlog]:
        """How much waits in each that anything waits in, and since when."""
        return {
            each.topic: Backlog(each.waiting, datetime.fromisoformat(each.oldest), each.failures)
            for each in await self._queue.backlog()
        }

    async def close(self) -> None:
        """Nothing to let go of."""


class PubSubInspection:
    """Topics and subscriptions `topic_prefix` + topic of a project; how much waits, Cloud Monitoring says.

    The emulator has no such thing beside it: `monitoring_host` is a "host:port" in plain text for tests.
    """

    def __init__(
        self, project: str, topic_prefix: str, *, emulator_host: str | None = None, monitoring_host: str | None = None
    ) -> None:
        self._project = f"projects/{project}"
        self._prefix = topic_prefix
        self._emulator_host = emulator_host
        self._service = Service(
            name="Pub/Sub",
            api="pubsub.googleapis.com",
            project=project,
            emulator=emulator_host,
            emulator_setting="PUBSUB_EMULATOR_HOST",
        )
        has_monitoring = emulator_host is None or monitoring_host is not None
        self._backlogs = PubSubBacklogs(project, topic_prefix, host=monitoring_host) if has_monitoring else None
        self._publishers = ClientPerLoop(self._connect_publisher)
        self._subscribers = ClientPerLoop(self._connect_subscriber)

    async def topics(self, names: Sequence[str]) -> tuple[Topic, ...]:
        """Each topic, its subscription, and whether what it gives up arrives anywhere."""
        with self._service.errors():
            return tuple([await self._topic(name) for name in names])

    async def backlog(self, at: datetime) -> dict[str, Backlog] | None:
        """As Cloud Monitoring has it, some minutes late."""
        return await self._backlogs.read(at) if self._backlogs is not None else None

    async def close(self) -> None:
        """Close the channels of this event loop."""
        if self._backlogs is not None:
            await self._backlogs.close()
        await self._publishers.close()
        await self._subscribers.close()

    async def _topic(self, name: str) -> Topic:
        from google.api_core import exceptions as google

        try:
            await self._publishers.get().get_topic({"topic": self._topic_path(name)}, **_call())
        except google.NotFound:
            return Topic(name, exists=False)
        path = f"{self._project}/subscriptions/{self._prefix}{name}"
        try:
            found = await self._subscribers.get().get_subscription({"subscription": path}, **_call())
        except google.NotFound:
            return Topic(name, exists=True)
        dead = found.dead_letter_policy.dead_letter_topic
        subscription = Subscription(
            endpoint=found.push_config.push_endpoint,
            account=found.push_config.oidc_token.service_account_email,
            dead_topic=dead,
            attempts=found.dead_letter_policy.max_delivery_attempts,
            may_bury=await self._may_bury(path, dead) if dead else None,
        )
        return Topic(name, exists=True, subscription=subscription)

    async def _may_bury(self, subscription: str, dead_topic: str) -> bool | None:
        """May Pub/Sub take from the one and publish to the other? None on the emulator, or where we may not look."""
        from google.api_core import exceptions as google

        try:
            there = await self._publishers.get().get_iam_policy({"resource": dead_topic}, **_call())
            here = await self._subscribers.get().get_iam_policy({"resource": subscription}, **_call())
        except (google.PermissionDenied, google.NotFound, google.MethodNotImplemented):
            return None
        return _is_granted(there, "roles/pubsub.publisher") and _is_granted(here, "roles/pubsub.subscriber")

    def _topic_path(self, name: str) -> str:
        return f"{self._project}/topics/{self._prefix}{name}"

    def _connect_publisher(self) -> PublisherAsyncClient:
        from google.pubsub_v1 import PublisherAsyncClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

        return PublisherAsyncClient(transport=open_transport(PublisherGrpcAsyncIOTransport, self._emulator_host))

    def _connect_subscriber(self) -> SubscriberAsyncClient:
        from google.pubsub_v1 import SubscriberAsyncClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

        return SubscriberAsyncClient(transport=open_transport(SubscriberGrpcAsyncIOTransport, self._emulator_host))


def _is_granted(policy: Any, role: str) -> bool:
    return any(
        binding.role == role and any(member.endswith(AGENT) for member in binding.members)
        for binding in policy.bindings
    )


def _call() -> dict[str, Any]:
    return {"retry": short_retry(), "timeout": PATIENCE_SECONDS}
