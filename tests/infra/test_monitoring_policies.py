"""Policies as they come to, dashboard as it is written: metrics and pages exist, silence is judged as it should be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra import filters, hcl
from tests.infra.terraform_program import needs_terraform
from tests.infra.twin import Twin

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
OURS = re.compile(r'metric\.type="logging\.googleapis\.com/user/hedgerow/([a-z_]+)"')


@pytest.fixture
def policies(small: Twin) -> dict[str, Any]:
    """Every policy by the name of its page, those of single schedules by the name of their job."""
    alerts = small.by_key("google_monitoring_alert_policy", "alert")
    silent = small.by_key("google_monitoring_alert_policy", "silent")
    assert set(alerts) == ALERTS
    assert silent
    return alerts | silent


def conditions(policy: Any) -> list[Any]:
    """What a policy judges."""
    return [each for condition in policy["conditions"] for each in condition["condition_threshold"]]


@needs_terraform
def test_a_policy_says_what_it_means_what_to_do_first_and_leads_to_its_page(policies: dict[str, Any]) -> None:
    for name, policy in policies.items():
        # A policy for each schedule shares the page of those that are overdue.
        page = f"alert-{name if name in ALERTS else 'oldest-due'}.md"
        content = policy["documentation"][0]["content"]
        assert "First: `hedgerow " in content
        assert content.endswith(f"docs/operations/{page}")
        assert (hcl.REPOSITORY / "docs" / "operations" / page).is_file()
        assert policy["severity"] in {"CRITICAL", "ERROR", "WARNING"}


@needs_terraform
def test_every_policy_tells_whoever_is_to_be_told(hosted: Twin) -> None:
    policies = hosted.of("google_monitoring_alert_policy")
    assert hosted.of("google_monitoring_notification_channel")
    assert [len(policy["notification_channels"]) for policy in policies] == [1] * len(policies)


def referred(text: str) -> set[str]:
    """Metrics of ours and of Google's that a text names."""
    ours = set(re.findall(r"local\.counted\.([a-z_]+)|metrics\.([a-z_]+)", text))
    return {name for pair in ours for name in pair if name} | set(
        re.findall(r"[a-z]+\.googleapis\.com/(?!user)[a-z_/]+", text)
    )


def test_policies_and_dashboard_name_metrics_that_exist_and_leave_none_out() -> None:
    written = (hcl.ROOT / "alerts.tf").read_text("utf-8")
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


@needs_terraform
def test_a_ratio_is_quiet_without_requests_and_wakes_nobody_for_a_few(policies: dict[str, Any]) -> None:
    ratios = 0
    for policy in policies.values():
        judged = conditions(policy)
        for condition in judged:
            if not condition.get("denominator_filter"):
                continue
            ratios += 1
            assert condition["evaluation_missing_data"] == "EVALUATION_MISSING_DATA_INACTIVE"
            assert condition["aggregations"] == condition["denominator_aggregations"], "a ratio of like and like"
            assert 0 < condition["threshold_value"] < 1
            assert policy["combiner"].startswith("AND")
            (least,) = (each for each in judged if not each["denominator_filter"])
            assert least["filter"] == condition["filter"], "a share, and a least number of the same"
            assert least["denominator_aggregations"] == []
    assert ratios == 2


@needs_terraform
def test_google_takes_what_is_said_of_missing_data(policies: dict[str, Any]) -> None:
    # "Conditions setting evaluation_missing_data must have a non-zero duration" is a 400 of its own.
    for policy in policies.values():
        for condition in conditions(policy):
            assert re.fullmatch(r"[0-9]+s", condition["duration"])
            if condition["evaluation_missing_data"]:
                assert condition["duration"] != "0s", condition


@needs_terraform
def test_what_was_counted_rings_again_and_silence_lasts(policies: dict[str, Any]) -> None:
    for name, policy in policies.items():
        closes = [each["auto_close"] for each in policy.get("alert_strategy", ())]
        assert closes == (["3600s"] if name in ALERTS else [])


@needs_terraform
def test_thresholds_lie_on_bounds_and_in_the_units_of_the_lines(policies: dict[str, Any]) -> None:
    (bounds,) = (
        block.attributes["bounds"]
        for block in hcl.module(hcl.ROOT)
        if block.kind == "locals" and "bounds" in block.attributes
    )
    assert isinstance(bounds, list)
    judged = [
        (METRICS[found[1]], condition)
        for name, policy in policies.items()
        for condition in conditions(policy)
        if name in ALERTS and (found := OURS.search(condition["filter"])) and METRICS[found[1]]["value"]
    ]
    assert len(judged) == 2
    for metric, condition in judged:
        assert condition["threshold_value"] in bounds
        assert metric["unit"] == "s"
        assert metric["value"].endswith("_seconds")


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_ours_and_looks_at_fields_of_a_line(name: str) -> None:
    metric = METRICS[name]
    assert metric["name"] == f"hedgerow/{name}"
    assert metric["description"].endswith(".")
    assert filters.paths(metric["filter"]) <= {"jsonPayload.event", "jsonPayload.state", metric["value"]}
    assert all(field == f"jsonPayload.{label}" for label, field in metric["labels"].items())
    assert not filters.matches(metric["filter"], {"jsonPayload": {}})
