"""What a browser is served besides flags, and session recordings: checked, counted, not kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.posthog import LocalPostHog
from tests.unit.local_posthog.conftest import NOW, Caller

SNAPSHOT = {"type": 3, "data": "\x1f\x8b\x00ÿ", "timestamp": 1}


@pytest.fixture
def posthog(tmp_path: Path) -> Iterator[LocalPostHog]:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "array.js").write_text("the_sdk()")
    (tmp_path / "secret.js").write_text("not for browsers")
    with LocalPostHog(now=NOW, assets=tmp_path / "dist") as local:
        yield local


async def tell(caller: Caller, **offers: Any) -> None:
    body = {"id": int(caller.posthog.project_id), **offers}
    answer = await caller.client.post("/_local/projects", json=body)
    assert answer.status_code == 200, answer.text


async def record(caller: Caller, **properties: Any) -> httpx.Response:
    event = {
        "event": "$snapshot",
        "properties": {"token": caller.posthog.project_token, "distinct_id": "u1", **properties},
    }
    return await caller.client.post("/s/", json=[event])


@pytest.mark.parametrize("path", ["/static/array.js?v=1.2.3", "/static/1.2.3/array.js"])
async def test_scripts_come_from_the_folder_with_cors_and_a_lifetime(caller: Caller, path: str) -> None:
    answer = await caller.client.get(path, headers={"Origin": "https://shop.test"})
    assert (answer.status_code, answer.text) == (200, "the_sdk()")
    assert answer.headers["content-type"].startswith("application/javascript")
    assert answer.headers["access-control-allow-origin"] == "https://shop.test"
    assert answer.headers["cache-control"] == "public, max-age=86400"


@pytest.mark.parametrize(
    "path", ["/static/none.js", "/static/..%2fsecret.js", "/static/%2e%2e/secret.js", "/static/array.css"]
)
async def test_nothing_else_is_served_from_beside_it(caller: Caller, path: str) -> None:
    assert (await caller.client.get(path)).status_code == 404


async def test_the_array_script_is_the_config_and_the_sdk(caller: Caller) -> None:
    token = caller.posthog.project_token
    whole = (await caller.client.get(f"/array/{token}/array.js")).text
    assert whole.index("_POSTHOG_REMOTE_CONFIG") < whole.index("the_sdk()")
    assert "the_sdk" not in (await caller.client.get(f"/array/{token}/config.js")).text


async def test_a_project_lays_its_config_over_the_defaults(caller: Caller) -> None:
    token = caller.posthog.project_token
    await tell(caller, remote_config={"surveys": True, "sessionRecording": {"endpoint": "/s/"}})
    told = (await caller.client.get(f"/array/{token}/config")).json()
    assert (told["surveys"], told["sessionRecording"], told["heatmaps"]) == (True, {"endpoint": "/s/"}, False)
    flags = (await caller.client.post("/flags/?v=2&config=true", json={"token": token, "distinct_id": "u1"})).json()
    assert flags["surveys"] is True


async def test_surveys_and_early_access_features_by_stage(caller: Caller) -> None:
    token = caller.posthog.project_token
    features = [{"flagKey": stage, "stage": stage} for stage in ("alpha", "beta", "concept")]
    await tell(caller, surveys=[{"id": "s1", "name": "How was it?"}], early_access_features=features)
    assert [each["id"] for each in (await caller.client.get(f"/api/surveys/?token={token}")).json()["surveys"]] == [
        "s1"
    ]
    path = f"/api/early_access_features/?token={token}"
    for query, stages in (("", ["beta"]), ("&stage=alpha&stage=concept", ["alpha", "concept"])):
        found = (await caller.client.get(path + query)).json()["earlyAccessFeatures"]
        assert [each["stage"] for each in found] == stages


async def test_a_recording_is_counted_with_its_fingerprint_and_is_no_event(caller: Caller) -> None:
    answer = await record(caller, **{"$snapshot_data": [SNAPSHOT, SNAPSHOT], "$session_id": "s1", "$window_id": "w1"})
    assert answer.status_code == 200
    [found] = (await caller.client.get("/_local/recordings")).json()[caller.posthog.project_id]
    text = json.dumps([SNAPSHOT, SNAPSHOT], sort_keys=True, separators=(",", ":"))
    assert found == {
        "session_id": "s1",
        "window_id": "w1",
        "distinct_id": "u1",
        "items": 2,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    assert await caller.rows("select count() from events") == [[0]]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"$snapshot_data": []}, "replay event submitted without snapshot data"),
        ({"$session_id": None}, "replay event submitted without session id"),
        ({"$session_id": 7}, "replay event has invalid session id"),
        ({"$window_id": None}, "replay event submitted without window id"),
    ],
)
async def test_what_is_no_recording_is_refused_in_posthogs_words(
    caller: Caller, changed: dict[str, Any], said: str
) -> None:
    whole = {"$snapshot_data": [SNAPSHOT], "$session_id": "s1", "$window_id": "w1"}
    answer = await record(caller, **{**whole, **changed})
    assert (answer.status_code, answer.text) == (400, said)
    assert (await caller.client.get("/_local/recordings")).json() == {}


@pytest.mark.parametrize("properties", [None, "text", ["list"]])
async def test_a_recording_without_properties_is_refused(caller: Caller, properties: Any) -> None:
    event = {"event": "$snapshot", "distinct_id": "u1", "api_key": caller.posthog.project_token}
    answer = await caller.client.post("/s", json=[{**event, "properties": properties}])
    assert (answer.status_code, answer.text) == (400, "replay event submitted without snapshot data")
