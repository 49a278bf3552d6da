"""Each schedule of the manifest is missed by itself: its own lines count for its policy, and no other's do."""

from __future__ import annotations

import json
import re
from typing import Any

from functions.api.routes import function, targets
from tests.infra import filters
from tests.infra.calling import Line, called
from tests.infra.terraform_program import needs_terraform
from tests.infra.twin import Twin
from tests.stage import staged

pytestmark = needs_terraform
OF_GOOGLE = re.compile(r'metric\.labels\.(\w+)="([^"]*)"')


def counted(metric: Any, lines: list[Line]) -> list[dict[str, object]]:
    """The labels of each line that the metric counts."""
    entries = [{"jsonPayload": line, "resource": {"type": "cloud_run_revision"}} for line in lines]
    fields = {label: field[len("EXTRACT(") : -1] for label, field in metric["label_extractors"].items()}
    return [
        {label: filters.value_at(field, entry) for label, field in fields.items()}
        for entry in entries
        if filters.matches(metric["filter"], entry)
    ]


async def test_the_call_of_a_schedule_is_seen_by_its_own_policy_alone(small: Twin) -> None:
    metric = small.resources["terraform_data.google_logging_metric__scheduled"]
    wanted = {
        name: dict(OF_GOOGLE.findall(policy["conditions"][0]["condition_threshold"][0]["filter"]))
        for name, policy in small.by_key("google_monitoring_alert_policy", "silent").items()
    }
    assert set(wanted) == set(small.by_key("google_cloud_scheduler_job")), "one for each job"
    async with staged() as stage:
        for target in targets().values():
            for schedule in target.schedules:
                body = json.dumps(schedule.body).encode()
                (labels,) = counted(metric, await called(stage.app, function(target), body))
                seen = [name for name, labelled in wanted.items() if labelled.items() <= labels.items()]
                job = "-".join(["hedgerow", target.name.replace("_", "-"), *schedule.body.values()])
                assert seen == [job]


async def test_a_call_that_fails_is_no_call(small: Twin) -> None:
    metric = small.resources["terraform_data.google_logging_metric__scheduled"]
    async with staged() as stage:
        lines = await called(stage.app, function(targets()["sync_tick"]), b'{"tier": "gold"}')
    assert any(line["event"] == "target.failed" for line in lines)
    assert counted(metric, lines) == []


def test_a_policy_waits_longer_than_two_calls_take_and_rings_with_or_without_zeros(small: Twin) -> None:
    for name, policy in small.by_key("google_monitoring_alert_policy", "silent").items():
        (condition,) = policy["conditions"][0]["condition_threshold"]
        (sums,) = condition["aggregations"]
        assert int(sums["alignment_period"].removesuffix("s")) >= (8_100 if "retention" in name else 1_800)
        assert (condition["comparison"], condition["threshold_value"]) == ("COMPARISON_LT", 1)
        assert condition["evaluation_missing_data"] == "EVALUATION_MISSING_DATA_ACTIVE"
        assert name in policy["display_name"]
