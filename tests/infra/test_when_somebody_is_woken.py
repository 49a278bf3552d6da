"""What each policy rings at, as its page says: of what, over how much, for how long, how it is added up."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infra.terraform_program import needs_terraform
from tests.infra.twin import Twin

pytestmark = needs_terraform
SUM = ("ALIGN_DELTA", "REDUCE_SUM")
OLDEST = ("ALIGN_PERCENTILE_99", "REDUCE_MAX")
# What is measured, above what, for how long, over what, how it is put together, by what.
WAKES: dict[str, tuple[str, list[tuple[str, float, str, str, tuple[str, str], list[str]]]]] = {
    "sync-success": (
        "AND",
        [("syncs_failed", 0.2, "60s", "1800s", SUM, []), ("syncs_failed", 2, "60s", "1800s", SUM, [])],
    ),
    "oldest-due": ("OR", [("oldest_due", 1_800, "600s", "300s", OLDEST, ["metric.labels.tier"])]),
    "outbox-age": ("OR", [("outbox_age", 900, "300s", "60s", OLDEST, [])]),
    "dead-letters": (
        "OR",
        [("messages_dead", 0, "0s", "300s", SUM, []), ("dead_letter_message_count", 0, "0s", "300s", SUM, [])],
    ),
    "notifications": ("OR", [("notifications_failed", 2, "0s", "3600s", SUM, [])]),
    "errors": (
        # One function's share, and the same one's number.
        "AND_WITH_MATCHING_RESOURCE",
        [
            ("request_count", 0.05, "600s", "600s", SUM, ["resource.labels.service_name"]),
            ("request_count", 5, "60s", "600s", SUM, ["resource.labels.service_name"]),
        ],
    ),
    "cost": (
        "OR",
        [
            ("read_count", 11, "0s", "3600s", SUM, []),
            ("write_count", 22, "0s", "3600s", SUM, []),
            ("request_count", 33, "0s", "3600s", SUM, []),
        ],
    ),
    "capture-down": (
        "OR",
        [
            (
                "check_passed", 1, "120s", "120s",
                ("ALIGN_NEXT_OLDER", "REDUCE_COUNT_FALSE"), ["resource.labels.host"],
            )
        ],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    """Costs with limits that no two share, and channels that were made elsewhere beside an address."""
    return Twin(
        tmp_path_factory.mktemp("woken"),
        cost_reads_per_hour=11,
        cost_writes_per_hour=22,
        cost_requests_per_hour=33,
        alert_emails=["oncall@example.com"],
        alert_channels=["projects/my-project/notificationChannels/1"],
    )


def judged(policy: Any) -> list[Any]:
    return [each for condition in policy["conditions"] for each in condition["condition_threshold"]]


def test_a_policy_rings_at_what_its_page_says(twin: Twin) -> None:
    policies = twin.by_key("google_monitoring_alert_policy", "alert")
    assert set(policies) == set(WAKES)
    for name, policy in policies.items():
        combiner, wanted = WAKES[name]
        found = []
        for condition in judged(policy):
            assert condition["comparison"] == "COMPARISON_GT"
            (sums,) = condition["aggregations"]
            (metric,) = re.findall(r'metric\.type="[^"]*?([a-z_]+)"', condition["filter"])
            how = (sums["per_series_aligner"], sums["cross_series_reducer"])
            by = sums["group_by_fields"] or []
            found.append(
                (metric, condition["threshold_value"], condition["duration"], sums["alignment_period"], how, by)
            )
        assert found == wanted, name
        assert policy["combiner"] == combiner, name


def test_errors_are_a_servers_out_of_all_requests_and_failures_out_of_all_that_ended(twin: Twin) -> None:
    policies = twin.by_key("google_monitoring_alert_policy", "alert")
    errors, few = judged(policies["errors"])
    requests = errors["denominator_filter"]
    assert "response_code" not in requests
    assert errors["filter"] == few["filter"] == f'{requests} AND metric.labels.response_code_class="5xx"'
    syncs, _ = judged(policies["sync-success"])
    assert syncs["denominator_filter"].endswith('/user/hedgerow/syncs_ended"')


def test_addresses_and_channels_made_elsewhere_are_both_told(twin: Twin) -> None:
    for policy in twin.of("google_monitoring_alert_policy"):
        assert len(policy["notification_channels"]) == 2
        assert "projects/my-project/notificationChannels/1" in policy["notification_channels"]


def test_what_is_called_to_see_whether_capture_is_up_touches_nothing(twin: Twin) -> None:
    (check,) = twin.of("google_monitoring_uptime_check_config")
    (call,) = check["http_check"]
    assert (call["path"], call["port"], call["use_ssl"], call["validate_ssl"]) == ("/health", 443, True, True)


def test_lines_are_counted_of_the_functions_alone(twin: Twin) -> None:
    for metric in twin.of("google_logging_metric"):
        assert metric["filter"].startswith('resource.type="cloud_run_revision" AND ')
