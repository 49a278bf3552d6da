"""What the command says of itself: whole sentences, named values, a version."""

from __future__ import annotations

import re

import pytest

from hedgerow import __version__
from tests.cli_process import hedgerow

ARGUMENTS = (
    "catalog check",
    "catalog types",
    "connections rename",
    "connections slow",
    "connections pin",
    "tick",
    "tenants create",
)


def test_the_version_is_said() -> None:
    assert hedgerow("--version").stdout == f"hedgerow {__version__}\n"


@pytest.mark.parametrize("verb", [(), ("connections",), ("tenants",), ("catalog",)])
def test_lists_of_verbs_hold_whole_sentences(verb: tuple[str, ...]) -> None:
    short, long = hedgerow(*verb, "-h", COLUMNS="80"), hedgerow(*verb, "--help", COLUMNS="80")
    assert short.returncode == 0
    assert short.stdout == long.stdout
    listed = short.stdout.partition("Commands:")[2]
    assert listed.count("\n") > 5
    assert "..." not in listed


@pytest.mark.parametrize("verb", ["dev", "posthog", "runs", "metrics", *ARGUMENTS])
def test_options_name_their_values_and_arguments_say_what_they_are(verb: str) -> None:
    said = hedgerow(*verb.split(), "--help", COLUMNS="100").stdout
    _, _, options = said.partition("\nOptions:")
    assert not re.search(r"--[a-z-]+ <", options)
    arguments = said.partition("\nArguments:")[2].partition("\n\n")[0]
    for line in filter(None, arguments.splitlines()):
        assert len(line.split(">")[1].replace("[required]", "").strip()) > 5, line


@pytest.mark.parametrize("verb", ["sync", "connect"])
def test_json_says_that_it_does_not_wait(verb: str) -> None:
    assert "without waiting" in " ".join(hedgerow(verb, "--help").stdout.split())
