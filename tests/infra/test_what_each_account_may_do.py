"""Roles and their bounds as Terraform comes to them: of functions, of Google's own hands, and of people."""

from __future__ import annotations

from typing import Any

from tests.infra import hcl
from tests.infra.terraform_program import manifest, needs_terraform
from tests.infra.twin import Twin

ACCOUNT = "serviceAccount:hedgerow-%s@my-project.iam.gserviceaccount.com"
LOOKING = {
    "roles/datastore.viewer", "roles/cloudscheduler.viewer", "roles/pubsub.viewer", "roles/run.viewer",
    "roles/monitoring.viewer", "roles/logging.viewer", "roles/secretmanager.viewer",
}  # fmt: skip


def roles(twin: Twin, kind: str) -> set[str]:
    return {each["role"] for each in twin.of(kind)}


def of(kind: str, name: str) -> Any:
    (block,) = (block for block in hcl.resources() if [*block.labels] == [kind, name])
    return block


@needs_terraform
def test_a_secret_is_made_only_by_functions_that_write_some(small: Twin) -> None:
    makers = small.by_key("google_project_iam_member", "secret_creator")
    assert set(makers) == {
        name
        for name, entry in manifest().items()
        if entry.get("callers") != "api" and "write" in entry["rights"]["secrets"]
    }
    assert all(maker["member"] == ACCOUNT % name.replace("_", "-") for name, maker in makers.items())


@needs_terraform
def test_what_is_granted_of_one_thing_is_the_least_role_for_it(small: Twin, whole: Twin) -> None:
    for twin in (small, whole):
        assert roles(twin, "google_secret_manager_secret_iam_member") == {"roles/secretmanager.secretAccessor"}
        assert roles(twin, "google_pubsub_topic_iam_member") == {"roles/pubsub.publisher"}
        assert roles(twin, "google_pubsub_subscription_iam_member") == {"roles/pubsub.subscriber"}
        assert roles(twin, "google_cloud_run_v2_service_iam_member") == {"roles/run.invoker"}


@needs_terraform
def test_of_googles_roles_people_who_mend_have_one_that_writes_and_functions_none(small: Twin, whole: Twin) -> None:
    of_google: dict[str, set[str]] = {}
    for twin in (small, whole):
        for each in twin.of("google_project_iam_member"):
            if each["role"].startswith("roles/"):
                of_google.setdefault(each["member"], set()).add(each["role"])
    assert of_google.pop(ACCOUNT % "build") == {"roles/cloudbuild.builds.builder"}
    assert of_google.pop("user:bob@example.com") == LOOKING
    assert of_google.pop("user:ada@example.com") - LOOKING == {"roles/datastore.user"}
    assert of_google == {}


def test_people_who_mend_read_the_secrets_of_connections_and_no_others() -> None:
    block = of("google_project_iam_member", "operator_secrets")
    (condition,) = block.inner("condition")
    wanted = 'resource.name.startsWith("${local.secrets_begin}con_")'
    assert str(condition.attributes["expression"]).replace('\\"', '"').strip('"') == wanted


@needs_terraform
def test_conditions_topics_and_jobs_have_the_names_that_the_code_is_told(small: Twin) -> None:
    (service,) = small.by_key("google_cloudfunctions2_function")["api"]["service_config"]
    told = service["environment_variables"]
    begin = f'resource.name.startsWith("projects/123456789012/secrets/{told["HEDGEROW_SECRET_PREFIX"]}'
    granted = small.by_key("google_project_iam_member", "secret")
    conditions = [each["condition"][0]["expression"] for each in granted.values() if each.get("condition")]
    assert conditions
    assert all(part.startswith(begin) for each in conditions for part in each.split(" || "))
    assert all(each["name"].startswith(told["HEDGEROW_TOPIC_PREFIX"]) for each in small.of("google_pubsub_topic"))


def test_no_function_starts_before_it_may_be_built_and_may_read_its_secrets() -> None:
    (call,) = (block for block in hcl.module(hcl.ROOT) if block.name == "module.function")
    waits = call.attributes["depends_on"]
    assert isinstance(waits, list)
    assert {str(each).removeprefix("${").removesuffix("}") for each in waits} >= {
        "google_project_iam_member.build",
        "google_secret_manager_secret_iam_member.reader",
        "google_secret_manager_secret_version.admin_key",
        "google_secret_manager_secret_version.sealing_key",
    }
