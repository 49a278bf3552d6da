from __future__ import annotations

import pytest

from tests.infra import arguments, hcl

KINDS = ("resource", "data", "ephemeral", "provider")
WRITTEN = [block for folder in hcl.modules() for block in hcl.module(folder) if block.kind in KINDS]

TOPIC = 'resource "google_pubsub_subscription" "push" {\n  name = "a"\n  topic = "b"\n  %s\n}\n'


@pytest.mark.parametrize("block", WRITTEN, ids=lambda block: f"{block.file.name}:{block.name}")
def test_every_argument_is_in_the_tables(block: hcl.Block) -> None:
    assert arguments.complaints(block) == ()


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("ack_deadline_second = 10", "unknown argument ack_deadline_second"),
        ("push_config = { push_endpoint = var.a }", "push_config is a block, not an argument"),
        ("push_config {\n    oidc_token {\n      audience = var.a\n    }\n  }", "push_endpoint is missing"),
        (
            "push_config {\n    push_endpoint = var.a\n    oidc_token {\n      service_account = var.a\n    }\n  }",
            "push_config.oidc_token: unknown argument service_account",
        ),
        ("push {\n  }", "unknown block push"),
        (
            'dynamic "dead_letter_policy" {\n    for_each = var.a\n    content {\n      topic = var.b\n    }\n  }',
            "dead_letter_policy: unknown argument topic",
        ),
    ],
)
def test_a_slip_is_caught(written: str, complaint: str) -> None:
    (block,) = hcl.parse(TOPIC % written)
    assert any(complaint in each for each in arguments.complaints(block)), arguments.complaints(block)


def test_a_required_block_and_a_required_argument_are_missed() -> None:
    (secret,) = hcl.parse('resource "google_secret_manager_secret" "key" {\n  labels = var.labels\n}\n')
    assert set(arguments.complaints(secret)) == {
        "resource.google_secret_manager_secret.key: secret_id is missing",
        "resource.google_secret_manager_secret.key: block replication is missing",
    }


def test_a_resource_without_a_table_is_refused() -> None:
    (block,) = hcl.parse('resource "google_pubsub_topics" "a" {\n  name = "a"\n}\n')
    assert arguments.complaints(block) == ("resource.google_pubsub_topics.a: no table for google_pubsub_topics",)


def test_every_table_says_where_it_was_read() -> None:
    assert [name for name, entry in arguments.tables()["blocks"].items() if not entry.get("source")] == []
