"""The SDKs' host in front of a local PostHog: the same answers, and the same again while it is switched off."""

from __future__ import annotations

import pytest

from functions.capture.hosting import host_of
from tests.functions.capture.operation_stage import shop

PAGE = {"Origin": "https://shop.example"}


async def test_every_public_question_is_answered_by_posthog_and_then_without_it() -> None:
    async with shop() as here:
        here.posthog.put_flag("new-checkout")
        token, key = here.posthog.project_token, {"Authorization": f"Bearer {here.posthog.personal_api_key}"}
        questions = [
            ("POST", "/flags/?v=2", {"token": token, "distinct_id": "u1"}, PAGE),
            ("POST", "/decide/?v=3", {"api_key": token, "distinct_id": "u1"}, {}),
            ("GET", f"/flags/definitions?token={token}&send_cohorts", None, key),
            ("GET", f"/api/feature_flag/local_evaluation/?token={token}&send_cohorts", None, key),
            ("GET", f"/array/{token}/config", None, {}),
            ("GET", f"/array/{token}/config.js", None, PAGE),
            ("GET", f"/api/surveys/?token={token}", None, PAGE),
            ("GET", f"/api/early_access_features/?token={token}", None, PAGE),
        ]
        direct = [
            await here.client.request(method, path, json=body, headers=more) for method, path, body, more in questions
        ]
        here.posthog.faults.is_off = True
        without = [
            await here.client.request(method, path, json=body, headers=more) for method, path, body, more in questions
        ]
    assert [each.status_code for each in direct] == [200] * len(questions)
    assert "new-checkout" in direct[0].json()["flags"]
    assert direct[1].json()["featureFlags"] == {"new-checkout": True}
    assert [each["key"] for each in direct[2].json()["flags"]] == ["new-checkout"]
    for before, after in zip(direct, without, strict=True):
        assert (after.status_code, after.content) == (200, before.content), before.url
        assert after.headers["hedgerow-answer"] == "last-good"
        assert "hedgerow-answer" not in before.headers
    for each in (direct[0], without[0], without[5]):
        assert each.headers.get_list("access-control-allow-origin") == ["https://shop.example"]


@pytest.mark.parametrize("path", ["/flags/?v=2", "/array/phc_nobody/config.js", "/api/surveys/?token=phc_nobody"])
async def test_a_stranger_is_refused_and_asked_nothing_for(path: str) -> None:
    async with shop() as here:
        asked = sum(here.posthog.requests.values())
        if path.startswith("/flags"):
            answer = await here.client.post(path, json={"token": "phc_nobody", "distinct_id": "u1"})
        else:
            answer = await here.client.get(path)
        assert answer.status_code == 401
        assert answer.headers["content-type"].startswith("text/plain")
        assert sum(here.posthog.requests.values()) == asked


async def test_a_process_that_starts_during_an_outage_still_configures_pages() -> None:
    async with shop() as here:
        path = f"/array/{here.posthog.project_token}/config.js"
        before = await here.client.get(path)
        here.posthog.faults.is_off = True
        host = host_of(here.stage.app)
        host._passing = None
        after = await here.client.get(path)
    assert (after.status_code, after.text) == (200, before.text)
    assert after.headers["hedgerow-answer"] == "last-good"
