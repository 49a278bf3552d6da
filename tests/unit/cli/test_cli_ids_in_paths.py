"""What is typed where an id belongs becomes part of a path: nothing else than an id may."""

from __future__ import annotations

import pytest

from tests.cli_process import Answers, hedgerow

CALLS = [
    ("tenants", "revoke-key", "ten_1", "{}"),
    ("tenants", "revoke-key", "{}", "key_1"),
    ("tenants", "keys", "{}"),
    ("tenants", "delete", "{}", "--yes"),
    ("tick", "{}"),
    ("runs", "con_1", "--run", "{}"),
    ("disconnect", "{}", "--purge", "--yes"),
    ("connections", "show", "{}"),
]


@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
@pytest.mark.parametrize("typed", ["..", "../../ten_2?", "a/b", "", "ten_1/keys", "%2e%2e", "con_1\n"])
def test_what_is_no_id_is_wrong_usage_and_never_sent(answers: Answers, arguments: tuple[str, ...], typed: str) -> None:
    for method in ("GET", "DELETE"):
        answers.say(method, "/v1/tenants/ten_1", {"state": "deleted"})
    called = [argument.format(typed) for argument in arguments]
    done = hedgerow(*called, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k", HEDGEROW_ADMIN_KEY="a")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert answers.asked == []


def test_an_id_reaches_the_path_as_it_is(answers: Answers) -> None:
    answers.say("DELETE", "/v1/tenants/ten_1/keys/key_0a", {}, 200)
    done = hedgerow("tenants", "revoke-key", "ten_1", "key_0a", HEDGEROW_URL=answers.url, HEDGEROW_ADMIN_KEY="a")
    assert done.returncode == 0
    assert [asked[:2] for asked in answers.asked] == [("DELETE", "/v1/tenants/ten_1/keys/key_0a")]


@pytest.mark.parametrize(
    ("arguments", "like"),
    [
        (("tenants", "delete", "nope", "--yes"), "ten_4f1d09ab"),
        (("tenants", "delete", "ten_nope", "--yes"), "ten_4f1d09ab"),
        (("tenants", "delete", "con_nope", "--yes"), "ten_4f1d09ab"),
        (("tenants", "revoke-key", "ten_1", "nope"), "key_4f1d09ab"),
        (("webhooks", "remove", "nope"), "whk_4f1d09ab"),
        (("connections", "show", "nope"), "con_4f1d09ab"),
    ],
)
def test_an_example_is_of_the_kind_that_is_wanted(answers: Answers, arguments: tuple[str, ...], like: str) -> None:
    done = hedgerow(*arguments, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k", HEDGEROW_ADMIN_KEY="a")
    assert (done.returncode, f"look like {like}:" in done.stderr) == (2, True), done.stderr
