"""`hedgerow connect` and `hedgerow connections show`: where SDKs point, wherever events are taken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli_process import Answers, hedgerow

CONNECTION: dict[str, Any] = {
    "id": "con_1",
    "name": "Shop",
    "host": "https://us.posthog.com",
    "project_id": None,
    "project_token_ends": "ab12",
    "has_personal_api_key": False,
    "state": "connected",
    "timezone": "UTC",
    "tier": "pro",
    "events": [],
    "capabilities": [],
    "due_at": None,
    "last_success_at": None,
    "diagnosis": {"detail": "Capture-only.", "hint": "", "command": None},
    "run": None,
}


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("connect", "--host", "https://us.posthog.com"), ("POST", "/v1/connections")),
        (("connections", "show", "con_1"), ("GET", "/v1/connections/con_1")),
    ],
)
@pytest.mark.parametrize(
    ("changed", "points"),
    [({}, True), ({"project_token_ends": None}, False), ({"state": "disconnected"}, False)],
)
def test_a_connection_with_a_project_token_says_where_sdks_point(
    answers: Answers, arguments: tuple[str, ...], call: tuple[str, str], changed: dict[str, object], points: bool
) -> None:
    answers.say(*call, {**CONNECTION, **changed})
    keys = {"HEDGEROW_API_KEY": "k", "HEDGEROW_POSTHOG_PROJECT_TOKEN": "phc_" + "a" * 43}
    done = hedgerow(*arguments, HEDGEROW_URL=answers.url, **keys)
    assert done.returncode == 0, done.stderr
    wanted = f"Point your SDKs at {answers.url} (api_host) with the project token (…ab12)."
    assert (wanted in done.stdout.splitlines()) is points
