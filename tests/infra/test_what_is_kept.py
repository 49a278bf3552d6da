"""What must not be lost, opened or cut short: keys, backups, the zip's bucket, calls under way, the way out."""

from __future__ import annotations

import re
from typing import Any

from hedgerow.settings import SEALING_BYTES
from tests.infra import hcl
from tests.infra.terraform_program import manifest, needs_terraform
from tests.infra.twin import Twin


def block_of(name: str) -> hcl.Block:
    (block,) = (block for block in hcl.module(hcl.ROOT) if block.name == name)
    return block


def lifecycle(name: str) -> dict[str, Any]:
    (inner,) = block_of(name).inner("lifecycle")
    return dict(inner.attributes)


def test_the_sealing_key_is_as_long_as_the_code_takes_and_is_never_made_anew() -> None:
    made = block_of("ephemeral.random_password.sealing_key")
    assert made.attributes["length"] == SEALING_BYTES, "a character is a byte"
    name = "resource.google_secret_manager_secret_version.sealing_key"
    written = str(block_of(name).attributes["secret_data_wo"])
    assert written == "${base64encode(ephemeral.random_password.sealing_key.result)}"
    assert "secret_data_wo_version" in str(lifecycle(name)["ignore_changes"])


def test_another_admin_key_stands_before_the_old_one_goes() -> None:
    name = "resource.google_secret_manager_secret_version.admin_key"
    assert str(lifecycle(name)["create_before_destroy"]).lower() == "true"
    made = block_of("ephemeral.random_password.admin_key").attributes["length"]
    assert isinstance(made, int)
    assert made >= 32


def test_our_own_secrets_are_protected_and_who_reads_any_is_written_down() -> None:
    for key in ("admin_key", "sealing_key"):
        block = block_of(f"resource.google_secret_manager_secret.{key}")
        assert block.attributes["deletion_protection"] == "${var.deletion_protection}"
    audit = block_of("resource.google_project_iam_audit_config.secrets")
    assert {each.text("log_type") for each in audit.inner("audit_log_config")} == {"DATA_READ", "DATA_WRITE"}


@needs_terraform
def test_a_backup_is_kept_for_days_and_the_zips_are_nobody_elses(small: Twin) -> None:
    (backup,) = small.of("google_firestore_backup_schedule")
    assert int(backup["retention"].removesuffix("s")) >= 7 * 86_400
    (bucket,) = small.of("google_storage_bucket")
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"] is True


@needs_terraform
def test_a_call_is_waited_for_longer_than_its_target_takes(small: Twin) -> None:
    seconds = {name: entry["timeout"] for name, entry in manifest().items()}
    services = small.by_key("google_cloudfunctions2_function")
    by_uri = {f"https://{function['name']}-hash.a.run.app/": name for name, function in services.items()}
    for job in small.of("google_cloud_scheduler_job"):
        target = by_uri[job["http_target"][0]["uri"]]
        assert int(job["attempt_deadline"].removesuffix("s")) > seconds[target]
    for subscription in small.of("google_pubsub_subscription"):
        target = by_uri[subscription["push_config"][0]["push_endpoint"]]
        assert subscription["ack_deadline_seconds"] > seconds[target]
        (retry,) = subscription["retry_policy"]
        assert int(retry["minimum_backoff"].removesuffix("s")) >= 10


@needs_terraform
def test_who_is_behind_how_many_hops_and_kept_warm_is_what_was_asked_for(small: Twin, whole: Twin) -> None:
    for twin, hops, warm in ((small, "1", 0), (whole, "2", 1)):
        functions = twin.by_key("google_cloudfunctions2_function")
        for name, function in functions.items():
            (service,) = function["service_config"]
            assert service["environment_variables"]["HEDGEROW_FORWARDED_HOPS"] == hops
            assert service["min_instance_count"] == (warm if name == "capture" else 0)
            assert service["max_instance_count"] > service["min_instance_count"]


@needs_terraform
def test_every_service_that_a_resource_is_of_is_switched_on(small: Twin, whole: Twin) -> None:
    of_type = {
        "cloudfunctions2": "cloudfunctions", "cloud_run": "run", "cloud_scheduler": "cloudscheduler",
        "compute": "compute", "firestore": "firestore", "logging": "logging", "monitoring": "monitoring",
        "pubsub": "pubsub", "secret_manager": "secretmanager", "storage": "storage", "service_account": "iam",
    }  # fmt: skip
    for twin in (small, whole):
        there = {re.sub(r"^.*\.(?:data__)?google_|__.*$", "", address) for address in twin.resources}
        used = {service for kind in there for begin, service in of_type.items() if kind.startswith(begin)}
        on = {each["service"].removesuffix(".googleapis.com") for each in twin.of("google_project_service")}
        # Functions are built there, and their images kept.
        assert used | {"cloudbuild", "artifactregistry", "cloudresourcemanager"} <= on, used - on


@needs_terraform
def test_all_goes_out_by_one_address_and_nothing_comes_in_that_way(whole: Twin) -> None:
    (firewall,) = whole.of("google_compute_firewall")
    assert (firewall["direction"], firewall["source_ranges"]) == ("INGRESS", ["0.0.0.0/0"])
    assert firewall["deny"] == [{"protocol": "all"}]
    (nat,), (address,) = whole.of("google_compute_router_nat"), whole.of("google_compute_address")
    assert nat["nat_ip_allocate_option"] == "MANUAL_ONLY", "an address of Google's choice is on nobody's allow list"
    assert nat["nat_ips"] == [address["self_link"]]
    (policy,) = whole.of("google_compute_ssl_policy")
    assert (policy["profile"], policy["min_tls_version"]) == ("MODERN", "TLS_1_2")
    (proxy,) = whole.of("google_compute_target_https_proxy")
    assert proxy["ssl_policy"] == policy["id"]
