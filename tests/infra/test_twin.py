from __future__ import annotations

import base64
import json
import re

from hedgerow.settings import Settings
from tests.infra.hcl import ROOT
from tests.infra.terraform_program import manifest, needs_terraform
from tests.infra.twin import PROJECT_NUMBER, Twin

pytestmark = needs_terraform
ACCOUNT = "hedgerow-%s@my-project.iam.gserviceaccount.com"
PUSHER, SCHEDULER = ACCOUNT % "by-pubsub", ACCOUNT % "by-scheduler"


def address(target: str) -> str:
    return f"https://hedgerow-{target.replace('_', '-')}-hash.a.run.app"


def test_every_function_runs_as_itself_with_settings_the_code_knows(small: Twin) -> None:
    functions = small.by_key("google_cloudfunctions2_function")
    assert set(functions) == {name for name, entry in manifest().items() if entry.get("callers") != "api"}
    known = {f"HEDGEROW_{name.upper()}" for name in Settings.model_fields} | {
        "PYTHONPATH",
        "LOG_EXECUTION_ID",
        "PYDANTIC_DISABLE_PLUGINS",
    }
    for key, function in functions.items():
        target = key
        (service,), (build,) = function["service_config"], function["build_config"]
        assert service["service_account_email"] == ACCOUNT % target.replace("_", "-")
        assert build["entry_point"] == target
        assert build["environment_variables"] == {"GOOGLE_FUNCTION_SOURCE": manifest()[target]["source"]}
        assert service["environment_variables"].keys() <= known
        assert service["environment_variables"]["LOG_EXECUTION_ID"] == "false"
        public = manifest()[target].get("callers") == "public"
        assert service["ingress_settings"] == ("ALLOW_ALL" if public else "ALLOW_INTERNAL_ONLY")


def test_the_environment_is_one_the_code_starts_with(small: Twin, whole: Twin) -> None:
    for twin, public_url in (
        (small, f"https://hedgerow-api-{PROJECT_NUMBER}.europe-west1.run.app"),
        (whole, "https://ph.example.com"),
    ):
        (service,) = twin.by_key("google_cloudfunctions2_function")["notify"]["service_config"]
        values = {
            name.removeprefix("HEDGEROW_").lower(): value
            for name, value in service["environment_variables"].items()
            if name.startswith("HEDGEROW_")
        }
        read = Settings(**values)
        assert (read.store, read.queue, read.identity) == ("firestore", "pubsub", "claims")
        assert read.project == "my-project"
        assert read.public_url == public_url
        assert set(read.invoker_emails) == {SCHEDULER, PUSHER}


def test_secrets_are_handed_only_to_functions_whose_code_asks(small: Twin, whole: Twin) -> None:
    for twin, sealed in ((small, False), (whole, True)):
        for key, function in twin.by_key("google_cloudfunctions2_function").items():
            rights = manifest()[key]["rights"]
            wanted = {f"HEDGEROW_{name.upper()}" for name in rights.get("settings", ()) if name == "admin_key"}
            wanted |= {"HEDGEROW_SEALING_KEY"} if sealed and rights["secrets"].keys() & {"read", "write"} else set()
            given = function["service_config"][0]["secret_environment_variables"]
            assert {each["key"] for each in given} == wanted, key
            assert all(each["secret"].startswith("hedgerow-") for each in given)
            # The one that was made; the sealing key's is told, and no version made later ever becomes the key.
            assert {each["key"]: each["version"] for each in given}.items() <= {
                ("HEDGEROW_ADMIN_KEY", "7"),
                ("HEDGEROW_SEALING_KEY", "1"),
            }


def test_jobs_call_their_target_with_a_token_for_it(small: Twin) -> None:
    jobs = small.by_key("google_cloud_scheduler_job")
    assert jobs
    for key, job in jobs.items():
        (call,) = job["http_target"]
        (token,) = call["oidc_token"]
        body = json.loads(base64.b64decode(call["body"]))
        (target,) = (
            name
            for name, entry in manifest().items()
            for each in entry.get("schedules", ())
            if each["cron"] == job["schedule"] and each["body"] == body and name.replace("_", "-") in key
        )
        assert call["uri"] == address(target) + "/"
        assert token == {"audience": address(target), "service_account_email": SCHEDULER}
        assert 15 <= int(job["attempt_deadline"].removesuffix("s")) <= 1800


