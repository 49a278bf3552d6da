"""`hedgerow guards`: what it says of both guards, and that a change sends only what was named."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.cli_process import Answers, hedgerow

PATH = "/v1/connections/con_1/guards"
SHOWN: dict[str, Any] = {
    "privacy": {"sentences": ["IBANs are not looked for."], "counts": {"email.masked": 3}},
    "merges": {"sentences": ["Off: merges go to PostHog as they come."], "counts": {}},
}


def run(answers: Answers, *arguments: str) -> subprocess.CompletedProcess[str]:
    return hedgerow("guards", *arguments, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")


def test_both_guards_are_told_in_sentences_with_their_counts(answers: Answers) -> None:
    answers.say("GET", PATH, SHOWN)
    done = run(answers, "show", "con_1")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "Privacy",
        "  IBANs are not looked for.",
        "  Last 24 hours: email.masked 3.",
        "Merges",
        "  Off: merges go to PostHog as they come.",
        "  Last 24 hours: nothing.",
    ]
    assert json.loads(run(answers, "show", "con_1", "--json").stdout) == SHOWN
    assert run(answers, "con_1").stdout == done.stdout
    assert json.loads(run(answers, "con_1", "--json").stdout) == SHOWN


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["--email", "mask", "--iban", "off"], {"privacy": {"actions": {"email": "mask", "iban": "off"}}}),
        (["--identity", "hash", "--no-add-ip"], {"privacy": {"identity": "hash", "no_ip": True}}),
        (["--exempt", "to", "--exempt", "from"], {"privacy": {"exempt": ["to", "from"]}}),
        (["--exempt-none"], {"privacy": {"exempt": []}}),
        (["--merges", "--most-ids", "7"], {"merges": {"on": True, "most_ids": 7}}),
        (["--no-merges", "--add-ip"], {"privacy": {"no_ip": False}, "merges": {"on": False}}),
    ],
)
def test_only_what_was_named_is_sent(answers: Answers, arguments: list[str], sent: dict[str, Any]) -> None:
    answers.say("PATCH", PATH, SHOWN)
    done = run(answers, "set", "con_1", *arguments)
    assert done.returncode == 0, done.stderr
    assert [body for method, _, _, body in answers.asked if method == "PATCH"] == [sent]


@pytest.mark.parametrize("arguments", [[], ["--exempt", "a", "--exempt-none"], ["--email", "burn"]])
def test_what_means_nothing_is_wrong_usage(answers: Answers, arguments: list[str]) -> None:
    assert run(answers, "set", "con_1", *arguments).returncode == 2
