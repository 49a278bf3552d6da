"""The local PostHog as a process: first line, restart, SIGKILL, event files, zones, SIGTERM in time."""

import contextlib
import gzip
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

Start = Callable[..., "Served"]


class Served:
    """A running local PostHog and what its first line said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        line = process.stdout.readline()
        self.said: dict[str, str] = json.loads(line) if line else {}
        self.client = httpx.Client(
            base_url=self.said.get("host", "http://127.0.0.1"),
            headers={"Authorization": f"Bearer {self.said.get('personal_api_key')}"},
            timeout=20,
        )

    def rows(self, hogql: str) -> list[list[Any]]:
        answer = self.client.post(
            f"/api/projects/{self.said['project_id']}/query/",
            json={"query": {"kind": "HogQLQuery", "query": hogql}, "refresh": "force_blocking"},
        )
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["results"]
        return found

    def capture(self, *names: str, **event: Any) -> None:
        batch = [{"event": name, "distinct_id": "u", **event} for name in names]
        body = {"api_key": self.said["project_token"], "batch": batch}
        assert self.client.post("/batch/", json=body).status_code == 200

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        return self.process.wait(timeout=10)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Served] = []

    def begin(*arguments: str) -> Served:
        command = [sys.executable, "-m", "local.posthog", "--data", str(tmp_path / "data"), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(Served(process))
        return running[-1]

    yield begin
    for served in running:
        served.client.close()
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait(timeout=10)
        if served.process.stdout is not None:
            served.process.stdout.close()


def identity(served: Served) -> dict[str, str]:
    return {name: value for name, value in served.said.items() if name != "host"}


def test_project_keys_and_events_outlive_a_restart_and_a_kill(start: Start) -> None:
    first = start()
    assert set(first.said) == {"host", "project_id", "project_token", "personal_api_key"}
    first.capture("one", "two", properties={"n": 1, "$groups": {"company": "acme"}})
    first.capture("$identify", properties={"$anon_distinct_id": "anon", "$set": {"plan": "pro"}})
    first.client.post("/_local/flags", json={"key": "kept"})
    started = time.monotonic()
    assert first.end() == 0
    assert time.monotonic() - started < 5

    second = start()
    assert identity(second) == identity(first)
    assert second.rows("select count(), uniqExact(person_id) from events") == [[3, 1]]
    assert second.rows("select properties.plan from persons") == [["pro"]]
    second.capture("three", distinct_id="anon", properties={"$groups": {"team": "x", "company": "b"}})
    assert second.end(signal.SIGKILL) == -signal.SIGKILL

    third = start()
    assert third.rows("select count(), uniqExact(person_id) from events") == [[4, 1]]
    assert third.rows("select $group_0, $group_1, properties.n from events where event = 'three'") == [["b", "x", None]]
    flags = third.client.get(f"/api/projects/{third.said['project_id']}/feature_flags/").json()
    assert [flag["key"] for flag in flags["results"]] == ["kept"]


def test_an_event_file_is_loaded_once_at_its_own_timestamps(start: Start, tmp_path: Path) -> None:
    lines = [
        {"event": "a", "distinct_id": f"u{n % 3}", "timestamp": f"2019-03-0{1 + n % 5}T12:00:00Z", "properties": {}}
        for n in range(50)
    ]
    lines.append({"event": "future", "distinct_id": "u", "timestamp": "2031-01-01T00:00:00Z"})
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    query = "select count(), uniqExact(person_id), min(timestamp), max(timestamp) from events"
    wanted = [[51, 4, "2019-03-01T12:00:00Z", "2031-01-01T00:00:00Z"]]
    first = start("--events", str(path), "--now", "2025-01-01T00:00:00+00:00")
    assert first.rows(query) == wanted
    first.end()
    plain = tmp_path / "plain" / path.name
    plain.parent.mkdir()
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    second = start("--events", str(plain))
    assert second.rows(query) == wanted


def test_zone_and_clock_are_set_on_an_existing_directory(start: Start) -> None:
    first = start("--timezone", "Europe/Berlin", "--now", "2025-06-15T12:00:00+00:00")
    [[now, zone]] = first.rows("select now(), timeZoneOf(now())")
    assert (now[:16], now[-6:], zone) == ("2025-06-15T14:00", "+02:00", "Europe/Berlin")
    first.end()
    second = start("--timezone", "Asia/Tokyo")
    project = second.client.get(f"/api/projects/{second.said['project_id']}/").json()
    assert project["timezone"] == "Asia/Tokyo"
    second.end()
    assert start().rows("select timeZoneOf(now())") == [["Asia/Tokyo"]]


def test_bad_arguments_end_it_with_words(start: Start, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"event": "a", "distinct_id": "u"}\nnot json\n')
    for arguments in (("--events", str(broken)), ("--timezone", "Mars/Olympus")):
        served = start(*arguments)
        assert served.said == {}
        assert served.process.wait(timeout=10) != 0


def test_sigterm_ends_it_in_time_with_a_request_under_way(start: Start) -> None:
    served = start()
    served.client.post("/_local/faults", json={"kind": "slow", "seconds": 30, "path": "/api"})

    def hang() -> None:
        # A 500 or a closed connection: all the same here.
        with contextlib.suppress(httpx.HTTPError):
            served.client.get("/api/projects/1/")

    waiting = threading.Thread(target=hang)
    waiting.start()
    time.sleep(0.3)
    started = time.monotonic()
    served.end()
    assert time.monotonic() - started < 5
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def test_resets_are_resets_on_a_real_socket(start: Start) -> None:
    served = start()
    for kind, error in (("reset", httpx.ReadError), ("half", httpx.RemoteProtocolError)):
        served.client.post("/_local/faults", json={"kind": kind, "count": 1, "path": "/api"})
        with pytest.raises(error):
            served.client.get("/api/projects/1/")
        assert served.client.get("/api/projects/1/").status_code == 200


def test_the_official_sdk_can_be_imported_beside_the_parser() -> None:
    code = (
        "import sys; from local.posthog.hogql_parse import parse_select; parse_select('select 1'); "
        "assert not [name for name in sys.modules if name == 'posthog' or name.startswith('posthog.')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
