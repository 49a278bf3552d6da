from __future__ import annotations

import yaml

from tests.infra.hcl import ROOT

CONFIG = ROOT / ".checkov.yaml"


def test_every_exception_has_its_reason_above_it() -> None:
    lines = CONFIG.read_text("utf-8").splitlines()
    skipped = [number for number, line in enumerate(lines) if line.startswith("  - CKV")]
    assert skipped
    for number in skipped:
        assert lines[number - 1].lstrip().startswith("#"), lines[number]
        assert lines[number - 1].rstrip().endswith("."), lines[number]


def test_the_scan_is_of_the_whole_stack_and_asks_nobody() -> None:
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    assert config["skip-download"] is True
    assert config["directory"] == ["."]
    (example,) = config["var-file"]
    written = (ROOT / example).read_text("utf-8")
    assert "\nhost " in written
    assert "\nprivate_egress " in written
