from __future__ import annotations

import json
import re

import pytest

from tests.infra import hcl
from tests.infra.hcl import Block

PUBLIC = {"api", "capture"}


def of(kind: str) -> tuple[Block, ...]:
    return tuple(block for block in hcl.everywhere() if block.labels[0] == kind)


def every(kind: str, block: Block) -> list[Block]:
    return [inner for inner in block.all() if inner.kind == kind]


def test_no_subscription_expires() -> None:
    assert of("google_pubsub_subscription")
    for block in of("google_pubsub_subscription"):
        (policy,) = block.inner("expiration_policy")
        assert policy.attributes["ttl"] == '""', block.name


def test_no_subscription_retries_at_once_or_for_ever() -> None:
    for block in of("google_pubsub_subscription"):
        assert block.inner("retry_policy"), block.name
        (policy,) = block.inner("dead_letter_policy")
        assert policy.attributes["max_delivery_attempts"] == 10, block.name
        assert "gives_up" in str(policy.made_for), "all but the dead topic's own"


def test_pubsubs_agent_may_move_the_dead() -> None:
    (publisher,) = (block for block in of("google_pubsub_topic_iam_member") if block.labels[1] == "dead_publisher")
    assert 'topic["dead"]' in str(publisher.attributes["topic"])
    (subscriber,) = of("google_pubsub_subscription_iam_member")
    for block in (publisher, subscriber):
        assert block.attributes["member"] == "${local.pubsub_agent}", block.name


def test_every_call_of_googles_carries_a_token_for_its_target() -> None:
    callers = [*of("google_cloud_scheduler_job"), *of("google_pubsub_subscription")]
    tokens = [token for block in callers for token in every("oidc_token", block)]
    assert len(tokens) == len(callers)
    for token in tokens:
        assert re.fullmatch(r"\$\{module\.function\[each\.value\.target\]\.uri\}", str(token.attributes["audience"]))
        assert "google_service_account." in str(token.attributes["service_account_email"])


def test_jobs_run_on_utc_and_a_pause_by_hand_stays() -> None:
    for block in of("google_cloud_scheduler_job"):
        assert block.text("time_zone") == "Etc/UTC"
        assert "paused" not in block.attributes
        assert "attempt_deadline" in block.attributes
        assert block.inner("retry_config")


def test_the_zip_is_named_by_its_hash_and_no_generation_is_written() -> None:
    (function,) = of("google_cloudfunctions2_function")
    (storage,) = every("storage_source", function)
    assert "generation" not in storage.attributes
    (zipped,) = of("google_storage_bucket_object")
    assert zipped.attributes["name"] == "${module.plan.bundle.object}"


def test_a_replaced_zip_is_kept_for_a_roll_back_and_then_deleted() -> None:
    """Its name is a hash, so that it never has a newer version: a rule that counts those never takes any."""
    (bucket,) = of("google_storage_bucket")
    (condition,) = every("condition", bucket)
    assert condition.attributes == {"days_since_noncurrent_time": 90}


def test_the_load_balancer_says_its_scheme() -> None:
    for kind in ("google_compute_backend_service", "google_compute_global_forwarding_rule"):
        for block in of(kind):
            assert block.text("load_balancing_scheme") == "EXTERNAL_MANAGED", block.name
    for block in of("google_compute_backend_service"):
        assert "security_policy" in block.attributes


def test_no_role_is_primitive_and_no_binding_owns_a_role() -> None:
    for block in hcl.everywhere():
        assert block.text("role") not in {"roles/owner", "roles/editor", "roles/viewer"}, block.name
        assert not block.labels[0].endswith(("_iam_binding", "_iam_policy")), block.name


def test_private_functions_take_calls_from_within_alone() -> None:
    call = next(block for block in hcl.module(hcl.ROOT) if block.name == "module.function")
    assert call.attributes["ingress"] == '${each.value.public ? local.public_ingress : "ALLOW_INTERNAL_ONLY"}'


def test_functions_build_and_run_as_accounts_of_ours() -> None:
    (function,) = of("google_cloudfunctions2_function")
    (build,), (service,) = function.inner("build_config"), function.inner("service_config")
    assert build.attributes["service_account"] == "${var.accounts.build}"
    assert service.attributes["service_account_email"] == "${var.accounts.run}"
    ours = '{LOG_EXECUTION_ID = "false", PYDANTIC_DISABLE_PLUGINS = "__all__"}'
    assert service.attributes["environment_variables"] == f"${{merge(var.environment, {ours})}}"


def test_functions_know_the_settings_of_the_cloud_by_their_names() -> None:
    from hedgerow.settings import Settings

    environment = next(
        block.attributes["environment"]
        for block in hcl.module(hcl.ROOT)
        if block.kind == "locals" and "environment" in block.attributes
    )
    names = set(re.findall(r"HEDGEROW_[A-Z_]+", str(environment)))
    known = {f"HEDGEROW_{name.upper()}" for name in Settings.model_fields}
    assert names <= known, names - known
    assert {
        "HEDGEROW_STORE",
        "HEDGEROW_QUEUE",
        "HEDGEROW_VAULT",
        "HEDGEROW_PROJECT",
        "HEDGEROW_IDENTITY",
        "HEDGEROW_INVOKER_EMAILS",
        "HEDGEROW_PUBLIC_URL",
    } <= names


def test_nothing_is_indexed_by_itself() -> None:
    (unindexed,) = (block for block in of("google_firestore_field") if block.text("field") == "*")
    (config,) = unindexed.inner("index_config")
    assert not config.attributes
    assert not config.blocks
    assert unindexed.attributes["for_each"] == "${toset(local.indexes.collections)}"


def test_secrets_never_reach_the_state() -> None:
    for block in of("google_secret_manager_secret_version"):
        assert "secret_data" not in block.attributes, block.name
        assert block.text("secret_data_wo_version") == "1", "a string, for provider 8"


@pytest.mark.parametrize("name", [block.labels[0] for block in hcl.module(hcl.ROOT) if block.kind == "variable"])
def test_variables_and_outputs_explain_themselves(name: str) -> None:
    (variable,) = (block for block in hcl.module(hcl.ROOT) if block.kind == "variable" and block.labels[0] == name)
    assert variable.text("description").endswith("."), name
    assert "type" in variable.attributes, name


def test_every_example_sets_variables_that_exist() -> None:
    known = {block.labels[0] for block in hcl.module(hcl.ROOT) if block.kind == "variable"}
    examples = sorted((hcl.ROOT / "environments").glob("*.tfvars"))
    assert [file.stem for file in examples] == ["production", "small", "staging"]
    for file in examples:
        set_here = set(re.findall(r"^([a-z_]+)\s*=", file.read_text("utf-8"), re.MULTILINE))
        assert set_here <= known, set_here - known
        assert "project_id" in set_here, "a second environment is a project of its own"


def test_public_functions_are_the_two_addresses_unless_families_stand_alone() -> None:
    manifest = json.loads((hcl.REPOSITORY / "functions" / "manifest.json").read_text("utf-8"))
    assert {name for name, entry in manifest.items() if entry.get("callers") == "public"} == PUBLIC
