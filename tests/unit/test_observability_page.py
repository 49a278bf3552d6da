"""docs/observability.md tells every metric there is."""

from __future__ import annotations

from pathlib import Path

from hedgerow.telemetry import INSTRUMENTS, Instrument

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observability.md"


def row(metric: Instrument) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | `{metric.unit}` | {labels} | {metric.description} |"


def test_the_page_has_a_row_for_each_metric_and_no_other() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `hedgerow.")]
    assert rows == [row(metric) for metric in INSTRUMENTS]


def test_labels_are_few() -> None:
    assert all(len(metric.labels) <= 2 for metric in INSTRUMENTS)
