"""OpenTelemetry's metrics as OTLP's JSON, and the headers a receiver wants. Pure.

Ours, because the library's own exporter sends by `requests`: blocking, past the guarded way out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.metrics.export import Metric, MetricsData


def headers_of(text: str) -> dict[str, str]:
    """`name=value,name=value`, values percent-encoded where need be, as OTEL_EXPORTER_OTLP_HEADERS has them."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def metrics(found: MetricsData) -> bytes:
    """The body of a POST to `/v1/metrics`. 64-bit whole numbers are strings, as protobuf's JSON has them."""
    return json.dumps(
        {
            "resourceMetrics": [
                {
                    "resource": {"attributes": _attributes(each.resource.attributes)},
                    "scopeMetrics": [
                        {"scope": {"name": part.scope.name}, "metrics": [_metric(one) for one in part.metrics]}
                        for part in each.scope_metrics
                    ],
                }
                for each in found.resource_metrics
            ]
        },
        separators=(",", ":"),
    ).encode()


def _metric(metric: Metric) -> dict[str, Any]:
    from opentelemetry.sdk.metrics.export import Histogram, Sum

    held = metric.data
    points = {"dataPoints": [_point(point) for point in held.data_points]}
    named = {"name": metric.name, "unit": metric.unit or "", "description": metric.description or ""}
    if isinstance(held, Sum):
        whole = {"aggregationTemporality": int(held.aggregation_temporality), "isMonotonic": held.is_monotonic}
        return {**named, "sum": {**points, **whole}}
    if isinstance(held, Histogram):
        return {**named, "histogram": {**points, "aggregationTemporality": int(held.aggregation_temporality)}}
    return {**named, "gauge": points}


def _point(point: Any) -> dict[str, Any]:
    """A point of any kind: which one it is, its fields say."""
    common: dict[str, Any] = {
        "attributes": _attributes(point.attributes or {}),
        "timeUnixNano": str(point.time_unix_nano),
    }
    if point.start_time_unix_nano is not None:
        common["startTimeUnixNano"] = str(point.start_time_unix_nano)
    if hasattr(point, "bucket_counts"):
        return {
            **common,
            "count": str(point.count),
            "sum": point.sum,
            "min": point.min,
            "max": point.max,
            "bucketCounts": [str(count) for count in point.bucket_counts],
            "explicitBounds": list(point.explicit_bounds),
        }
    if isinstance(point.value, int):
        return {**common, "asInt": str(point.value)}
    return {**common, "asDouble": point.value}


def _attributes(attributes: Mapping[str, object]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": str(value)}} for name, value in attributes.items()]
