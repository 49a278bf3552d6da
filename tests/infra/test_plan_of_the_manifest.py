from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform_program import Plan, manifest, needs_terraform

pytestmark = needs_terraform


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def small(plan: Plan) -> Any:
    return plan.values()


@pytest.fixture(scope="module")
def separate(plan: Plan) -> Any:
    return plan.values(separate_families=True, min_instances={"capture": 2}, max_instances={"sync_connection": 40})


def test_the_small_stack_leaves_the_families_out(small: Any) -> None:
    entries = manifest()
    assert set(small["functions"]) == {name for name, entry in entries.items() if entry.get("callers") != "api"}
    assert {name for name, function in small["functions"].items() if function["public"]} == {"api", "capture"}


def test_separate_families_are_all_of_the_manifest(separate: Any) -> None:
    assert set(separate["functions"]) == set(manifest())


def test_every_function_is_the_manifests(separate: Any) -> None:
    for name, entry in manifest().items():
        function = separate["functions"][name]
        assert function["run_name"] == "hedgerow-" + name.replace("_", "-")
        assert {key: function[key] for key in ("source", "trigger", "memory", "cpu", "timeout", "concurrency")} == {
            key: entry[key] for key in ("source", "trigger", "memory", "cpu", "timeout", "concurrency")
        }
        assert function["public"] == (entry["trigger"] == "http")
        assert {key: value for key, value in function["rights"].items() if value} == {
            key: value for key, value in entry.get("rights", {}).items() if value
        }


def test_instances_are_the_variables_or_the_manifests_or_enough_for_the_jobs(small: Any, separate: Any) -> None:
    assert separate["functions"]["capture"]["min_instances"] == 2
    assert separate["functions"]["sync_connection"]["max_instances"] == 40
    for name, entry in manifest().items():
        if name in small["functions"]:
            most = small["functions"][name]["max_instances"]
            assert most == entry.get("max_instances", most)
            assert most > len(entry.get("schedules", ()))


def test_every_schedule_is_one_job(small: Any) -> None:
    wanted = {
        "-".join(["hedgerow", name.replace("_", "-"), *filter(None, [each["body"].get("tier")])]): (
            name,
            each["cron"],
            each["body"],
        )
        for name, entry in manifest().items()
        for each in entry.get("schedules", ())
    }
    jobs = {name: (job["target"], job["cron"], job["body"]) for name, job in small["schedules"].items()}
    assert jobs == wanted
    for job in small["schedules"].values():
        assert manifest()[job["target"]]["timeout"] <= job["deadline_seconds"] <= 1800
        assert job["key"] == " ".join(job["body"].values()), "as hedgerow/entrypoint.py joins them"


@pytest.mark.parametrize(
    ("cron", "minutes"),
    [
        ("* * * * *", 30),
        ("*/5 * * * *", 30),
        ("*/20 * * * *", 55),
        ("17 * * * *", 135),
        ("0,30 * * * *", 135),
        ("5 */6 * * *", 735),
        ("5 2 * * *", None),
        ("0 8 * * 1", None),
    ],
)
def test_a_schedule_is_missed_after_two_calls_that_did_not_come(plan: Plan, cron: str, minutes: int | None) -> None:
    whole = manifest()
    whole["alerts_tick"]["schedules"] = [{"cron": cron, "body": {}}]
    job = plan.values(manifest=whole)["schedules"]["hedgerow-alerts-tick"]
    assert job["silent_seconds"] == (None if minutes is None else minutes * 60)


def test_every_topic_has_one_subscription_and_only_the_dead_are_kept_for_good(small: Any) -> None:
    heard = {entry["topic"]: name for name, entry in manifest().items() if entry["trigger"] == "topic"}
    assert {topic: each["target"] for topic, each in small["subscriptions"].items()} == heard
    for topic, subscription in small["subscriptions"].items():
        assert manifest()[subscription["target"]]["timeout"] <= subscription["ack_seconds"] <= 600
        assert subscription["gives_up"] == (topic != "dead")


def test_the_topics_of_the_messages_are_heard(small: Any) -> None:
    from hedgerow import messages

    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, messages.Message)]
    topics = {kind.topic for kind in kinds if kind is not messages.Message}
    assert topics
    assert topics <= set(small["subscriptions"])


def test_a_path_fits_the_load_balancers_templates(separate: Any) -> None:
    # Google's bounds of a path template: 255 characters, five placeholders.
    for route in separate["routes"]:
        assert len(route["path"]) <= 255
        assert route["path"].count("{") <= 5


def test_the_small_stack_routes_captures_paths_and_what_they_would_swallow(small: Any) -> None:
    assert {(route["path"], route["target"]) for route in small["routes"]} == {
        ("/v1/capture/unknown-tokens", "api"),
        ("/v1/capture/{operation}", "capture"),
    }


def test_the_zip_is_named_by_its_bytes(plan: Plan, small: Any) -> None:
    import hashlib

    assert small["bundle"]["object"] == f"functions-{hashlib.sha256(plan.bundle.read_bytes()).hexdigest()}.zip"
    assert Path(small["bundle"]["file"]).samefile(plan.bundle)
