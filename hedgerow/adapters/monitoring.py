"""How much waits in Pub/Sub's subscriptions, and for how long, as Cloud Monitoring has it. Reads only.

Pub/Sub itself tells nobody. The metrics are sampled every minute and may be seen up to four
minutes later (Google's list of metrics, unverified here). No function looks at this:
`hedgerow doctor` does.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from hedgerow.adapters.google_clients import ClientPerLoop, open_transport, patience, plain_instant
from hedgerow.adapters.google_errors import Service
from hedgerow.inspection import Backlog

if TYPE_CHECKING:
    from datetime import datetime

    from google.cloud.monitoring_v3 import MetricServiceAsyncClient

LOOKED_BACK = timedelta(minutes=10)
AGE = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
NUMBER = "pubsub.googleapis.com/subscription/num_undelivered_messages"


class PubSubBacklogs:
    """The newest samples of the subscriptions `topic_prefix` + topic of a project."""

    def __init__(self, project: str, topic_prefix: str, *, host: str | None = None) -> None:
        self._project = project
        self._prefix = topic_prefix
        self._host = host
        self._service = Service(name="Cloud Monitoring", api="monitoring.googleapis.com", project=project)
        self._clients = ClientPerLoop(self._connect)

    async def read(self, at: datetime) -> dict[str, Backlog]:
        """By topic, as of `at`; one without a sample in the minutes before is not in it."""
        with self._service.errors():
            numbers, ages = await asyncio.gather(self._newest(NUMBER, at), self._newest(AGE, at))
        backlogs: dict[str, Backlog] = {}
        for topic, (number, _) in numbers.items():
            age, sampled_at = ages.get(topic, (0, None))
            # The age is of the sample's moment, and 0 where nothing waits.
            oldest = sampled_at - timedelta(seconds=age) if sampled_at is not None and number and age else None
            backlogs[topic] = Backlog(number, oldest)
        return backlogs

    async def close(self) -> None:
        """Close the channel of this event loop."""
        await self._clients.close()

    async def _newest(self, metric: str, until: datetime) -> dict[str, tuple[int, datetime]]:
        """The newest sample of each subscription, and when it was taken: points come newest first."""
        pages = await self._clients.get().list_time_series(
            {
                "name": f"projects/{self._project}",
                "filter": f'metric.type = "{metric}" AND '
                f'resource.labels.subscription_id = starts_with("{self._prefix}")',
                "interval": {"start_time": until - LOOKED_BACK, "end_time": until},
            },
            **patience(),
        )
        found: dict[str, tuple[int, datetime]] = {}
        async for series in pages:
            if not series.points:
                continue
            name, newest = series.resource.labels["subscription_id"].removeprefix(self._prefix), series.points[0]
            if (at := plain_instant(newest.interval.end_time)) is not None:
                found[name] = (newest.value.int64_value, at)
        return found

    def _connect(self) -> MetricServiceAsyncClient:
        from google.cloud.monitoring_v3 import MetricServiceAsyncClient
        from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcAsyncIOTransport

        return MetricServiceAsyncClient(transport=open_transport(MetricServiceGrpcAsyncIOTransport, self._host))
