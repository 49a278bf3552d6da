"""Keys come by prompt, standard input or environment; never as an argument, never back out."""

from __future__ import annotations

import pytest

from tests.cli_process import Answers, hedgerow

PERSONAL = "phx_Abcdefghijklmnop0123"
TOKEN = "phc_Abcdefghijklmnop4567"


@pytest.mark.parametrize(
    "arguments",
    [
        ("connect", "--host", "https://us.posthog.com", PERSONAL),
        ("connect", "--host", f"https://us.posthog.com/?k={TOKEN}"),
        ("connect", f"--personal-api-key={PERSONAL}"),
        ("connect", "--personal-api-key", "an-old-key-without-prefix"),
        ("metrics", "hdg_0123456789abcdef01234567_secret"),
        (PERSONAL,),
    ],
)
def test_a_key_as_an_argument_is_refused_and_never_echoed(answers: Answers, arguments: tuple[str, ...]) -> None:
    done = hedgerow(*arguments, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 2
    assert "HEDGEROW_POSTHOG_PERSONAL_API_KEY" in done.stderr
    for secret in (PERSONAL, TOKEN, "an-old-key", "hdg_0123"):
        assert secret not in done.stdout + done.stderr
    assert answers.asked == []


@pytest.mark.parametrize(
    ("stdin", "sent"),
    [
        (f"{PERSONAL}\n", {"personal_api_key": PERSONAL}),
        (f"{TOKEN}\n", {"project_token": TOKEN}),
        (f"{PERSONAL}\n{TOKEN}\n", {"personal_api_key": PERSONAL, "project_token": TOKEN}),
        (f"{TOKEN} {PERSONAL}", {"personal_api_key": PERSONAL, "project_token": TOKEN}),
        ("an-old-key-without-prefix\n", {"personal_api_key": "an-old-key-without-prefix"}),
    ],
)
def test_standard_input_gives_the_keys(answers: Answers, stdin: str, sent: dict[str, str]) -> None:
    answers.say("POST", "/v1/connections/test", {"ok": True, "capabilities": []})
    done = hedgerow(
        "connect", "--host", "http://h", "--test", stdin=stdin, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k"
    )
    assert done.returncode == 0
    [(_, _, bearer, body)] = answers.asked
    assert bearer == "Bearer k"
    assert body == {"host": "http://h", **sent}


def test_the_environment_gives_the_keys_and_standard_input_is_left_alone(answers: Answers) -> None:
    answers.say("POST", "/v1/connections/test", {"ok": True, "capabilities": []})
    arguments = ("connect", "--host", "http://h", "--project-id", "12", "--test")
    # What stands in the variable is sent as it is: that a token stands where a key belongs is the server's to explain.
    variables = {"HEDGEROW_API_KEY": "k", "HEDGEROW_POSTHOG_PERSONAL_API_KEY": TOKEN}
    done = hedgerow(*arguments, stdin=PERSONAL, HEDGEROW_URL=answers.url, **variables)
    assert done.returncode == 0
    assert answers.asked[0][3] == {"host": "http://h", "project_id": "12", "personal_api_key": TOKEN}


def test_no_key_at_all_is_wrong_usage(answers: Answers) -> None:
    done = hedgerow("connect", "--host", "http://h", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 2
    assert answers.asked == []


def test_the_operators_commands_use_the_operators_key(answers: Answers) -> None:
    answers.say("POST", "/v1/ticks/pro", {"tier": "pro", "due": 3})
    done = hedgerow("tick", "pro", HEDGEROW_URL=answers.url, HEDGEROW_ADMIN_KEY="a", HEDGEROW_API_KEY="k")
    assert "3 connection(s)" in done.stdout
    assert answers.asked[0][2] == "Bearer a"


def test_the_new_tenants_key_is_printed_once(answers: Answers) -> None:
    answers.say("POST", "/v1/tenants", {"id": "ten_1", "name": "Acme", "tier": "pro", "api_key": "hdg_once"}, 201)
    done = hedgerow("tenants", "create", "Acme", "--tier", "pro", HEDGEROW_URL=answers.url, HEDGEROW_ADMIN_KEY="a")
    assert done.stdout.count("hdg_once") == 1
