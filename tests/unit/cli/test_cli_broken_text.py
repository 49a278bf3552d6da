"""What no person types on purpose ends in words and exit code 2, and shows no secret."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli_process import Answers, hedgerow

BROKEN = b"\xff\xfe".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "arguments",
    [
        ("metrics", "con_1", "--name", BROKEN),
        ("connections", "rename", "con_1", BROKEN),
        ("connections", "show", BROKEN),
        ("connections", "slow", "con_1", "--every", "²"),
        ("connections", "slow", "con_1", "--every", "9" * 5000),
        ("dev", "--now", "0001-01-01T00:00:00+14:00"),
        ("dev", "--now", "9999-12-31T23:59:59-14:00"),
        ("posthog", "--now", "9999-12-31T23:59:59Z"),
    ],
)
def test_broken_arguments_are_wrong_usage(answers: Answers, arguments: tuple[str, ...]) -> None:
    done = hedgerow(*arguments, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert answers.asked == []


@pytest.mark.parametrize("key", ["hdg_schlüssel", f"hdg_{BROKEN}", "hdg_a\x07b"])
def test_a_key_that_cannot_be_sent_is_named_by_its_variable_only(answers: Answers, key: str) -> None:
    done = hedgerow("connections", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY=key)
    assert done.returncode == 2
    assert "HEDGEROW_API_KEY" in done.stderr
    assert "hdg_" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_posthog_key_that_is_no_text_is_not_shown(answers: Answers) -> None:
    variables = {"HEDGEROW_API_KEY": "k", "HEDGEROW_POSTHOG_PERSONAL_API_KEY": f"phx_{BROKEN}"}
    done = hedgerow("connect", "--host", "http://h", "--test", HEDGEROW_URL=answers.url, **variables)
    assert done.returncode == 2
    assert "phx_" not in done.stderr


def test_binary_standard_input_is_wrong_usage(answers: Answers) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hedgerow.cli", "connect", "--host", "http://h", "--test"],
        input=b"\xff\xfe\x00\x80",
        env={**os.environ, "HEDGEROW_URL": answers.url, "HEDGEROW_API_KEY": "k", "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert answers.asked == []


@pytest.mark.parametrize("address", ["http://me:pa55word@127.0.0.1:9", "http://pa55word@127.0.0.1:9/?k=pa55word"])
def test_an_unreachable_address_is_named_without_its_password(address: str) -> None:
    done = hedgerow("connections", HEDGEROW_URL=address, HEDGEROW_API_KEY="k")
    assert done.returncode == 3
    assert "http://127.0.0.1:9 " in done.stderr
    assert "pa55word" not in done.stderr
