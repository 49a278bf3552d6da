"""OpenTelemetry metrics: few instruments of few labels, sent over OTLP where an endpoint is set.

Nothing is loaded, counted or sent without `telemetry_endpoint`. A function has no CPU between
its requests, so what was counted goes out inside one, at most once a minute, by `app.http`;
a receiver that fails costs that one request a moment and never its answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from hedgerow.logs import log

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter
    from opentelemetry.metrics import _Gauge as Gauge
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

    from hedgerow.app import App, Outbound

BETWEEN_SENDS = timedelta(minutes=1)
AFTER_A_FAILURE = timedelta(minutes=5)
SEND_SECONDS = 2.0
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric: what it counts or measures, and which labels every value of it has."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    description: str
    labels: tuple[str, ...]


RUNS = Instrument(
    "hedgerow.runs", "counter", "{run}", "Attempts at a sync run; `pending`: it is tried again.", ("state", "tier")
)
SYNC_SECONDS = Instrument(
    "hedgerow.sync.duration", "histogram", "s", "How long such an attempt took.", ("state", "tier")
)
OLDEST_DUE = Instrument(
    "hedgerow.due.oldest", "gauge", "s", "How long the oldest due connection has waited.", ("tier",)
)
OUTBOX_OLDEST = Instrument("hedgerow.outbox.oldest", "gauge", "s", "Age of the oldest delivery that waits.", ())
DELIVERIES = Instrument(
    "hedgerow.deliveries", "counter", "{event}", "Events out of the outbox, by what became of them.", ("outcome",)
)
NOTIFICATIONS = Instrument(
    "hedgerow.notifications", "counter", "{notification}", "Attempts to tell a channel.", ("kind", "outcome")
)
REQUESTS = Instrument(
    "hedgerow.requests", "counter", "{request}", "Calls answered, capture's excepted.", ("family", "status")
)
INSTRUMENTS = (RUNS, SYNC_SECONDS, OLDEST_DUE, OUTBOX_OLDEST, DELIVERIES, NOTIFICATIONS, REQUESTS)


def record(app: App, instrument: Instrument, value: float = 1, **labels: str) -> None:
    """Count `value` more, or note that it is so now. Does nothing without an endpoint; `labels` as the instrument says."""
    if not app.settings.telemetry_endpoint:
        return
    if set(labels) != set(instrument.labels):
        raise ValueError(f"{instrument.name} has the labels {instrument.labels}, not {tuple(labels)}")
    made = _of(app).made(instrument)
    match instrument.kind:
        case "counter":
            made.add(value, labels)  # type: ignore[union-attr]
        case "gauge":
            made.set(value, labels)  # type: ignore[union-attr]
        case "histogram":
            made.record(value, labels)  # type: ignore[union-attr]


async def send_if_due(app: App) -> None:
    """Send what was counted, when the last sending is a minute ago. Takes two seconds at most, and never fails."""
    if app.settings.telemetry_endpoint:
        await _of(app).send_if_due(app)


@dataclass(slots=True)
class _Telemetry:
    """The instruments of this process, made at their first use, and when they were last sent."""

    meter: Meter
    reader: InMemoryMetricReader
    instruments: dict[str, Counter | Gauge | Histogram] = field(default_factory=dict)
    next_at: datetime | None = None
    has_failed: bool = False

    def made(self, wanted: Instrument) -> Counter | Gauge | Histogram:
        found = self.instruments.get(wanted.name)
        if found is None:
            found = self.instruments[wanted.name] = self._make(wanted)
        return found

    def _make(self, wanted: Instrument) -> Counter | Gauge | Histogram:
        match wanted.kind:
            case "counter":
                return self.meter.create_counter(wanted.name, wanted.unit, wanted.description)
            case "gauge":
                return self.meter.create_gauge(wanted.name, wanted.unit, wanted.description)
            case "histogram":
                return self.meter.create_histogram(
                    wanted.name, wanted.unit, wanted.description, explicit_bucket_boundaries_advisory=BOUNDS
                )

    async def send_if_due(self, app: App) -> None:
        now = app.now()
        # An instance's first minute is counted before it is sent; a clock set back must not stop the sending.
        if self.next_at is None:
            self.next_at = now + BETWEEN_SENDS
        if now < self.next_at <= now + AFTER_A_FAILURE:
            return
        self.next_at = now + BETWEEN_SENDS
        found = self.reader.get_metrics_data()
        if found is None:
            return
        failure = await _send(app, found)
        if failure is None:
            self.has_failed = False
            return
        self.next_at = now + AFTER_A_FAILURE
        if not self.has_failed:
            log().warning("telemetry.not_sent", reason=failure, hint="See HEDGEROW_TELEMETRY_ENDPOINT.")
        self.has_failed = True


_telemetries: WeakKeyDictionary[Outbound, _Telemetry] = WeakKeyDictionary()


def _of(app: App) -> _Telemetry:
    found = _telemetries.get(app.outbound)
    if found is None:
        found = _telemetries[app.outbound] = _opened(app)
    return found


def _opened(app: App) -> _Telemetry:
    import secrets

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource

    reader = InMemoryMetricReader()
    # Sums go on from an instance's start: without its id, two instances would look like one that jumps.
    here = Resource(
        {
            "service.name": app.settings.service or "hedgerow",
            "service.namespace": "hedgerow",
            "service.instance.id": secrets.token_hex(8),
        }
    )
    provider = MeterProvider([reader], here, shutdown_on_exit=False)
    return _Telemetry(provider.get_meter("hedgerow"), reader)


async def _send(app: App, found: MetricsData) -> str | None:
    """Post it; why that failed, None when it did not."""
    import httpx

    from hedgerow import otlp
    from hedgerow.errors import OutboundError

    address = f"{app.settings.telemetry_endpoint.rstrip('/')}/v1/metrics"
    secret = app.settings.telemetry_headers
    headers = otlp.headers_of(secret.get_secret_value() if secret is not None else "")
    try:
        async with (
            asyncio.timeout(SEND_SECONDS),
            app.http.stream(
                "POST", address, content=otlp.metrics(found), headers={**headers, "Content-Type": "application/json"}
            ) as answer,
        ):
            return None if answer.is_success else f"HTTP {answer.status_code}"
    except OutboundError as error:
        return error.code
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
        return type(error).__name__
