"""The order of an apply, told by Terraform itself: what somebody still uses is neither missing nor taken away before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform_program import needs_terraform
from tests.infra.twin import Twin

pytestmark = needs_terraform
INDEX = "sync_runs,connection_id ASCENDING,created_at DESCENDING"
RIGHT = "retention_tick delete"
DOORS = (
    "google_compute_global_forwarding_rule__edge",
    "google_compute_target_https_proxy__edge",
    "google_compute_url_map__edge",
)
FUNCTIONS = "google_cloudfunctions2_function__target"
TOPIC = "sync_connection run-ended"


@dataclass(frozen=True)
class Story:
    """The steps of four applies, one after the other."""

    first: tuple[str, ...]
    less: tuple[str, ...]
    """A domain, no network, one address fewer, a release that needs less."""
    again: tuple[str, ...]
    """A function that failed to start is made anew; the vault is sealed, and each family stands alone."""
    back: tuple[str, ...]
    """Neither is any more, as docs/deploying.md has it done."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("changed")
    twin = Twin(folder, private_egress=True, alert_emails=["ada@example.com", "bob@example.com"])
    first = twin.steps
    _release_that_needs_less(folder)
    hosted: dict[str, Any] = {"host": "ph.example.com", "alert_emails": ["ada@example.com"]}
    twin.change(**hosted)
    less = twin.steps
    again = f'module.function["capture"].terraform_data.{FUNCTIONS}'
    twin.change(replaced=(again,), vault="sealed", separate_families=True, **hosted)
    anew = twin.steps
    twin.change(replaced=tuple(f"terraform_data.{each}[0]" for each in DOORS), **hosted)
    return Story(first, less, anew, twin.steps)


def _release_that_needs_less(folder: Path) -> None:
    (folder / "dist" / "functions.zip").write_bytes(b"another zip")
    manifest = folder / "functions" / "manifest.json"
    read = json.loads(manifest.read_text("utf-8"))
    read["retention_tick"]["rights"]["store"].remove("delete")
    read["sync_connection"]["rights"]["publish"].remove("run-ended")
    manifest.write_text(json.dumps(read), "utf-8")
    indexes = folder / "infra" / "terraform" / "firestore" / "indexes.json"
    declared = json.loads(indexes.read_text("utf-8"))
    declared["composite"] = [
        each
        for each in declared["composite"]
        if [each["collection"], *(field["path"] for field in each["fields"])]
        != ["sync_runs", "connection_id", "created_at"]
    ]
    declared["single"] = [each for each in declared["single"] if each["path"] != "kept_at"]
    indexes.write_text(json.dumps(declared), "utf-8")


def places(steps: tuple[str, ...], begins: str) -> list[int]:
    found = [place for place, step in enumerate(steps) if step.startswith(begins)]
    assert found, (begins, steps)
    return found


def before(steps: tuple[str, ...], first: str, then: str) -> bool:
    return max(places(steps, first)) < min(places(steps, then))


@pytest.mark.parametrize(
    "needed",
    [
        "google_project_iam_member__build",
        "time_sleep__rights",
        "google_project_iam_member__store",
        "google_project_iam_member__secret",
        "google_pubsub_topic_iam_member__publisher",
        "google_secret_manager_secret_iam_member__reader",
        "google_firestore_index__composite",
        "google_firestore_field__single",
        "google_compute_router_nat__egress",
    ],
)
def test_a_function_starts_when_what_it_needs_is_there(story: Story, needed: str) -> None:
    assert before(story.first, f"Made {needed}", f"Made {FUNCTIONS}")


@pytest.mark.parametrize(
    "taken",
    [
        f'google_project_iam_member__store["{RIGHT}"]',
        f'google_pubsub_topic_iam_member__publisher["{TOPIC}"]',
        f'google_firestore_index__composite["{INDEX}"]',
        'google_firestore_field__single["last_answers,kept_at"]',
        "google_compute_router_nat__egress",
        "google_compute_subnetwork__egress",
    ],
)
def test_what_the_release_before_used_goes_after_its_functions(story: Story, taken: str) -> None:
    assert before(story.less, f"Changed {FUNCTIONS}", f"Taken {taken}")


