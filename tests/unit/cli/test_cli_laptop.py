"""The laptop's servers refuse to start in one line, never with a traceback."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli_process import hedgerow
from tests.journeys.local_servers import posthog


@pytest.mark.parametrize("value", ["analytics.internal", "127.0.0.1:8010,wide:x"])
def test_a_private_host_without_its_port_is_named_with_the_form_it_needs(tmp_path: Path, value: str) -> None:
    done = hedgerow("dev", "--port", "0", "--data", str(tmp_path / "data"), HEDGEROW_ALLOWED_PRIVATE_HOSTS=value)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "host:port" in done.stderr
    assert value.rpartition(",")[2] in done.stderr


def test_a_posthog_folder_that_another_process_holds_is_said_in_words(tmp_path: Path) -> None:
    with posthog(tmp_path):
        done = hedgerow("posthog", "--port", "0", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "another process holds" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_new_posthog_folder_is_its_owners_alone(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("no event\n")
    done = hedgerow("posthog", "--port", "0", "--data", str(tmp_path / "data"), "--events", str(events))
    assert done.returncode == 2
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
