"""What Google would refuse in the middle of an apply is refused before it begins, in a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.infra.hcl import ROOT
from tests.infra.terraform_program import needs_terraform, run

pytestmark = needs_terraform


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The variables alone."""
    made = tmp_path_factory.mktemp("variables")
    shutil.copy(ROOT / "variables.tf", made)
    return made


def refusal(folder: Path, **variables: object) -> str:
    """What Terraform says; empty where it takes them."""
    (folder / "test.auto.tfvars.json").write_text(json.dumps({"project_id": "my-project", **variables}), "utf-8")
    answer = run(folder, "plan", "-input=false", "-no-color")
    return " ".join(answer.stderr.replace("│", " ").split()) if answer.returncode else ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", "eu"),
        ("region", "europe-west1-b"),
        ("firestore_location", "EUR3"),
        ("address_requests_per_minute", 0),
        ("min_instances", {"capture": -1}),
        ("max_instances", {"capture": 0}),
        ("max_instances", {"capture": 1.5}),
        ("alert_emails", ["oncall"]),
        ("alert_channels", ["123"]),
        ("labels", {"Environment": "production"}),
        ("labels", {"environment": "x" * 64}),
        ("operators", {"ada@example.com": "full"}),
        ("sync_failure_share", 20),
    ],
)
def test_what_google_would_not_take_is_refused(folder: Path, name: str, value: object) -> None:
    said = refusal(folder, **{name: value})
    assert "Invalid value for variable" in said
    assert name in said


def test_what_it_takes_is_taken(folder: Path) -> None:
    assert (
        refusal(
            folder,
            region="northamerica-northeast1",
            firestore_location="nam5",
            address_requests_per_minute=600,
            min_instances={"capture": 0},
            max_instances={"capture": 40},
            alert_emails=["on.call+1@example.com"],
            alert_channels=["projects/my-project/notificationChannels/123"],
            labels={"environment": "", "cost-center": "42"},
            operators={"group:oncall@example.com": "read", "serviceAccount:a@p.iam.gserviceaccount.com": "full"},
            sync_failure_share=0.5,
        )
        == ""
    )
