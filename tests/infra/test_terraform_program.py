from __future__ import annotations

import shutil
from pathlib import Path

from tests.infra.hcl import ROOT
from tests.infra.terraform_program import needs_terraform, run

pytestmark = needs_terraform


def test_every_file_is_formatted() -> None:
    answer = run(ROOT, "fmt", "-check", "-recursive", "-diff")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_terraforms_own_tests_pass_without_a_provider(tmp_path: Path) -> None:
    copy = tmp_path / "plan"
    shutil.copytree(ROOT / "modules" / "plan", copy)
    begun = run(copy, "init", "-input=false", "-no-color")
    assert begun.returncode == 0, begun.stderr
    answer = run(copy, "test", "-no-color")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Success!" in answer.stdout
    assert not (copy / ".terraform" / "providers").exists()
