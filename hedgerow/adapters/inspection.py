"""`Inspection` of the embedded queue and of Pub/Sub. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.adapters.google_clients import patience
from hedgerow.adapters.monitoring import PubSubBacklogs
from hedgerow.adapters.pubsub import PubSub
from hedgerow.inspection import Subscription, Topic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from hedgerow.adapters.embedded import EmbeddedQueue
    from hedgerow.inspection import Backlog

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
        return await self._queue.backlog()

    async def close(self) -> None:
        """Nothing to let go of."""


class PubSubInspection:
    """Topics and subscriptions `topic_prefix` + topic of a project; how much waits, Cloud Monitoring says.

    The emulator has no such thing beside it: `monitoring_host` is a "host:port" in plain text for tests.
    """

    def __init__(
        self, project: str, topic_prefix: str, *, emulator_host: str | None = None, monitoring_host: str | None = None
    ) -> None:
        self._pubsub = PubSub(project, topic_prefix, emulator_host)
        has_monitoring = emulator_host is None or monitoring_host is not None
        self._backlogs = PubSubBacklogs(project, topic_prefix, host=monitoring_host) if has_monitoring else None

    async def topics(self, names: Sequence[str]) -> tuple[Topic, ...]:
        """Each topic, its subscription, and whether what it gives up arrives anywhere."""
        with self._pubsub.service.errors():
            return tuple([await self._topic(name) for name in names])

    async def backlog(self, at: datetime) -> dict[str, Backlog] | None:
        """As Cloud Monitoring has it, some minutes late."""
        return await self._backlogs.read(at) if self._backlogs is not None else None

    async def close(self) -> None:
        """Close the channels of this event loop."""
        if self._backlogs is not None:
            await self._backlogs.close()
        await self._pubsub.close()

    async def _topic(self, name: str) -> Topic:
        from google.api_core import exceptions as google

        try:
            await self._pubsub.publishers.get().get_topic({"topic": self._pubsub.topic(name)}, **patience())
        except google.NotFound:
            return Topic(name, exists=False)
        path = self._pubsub.subscription(name)
        try:
            found = await self._pubsub.subscribers.get().get_subscription({"subscription": path}, **patience())
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
            there = await self._pubsub.publishers.get().get_iam_policy({"resource": dead_topic}, **patience())
            here = await self._pubsub.subscribers.get().get_iam_policy({"resource": subscription}, **patience())
        except (google.PermissionDenied, google.NotFound, google.MethodNotImplemented):
            return None
        return _is_granted(there, "roles/pubsub.publisher") and _is_granted(here, "roles/pubsub.subscriber")


def _is_granted(policy: Any, role: str) -> bool:
    return any(
        binding.role == role and any(member.endswith(AGENT) for member in binding.members)
        for binding in policy.bindings
    )
