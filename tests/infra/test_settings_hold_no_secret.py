"""The variable `settings`: no secret gets into Terraform's state by it, and nobody else into the private targets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from hedgerow.settings import Settings
from tests.infra.hcl import ROOT
from tests.infra.terraform_program import needs_terraform, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_terraform

SECRETS = sorted(
    f"HEDGEROW_{name.upper()}" for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)
OURS = ("HEDGEROW_IDENTITY", "HEDGEROW_INVOKER_EMAILS")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The variable alone, and an output that would carry it into the state."""
    made = tmp_path_factory.mktemp("settings")
    variables = (ROOT / "variables.tf").read_text("utf-8")
    found = re.search(r'^variable "settings" \{$.*?^\}$', variables, re.MULTILINE | re.DOTALL)
    assert found is not None
    (made / "main.tf").write_text(f'{found[0]}\n\noutput "given" {{\n  value = var.settings\n}}\n', "utf-8")
    begun = run(made, "init", "-input=false", "-no-color")
    assert begun.returncode == 0, begun.stderr
    return made


def refusal(folder: Path, **settings: str) -> str:
    """What Terraform says; empty where it takes them."""
    (folder / "test.auto.tfvars.json").write_text(json.dumps({"settings": settings}), "utf-8")
    answer = run(folder, "apply", "-auto-approve", "-input=false", "-no-color")
    return " ".join(answer.stderr.replace("│", " ").split()) if answer.returncode else ""


def test_there_are_secrets_to_refuse() -> None:
    assert {"HEDGEROW_ADMIN_KEY", "HEDGEROW_TELEMETRY_HEADERS", "HEDGEROW_INVOKER"} <= set(SECRETS)


@pytest.mark.parametrize("name", [*SECRETS, *OURS, "HEDGEROW_telemetry_headers", "HEDGEROW_identity", "PYTHONPATH"])
def test_no_secret_and_nothing_that_opens_a_private_target_is_taken(folder: Path, name: str) -> None:
    assert "settings takes" in (said := refusal(folder, **{name: "SECRET"})) or "is a secret" in said
    state = folder / "terraform.tfstate"
    assert not state.exists() or "SECRET" not in state.read_text("utf-8")


def test_other_settings_are_taken(folder: Path) -> None:
    assert refusal(folder, HEDGEROW_FORWARDED_HOPS="2", HEDGEROW_QUERY_SECONDS="30", HEDGEROW_TOKENS_SEEN="x") == ""