def test_nobody_is_called_whom_the_caller_may_not_call_yet(
    story: Story,
) -> None:
    invoker = "Made google_cloud_run_v2_service_iam_member__invoker"
    assert before(story.first, invoker, "Made google_cloud_scheduler_job__tick")
    assert before(story.first, invoker, "Made google_pubsub_subscription__push")


def test_pubsubs_agent_gets_its_rights_once_it_was_needed(story: Story) -> None:
    for binding in ("google_pubsub_topic_iam_member__dead_publisher", "google_pubsub_subscription_iam_member__dead"):
        assert before(story.first, "Made google_pubsub_subscription__push", f"Made {binding}")


def test_policies_let_go_of_a_channel_before_it_is_deleted(
    story: Story,
) -> None:
    gone = 'Taken google_monitoring_notification_channel__email["bob@example.com"]'
    assert before(story.less, "Changed google_monitoring_alert_policy__silent", gone)


def test_no_policy_asks_an_uptime_check_that_is_deleted(
    story: Story,
) -> None:
    check = "google_monitoring_uptime_check_config__capture"
    judging = "google_monitoring_alert_policy__"
    steps = tuple(step for step in story.less if "__silent" not in step)
    assert before(steps, f"Taken {judging}", f"Taken {check}")
    assert before(steps, f"Made {check}", f"Made {judging}")


def test_policies_wait_for_the_metrics_they_judge(story: Story) -> None:
    made = story.first
    assert before(made, "Made google_logging_metric__", "Made time_sleep__metrics")
    assert before(made, "Made time_sleep__metrics", "Made google_monitoring_alert_policy__")


def test_a_function_that_failed_to_start_is_taken_away_before_it_is_made_again(story: Story) -> None:
    """Its name is taken: were the new one made first, Google would answer that it exists."""
    assert before(story.again, f"Taken {FUNCTIONS}", f"Made {FUNCTIONS}")


def test_a_key_is_read_until_no_function_asks_for_it(story: Story) -> None:
    reader = 'google_secret_manager_secret_iam_member__reader["notify HEDGEROW_SEALING_KEY"]'
    assert before(story.again, f"Made {reader}", f"Changed {FUNCTIONS}")
    assert before(story.back, f"Changed {FUNCTIONS}", f"Taken {reader}")


def test_families_that_stood_alone_go_when_no_path_leads_to_them(story: Story) -> None:
    """Google deletes no back-end that a map of paths names: map, proxy and rule are made anew, on the same address."""
    family = 'google_compute_backend_service__function["connect"]'
    for door, behind in pairwise((*DOORS, family)):
        assert before(story.back, f"Taken {door}", f"Taken {behind}")
    assert before(story.back, f"Taken {family}", f"Made {DOORS[-1]}")
    assert not [step for step in story.back if "google_compute_global_address" in step]


def test_a_second_apply_changes_nothing_and_a_new_zip_the_functions_alone(tmp_path: Path) -> None:
    """As docs/operations/upgrade-and-rollback.md says of a roll-back of the code."""
    twin = Twin(tmp_path, host="ph.example.com", private_egress=True)
    variables: dict[str, Any] = {"host": "ph.example.com", "private_egress": True}
    twin.change(**variables)
    assert twin.steps == ()
    (tmp_path / "dist" / "functions.zip").write_bytes(b"another zip")
    twin.change(**variables)
    # The object's name, a hash, is another one: the provider makes it anew, the stand-in changes it.
    assert set(twin.steps) == {f"Changed {FUNCTIONS}", "Changed google_storage_bucket_object__source"}
