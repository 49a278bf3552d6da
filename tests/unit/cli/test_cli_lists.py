"""The bare verbs list, for people and for programs alike."""

from __future__ import annotations

import json

import pytest

from tests.cli_process import Answers, hedgerow


@pytest.mark.parametrize("verb", ["connections", "tenants"])
def test_the_bare_verb_prints_the_same_json_as_list(answers: Answers, verb: str) -> None:
    answers.say("GET", f"/v1/{verb}", {"items": [{"id": "one"}], "next_cursor": None})
    keys = {"HEDGEROW_URL": answers.url, "HEDGEROW_API_KEY": "k", "HEDGEROW_ADMIN_KEY": "k"}
    bare, listed = hedgerow(verb, "--json", **keys), hedgerow(verb, "list", "--json", **keys)
    assert bare.returncode == 0, bare.stderr
    assert json.loads(bare.stdout)["items"] == [{"id": "one"}]
    assert bare.stdout == listed.stdout


def test_json_before_another_verb_is_not_ignored(answers: Answers) -> None:
    done = hedgerow("tenants", "--json", "list", HEDGEROW_URL=answers.url, HEDGEROW_ADMIN_KEY="k")
    assert done.returncode == 2
    assert "after the verb" in done.stderr
