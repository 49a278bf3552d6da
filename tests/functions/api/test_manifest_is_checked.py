"""A manifest that cannot be used is refused before anything starts: one line with the entry and the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.api import manifest, routes
from hedgerow.errors import HedgerowError

HTTP = {
    "source": "functions/connect/main.py",
    "trigger": "http",
    "callers": "api",
    "memory": "512Mi",
    "cpu": "1",
    "timeout": 60,
    "concurrency": 40,
    "paths": ["/v1/connections", "DELETE /v1/tenants/{tenant}"],
}
SIZES = {key: HTTP[key] for key in ("memory", "cpu", "timeout")} | {"concurrency": 1}
TICK = {
    **SIZES,
    "source": "functions/sync/main.py",
    "trigger": "schedule",
    "schedules": [{"cron": "*/5 * * * *", "body": {"tier": "pro"}}],
}
TOPIC = {**SIZES, "source": "functions/sync/main.py", "trigger": "topic", "topic": "sync-requested"}


def read(folder: Path, **entries: Any) -> dict[str, manifest.Target]:
    file = folder / "manifest.json"
    file.write_text(json.dumps(entries), encoding="utf-8")
    return manifest.read(file)


def test_what_ships_is_read() -> None:
    found = manifest.read(Path(__file__).parents[3] / "functions" / "manifest.json")
    assert {name for name, target in found.items() if target.callers == "public"} == {"api", "capture"}
    assert all(target.callers is None for target in found.values() if target.trigger != "http")


def test_a_target_is_what_its_entry_says(tmp_path: Path) -> None:
    found = read(tmp_path, connect=HTTP, sync_tick=TICK, sync_connection={**TOPIC, "max_instances": 5, "rights": {}})
    assert found["connect"].paths == ("/v1/connections", "DELETE /v1/tenants/{tenant}")
    assert found["sync_tick"].schedules == (manifest.Schedule("*/5 * * * *", {"tier": "pro"}),)
    assert found["sync_connection"].topic == "sync-requested"


@pytest.mark.parametrize(
    ("name", "entry", "said"),
    [
        ("connect", {**HTTP, "trigger": "webhook"}, "the trigger 'webhook' is not known"),
        ("connect", {**HTTP, "trigger": ["http"]}, "is not known"),
        ("connect", [HTTP], "not a JSON object"),
        ("connect", {key: value for key, value in HTTP.items() if key != "source"}, "lacks `source`"),
        ("connect", {**HTTP, "memroy": "1Gi"}, "`memroy`"),
        ("connect", {**HTTP, "source": "functions/connect"}, "`source`"),
        ("connect", {**HTTP, "source": "../functions/connect/main.py"}, "`source`"),
        ("connect", {**HTTP, "paths": ["/connections"]}, "the path '/connections'"),
        ("connect", {**HTTP, "callers": "public"}, "`callers`"),
        ("connect", {**HTTP, "topic": "run-ended"}, "`topic` does not belong to trigger http"),
        ("connect", {**HTTP, "memory": 512}, "`memory`"),
        ("connect", {**HTTP, "cpu": 1}, "`cpu`"),
        ("connect", {**HTTP, "cpu": "0.5"}, "below one CPU"),
        ("connect", {**HTTP, "timeout": 0}, "`timeout`"),
        ("connect", {**HTTP, "timeout": True}, "`timeout`"),
        ("connect", {**HTTP, "concurrency": "40"}, "`concurrency`"),
        ("connect", {**HTTP, "max_instances": 0}, "`max_instances`"),
        ("Connect", HTTP, "no name for a function"),
        ("capture", {**HTTP, "callers": "api"}, "`callers`"),
        ("sync_tick", {**TICK, "schedules": []}, "no `schedules`"),
        ("sync_tick", {**TICK, "schedules": [{"cron": "61 * * * *", "body": {}}]}, "'61' of '61 * * * *'"),
        ("sync_tick", {**TICK, "schedules": [{"cron": "* * * *", "body": {}}]}, "five-field"),
        ("sync_tick", {**TICK, "schedules": [{"cron": "* * * * *"}]}, "`cron` and `body`"),
        ("sync_tick", {**TICK, "schedules": [{"cron": "* * * * *", "body": {"tier": 1}}]}, "strings"),
        ("sync_tick", {**TICK, "callers": "public"}, "`callers`"),
        ("sync_tick", {**TICK, "timeout": 1801}, "`timeout`"),
        ("sync_connection", {key: value for key, value in TOPIC.items() if key != "topic"}, "no `topic`"),
        ("sync_connection", {**TOPIC, "timeout": 601}, "`timeout`"),
    ],
)
def test_an_entry_that_cannot_be_is_named(tmp_path: Path, name: str, entry: Any, said: str) -> None:
    with pytest.raises(HedgerowError) as refused:
        read(tmp_path, **{name: entry})
    assert said in refused.value.detail
    assert name in refused.value.detail
    assert "\n" not in refused.value.detail


def test_a_topic_has_one_subscriber_and_a_path_one_family(tmp_path: Path) -> None:
    with pytest.raises(HedgerowError, match="belongs to both `sync_connection` and `other`"):
        read(tmp_path, sync_connection=TOPIC, other=TOPIC)
    with pytest.raises(HedgerowError, match="`/v1/connections` belongs to both"):
        read(tmp_path, connect=HTTP, sync=HTTP)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "not JSON"), ("[]", "not a JSON object"), ("{}", "not a JSON object")]
)
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(HedgerowError, match=said):
        manifest.read(file)


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HedgerowError, match=r"There is no manifest\.json") as refused:
        manifest.read(tmp_path / "manifest.json")
    assert refused.value.hint


def test_an_entry_without_its_folder_is_said_before_anything_calls_it(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    read(tmp_path / "functions", sync_connection=TOPIC)

    with pytest.raises(HedgerowError, match=r"there is no functions/sync/main\.py") as met:
        routes.checked(tmp_path / "functions" / "manifest.json")

    assert (met.value.code, bool(met.value.hint)) == ("bad_manifest", True)
    assert routes.checked() == routes.targets()


def test_a_target_whose_file_the_zip_lacks_says_what_makes_a_whole_one(tmp_path: Path) -> None:
    (target,) = read(tmp_path, ghost={**TOPIC, "source": "functions/ghost/main.py"}).values()

    with pytest.raises(HedgerowError, match=r"No module named .functions\.ghost.") as met:
        routes.function(target)

    assert met.value.code == "bad_bundle"
    assert "make bundle" in met.value.hint
