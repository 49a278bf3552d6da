"""Terraform itself, where it is installed: in a copy of a folder, without a provider, an account or a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.infra.hcl import REPOSITORY, ROOT

PROGRAM = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("REQUIRE_TERRAFORM"), reason="Terraform is not installed"
)
SECONDS = 120


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One call; the answer with what it printed."""
    return subprocess.run(
        [PROGRAM or "terraform", *arguments],
        cwd=folder,
        env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Plan:
    """modules/plan in a copy of its own, with a repository beside it that a test may break."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.folder = folder / "plan"
        shutil.copytree(ROOT / "modules" / "plan", self.folder)
        for source in sorted((REPOSITORY / "functions").glob("*/main.py")):
            copy = self.repository / source.relative_to(REPOSITORY)
            copy.parent.mkdir(parents=True)
            copy.touch()
        self.bundle = self.repository / "dist" / "functions.zip"
        self.bundle.parent.mkdir()
        self.bundle.write_bytes(b"a zip")
        begun = run(self.folder, "init", "-input=false", "-no-color")
        assert begun.returncode == 0, begun.stderr

    def values(self, **variables: object) -> Any:
        """Every output, for the real manifest and tiers unless others are given; fails where Terraform refuses."""
        answer = self._apply(variables)
        assert answer.returncode == 0, answer.stderr
        outputs = json.loads(run(self.folder, "output", "-json").stdout)
        return {name: output["value"] for name, output in outputs.items()}

    def refusal(self, **variables: object) -> str:
        """What Terraform says of bad input, its frame taken off and its lines joined."""
        answer = self._apply(variables)
        assert answer.returncode != 0, answer.stdout
        return " ".join(answer.stderr.replace("│", " ").split())

    def _apply(self, variables: dict[str, object]) -> subprocess.CompletedProcess[str]:
        given: dict[str, object] = {"repository": str(self.repository), "manifest": manifest(), "tiers": tiers()}
        (self.folder / "test.auto.tfvars.json").write_text(json.dumps(given | variables), "utf-8")
        return run(self.folder, "apply", "-auto-approve", "-input=false", "-no-color")


def manifest() -> dict[str, Any]:
    """The real one, to change."""
    read: dict[str, Any] = json.loads((REPOSITORY / "functions" / "manifest.json").read_text("utf-8"))
    return read


def tiers() -> dict[str, Any]:
    """The real ones, to change."""
    read: dict[str, Any] = json.loads((REPOSITORY / "tiers.json").read_text("utf-8"))
    return read