def test_messages_are_pushed_to_their_target_and_the_dead_end_at_one_topic(small: Twin) -> None:
    subscriptions = small.by_key("google_pubsub_subscription")
    topics = small.by_key("google_pubsub_topic")
    heard = {entry["topic"]: name for name, entry in manifest().items() if entry["trigger"] == "topic"}
    assert len(subscriptions) == len(topics) == len(heard)
    for topic, target in heard.items():
        subscription = subscriptions[topic]
        assert subscription["name"] == topics[topic]["name"] == f"hedgerow-{topic}"
        assert subscription["topic"] == topics[topic]["id"]
        (push,) = subscription["push_config"]
        assert push["push_endpoint"] == address(target) + "/"
        assert push["oidc_token"] == [{"audience": address(target), "service_account_email": PUSHER}]
        dead = [{"dead_letter_topic": topics["dead"]["id"], "max_delivery_attempts": 10}]
        assert subscription["dead_letter_policy"] == ([] if topic == "dead" else dead)


def test_pubsubs_agent_reads_what_it_moves_and_writes_to_the_dead(small: Twin) -> None:
    agent = f"serviceAccount:service-{PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
    moved = small.of("google_pubsub_subscription_iam_member")
    assert {each["subscription"] for each in moved} == {
        each["name"] for each in small.of("google_pubsub_subscription") if each["dead_letter_policy"]
    }
    assert {each["member"] for each in moved} == {agent}
    publishers = small.of("google_pubsub_topic_iam_member")
    assert [each["topic"] for each in publishers if each["member"] == agent] == ["hedgerow-dead"]


def test_everybody_may_call_the_public_functions_and_google_alone_the_others(small: Twin, whole: Twin) -> None:
    for twin in (small, whole):
        for key, invoker in twin.by_key("google_cloud_run_v2_service_iam_member").items():
            entry = manifest()[key]
            member = {
                "http": "allUsers",
                "schedule": f"serviceAccount:{SCHEDULER}",
                "topic": f"serviceAccount:{PUSHER}",
            }
            assert invoker["role"] == "roles/run.invoker"
            assert invoker["member"] == member[entry["trigger"]], key


def test_firestore_gets_every_declared_index_and_nothing_by_itself(small: Twin, whole: Twin) -> None:
    declared = json.loads((ROOT / "firestore" / "indexes.json").read_text("utf-8"))
    composite = small.of("google_firestore_index")
    assert sorted(
        (index["collection"], [(field["field_path"], field["order"]) for field in index["fields"]])
        for index in composite
    ) == sorted(
        (index["collection"], [(field["path"], field["order"]) for field in index["fields"]])
        for index in declared["composite"]
    )
    fields = small.of("google_firestore_field")
    off = {field["collection"] for field in fields if field["field"] == "*" and field["index_config"] == [{}]}
    assert off == set(declared["collections"])
    single = {
        (field["collection"], field["field"]): (
            [each["order"] for each in field["index_config"][0]["indexes"]],
            bool(field["ttl_config"]),
        )
        for field in fields
        if field["field"] != "*"
    }
    assert single == {
        (each["collection"], each["path"]): (each["orders"], each["expires"]) for each in declared["single"]
    }
    (database,) = whole.of("google_firestore_database")
    assert (database["location_id"], database["delete_protection_state"]) == ("eur3", "DELETE_PROTECTION_DISABLED")
    (kept,) = small.of("google_firestore_database")
    assert (kept["location_id"], kept["delete_protection_state"]) == ("europe-west1", "DELETE_PROTECTION_ENABLED")


def test_names_fit_googles_bounds(whole: Twin) -> None:
    for account in whole.of("google_service_account"):
        assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account["account_id"]), account
    for function in whole.of("google_cloudfunctions2_function"):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", function["name"])
    for role in whole.of("google_project_iam_custom_role"):
        assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", role["role_id"])
    for kind in ("google_cloud_scheduler_job", "google_pubsub_topic", "google_pubsub_subscription"):
        for each in whole.of(kind):
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{2,254}", each["name"]), each["name"]
