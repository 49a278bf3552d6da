"""How a project's Pub/Sub is reached: its clients, its names of our topics, its refusals in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.adapters.google_clients import ClientPerLoop, open_transport
from hedgerow.adapters.google_errors import Service

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient


class PubSub:
    """Topics and subscriptions `topic_prefix` + topic of `project`.

    `emulator_host` ("127.0.0.1:8392") speaks to Google's emulator, in plain text and
    without credentials; None to the service.
    """

    def __init__(self, project: str, topic_prefix: str, emulator_host: str | None) -> None:
        self._project = f"projects/{project}"
        self._prefix = topic_prefix
        self._emulator_host = emulator_host
        self.service = Service(
            name="Pub/Sub",
            api="pubsub.googleapis.com",
            project=project,
            emulator=emulator_host,
            emulator_setting="PUBSUB_EMULATOR_HOST",
        )
        self.publishers = ClientPerLoop(self._connect_publisher)
        self.subscribers = ClientPerLoop(self._connect_subscriber)

    def topic(self, name: str) -> str:
        """The resource name of a topic of ours."""
        return f"{self._project}/topics/{self._prefix}{name}"

    def subscription(self, name: str) -> str:
        """The resource name of the one subscription to that topic."""
        return f"{self._project}/subscriptions/{self._prefix}{name}"

    async def close(self) -> None:
        """Close the channels of this event loop."""
        await self.publishers.close()
        await self.subscribers.close()

    def _connect_publisher(self) -> PublisherAsyncClient:
        from google.pubsub_v1 import PublisherAsyncClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

        return PublisherAsyncClient(transport=open_transport(PublisherGrpcAsyncIOTransport, self._emulator_host))

    def _connect_subscriber(self) -> SubscriberAsyncClient:
        from google.pubsub_v1 import SubscriberAsyncClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

        return SubscriberAsyncClient(transport=open_transport(SubscriberGrpcAsyncIOTransport, self._emulator_host))
