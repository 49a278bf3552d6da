"""Every incident that `make drill` plays is found by the doctor and mended by its command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.drills.incidents import DRILLS


def play(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.drills", *names], capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.parametrize("name", DRILLS)
def test_an_incident_is_found_and_mended(name: str) -> None:
    played = play(name)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "$ hedgerow doctor" in played.stdout
    assert f"docs/operations/{DRILLS[name].runbook}" in played.stdout


def test_without_a_name_the_incidents_are_listed() -> None:
    listed = play()
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in DRILLS)


def test_a_name_of_no_incident_says_the_nearest() -> None:
    said = play("posthog-dawn")
    assert said.returncode == 2
    assert "posthog-down" in said.stderr
