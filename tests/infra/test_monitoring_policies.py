"""Policies and dashboard as they are written: their metrics exist, their pages exist, silence is judged as it should be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra import filters, hcl
from tests.infra.hcl import Block

METRICS: dict[str, dict[str, Any]] = json.loads((hcl.ROOT / "monitoring" / "metrics.json").read_text("utf-8"))
DASHBOARD = (hcl.ROOT / "monitoring" / "dashboard.json.tftpl").read_text("utf-8")
# The types of gcp.md 3.9, which marks them as unverified.
GOOGLES = {
    "run.googleapis.com/request_count",
    "run.googleapis.com/request_latencies",
    "pubsub.googleapis.com/subscription/dead_letter_message_count",
    "pubsub.googleapis.com/subscription/num_undelivered_messages",
    "firestore.googleapis.com/document/read_count",
    "firestore.googleapis.com/document/write_count",
    "firestore.googleapis.com/document/delete_count",
    # Of uptime checks; not in gcp.md, unverified.
    "monitoring.googleapis.com/uptime_check/check_passed",
}
ALERTS = {
    "sync-success", "oldest-due", "outbox-age", "dead-letters", "notifications", "errors", "cost", "capture-down",
}  # fmt: skip
# A policy for each schedule shares the page of those that are overdue.
PAGES = {alert: alert for alert in ALERTS} | {"silent": "oldest-due"}
POLICIES = {
    block.labels[1].replace("_", "-"): block
    for block in hcl.resources()
    if block.labels[0] == "google_monitoring_alert_policy"
}


def conditions(policy: Block) -> list[Block]:
    """What a policy judges, one block each."""
    return [
        inner for each in policy.inner("conditions") for inner in each.blocks if inner.kind.startswith("condition_")
    ]


def number(condition: Block) -> float | None:
    written = str(condition.attributes["threshold_value"])
    return float(written) if re.fullmatch(r"[0-9.]+", written) else None


def test_there_is_a_policy_for_every_alert() -> None:
    assert set(POLICIES) == set(PAGES)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_policy_says_what_it_means_what_to_do_first_and_leads_to_its_page(name: str) -> None:
    (documentation,) = POLICIES[name].inner("documentation")
    content = documentation.text("content")
    assert "First: `hedgerow " in content
    assert content.endswith(f"${{local.runbooks}}/alert-{PAGES[name]}.md")
    assert (hcl.REPOSITORY / "docs" / "operations" / f"alert-{PAGES[name]}.md").is_file()
    assert POLICIES[name].attributes["notification_channels"] == "${local.told}"
    assert "severity" in POLICIES[name].attributes


def referred(text: str) -> set[str]:
    """Metrics of ours and of Google's that a text names."""
    ours = set(re.findall(r"local\.counted\.([a-z_]+)|metrics\.([a-z_]+)", text))
    return {name for pair in ours for name in pair if name} | set(
        re.findall(r"[a-z]+\.googleapis\.com/(?!user)[a-z_/]+", text)
    )


def test_policies_and_dashboard_name_metrics_that_exist_and_leave_none_out() -> None:
    written = (hcl.ROOT / "monitoring.tf").read_text("utf-8").split("resource ", 1)[1]
    assert referred(written) | referred(DASHBOARD) <= set(METRICS) | GOOGLES | {"scheduled"}
    assert set(METRICS) <= referred(written) | referred(DASHBOARD), "counted for nobody"


def test_the_dashboard_is_json_of_charts_side_by_side() -> None:
    names = {name: metric["name"] for name, metric in METRICS.items()} | {"scheduled": "hedgerow/scheduled"}
    filled = re.sub(r"\$\{metrics\.([a-z_]+)\}", lambda found: names[found[1]], DASHBOARD)
    assert "${" not in filled
    dashboard: dict[str, Any] = json.loads(filled)
    tiles = dashboard["mosaicLayout"]["tiles"]
    places = [(tile["xPos"], tile["yPos"]) for tile in tiles]
    assert len(set(places)) == len(places) >= 8
    for tile in tiles:
        assert tile["xPos"] + tile["width"] <= dashboard["mosaicLayout"]["columns"]
        for series in tile["widget"]["xyChart"]["dataSets"]:
            assert "metric.type=" in series["timeSeriesQuery"]["timeSeriesFilter"]["filter"]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_ratio_is_quiet_without_requests_and_wakes_nobody_for_a_few(name: str) -> None:
    judged = conditions(POLICIES[name])
    for condition in judged:
        if "denominator_filter" in condition.attributes:
            assert condition.text("evaluation_missing_data") == "EVALUATION_MISSING_DATA_INACTIVE"
            sums = [
                dict(each.attributes)
                for kind in ("aggregations", "denominator_aggregations")
                for each in condition.inner(kind)
            ]
            assert sums[0] == sums[1], "a ratio of like and like"
            assert 0 < (number(condition) or 0.2) < 1
            assert POLICIES[name].text("combiner").startswith("AND")
            (least,) = (each for each in judged if "denominator_filter" not in each.attributes)
            assert least.attributes["filter"] == condition.attributes["filter"], (
                "a share, and a least number of the same"
            )


@pytest.mark.parametrize("name", sorted(PAGES))
def test_google_takes_what_is_said_of_missing_data(name: str) -> None:
    # "Conditions setting evaluation_missing_data must have a non-zero duration" is a 400 of its own.
    for condition in conditions(POLICIES[name]):
        assert re.fullmatch(r"[0-9]+s", condition.text("duration"))
        if "evaluation_missing_data" in condition.attributes:
            assert condition.text("duration") != "0s", condition.attributes


@pytest.mark.parametrize("name", sorted(PAGES))
def test_what_was_counted_rings_again_and_silence_lasts(name: str) -> None:
    strategies = [each.attributes["auto_close"] for each in POLICIES[name].inner("alert_strategy")]
    assert strategies == ([] if name == "silent" else ["${local.closes_after}"])


def test_thresholds_lie_on_bounds_and_in_the_units_of_the_lines() -> None:
    (bounds,) = (
        block.attributes["bounds"]
        for block in hcl.module(hcl.ROOT)
        if block.kind == "locals" and "bounds" in block.attributes
    )
    judged = 0
    for policy in POLICIES.values():
        for condition in conditions(policy):
            found = re.fullmatch(r"\$\{local\.counted\.([a-z_]+)\}", str(condition.attributes["filter"]))
            if found is None or not METRICS[found[1]]["value"]:
                continue
            judged += 1
            assert isinstance(bounds, list)
            assert number(condition) in bounds
            assert METRICS[found[1]]["unit"] == "s"
            assert METRICS[found[1]]["value"].endswith("_seconds")
    assert judged == 2


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_ours_and_looks_at_fields_of_a_line(name: str) -> None:
    metric = METRICS[name]
    assert metric["name"] == f"hedgerow/{name}"
    assert metric["description"].endswith(".")
    assert filters.paths(metric["filter"]) <= {"jsonPayload.event", "jsonPayload.state", metric["value"]}
    assert all(field == f"jsonPayload.{label}" for label, field in metric["labels"].items())
    assert not filters.matches(metric["filter"], {"jsonPayload": {}})
