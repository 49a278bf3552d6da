"""`hedgerow dev` as a user meets it: ready, private targets private, ended in time, going on afterwards."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from functions.api.routes import targets
from hedgerow import wiring
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.messages import SyncRequested
from hedgerow.settings import Settings
from tests.journeys.local_servers import Served, dev

ADMIN = "the-operators-own-key"


def _call(served: Served, method: str, path: str, key: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, served.url + path, json=body, headers=headers, timeout=20, trust_env=False)


def test_it_says_ready_once_and_keeps_the_key_it_made(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as served:
        key = served.admin_key
        assert [line for line in served.lines if line.startswith("ready ")] == [f"ready {served.url}"]
        assert _call(served, "GET", "/v1/tenants", key).status_code == 200
        served.end()
    kept = tmp_path / "data" / "admin.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    with dev(tmp_path / "data", HEDGEROW_ADMIN_KEY="") as again:
        assert again.admin_key == key


def test_a_key_from_the_environment_is_not_printed(tmp_path: Path) -> None:
    with dev(tmp_path / "data", HEDGEROW_ADMIN_KEY=ADMIN) as served:
        assert served.lines == [f"chat {served.url}/inbox", f"ready {served.url}"]
        assert _call(served, "GET", "/v1/tenants", ADMIN).status_code == 200
    assert not (tmp_path / "data" / "admin.key").exists()


def test_private_targets_cannot_be_called_from_outside(tmp_path: Path) -> None:
    private = [name for name, target in targets().items() if target.trigger != "http"]
    with dev(tmp_path / "data", HEDGEROW_ADMIN_KEY=ADMIN) as served:
        for name in private:
            assert _call(served, "POST", f"/v1/{name}", "stranger", {}).status_code == 401
            assert _call(served, "POST", f"/v1/{name}", ADMIN, {}).status_code == 404
            # Every other path is PostHog's as the SDKs know it, and PostHog knows projects only.
            for path in (f"/{name}", f"/push/{name}"):
                for key in ("stranger", ADMIN):
                    answer = _call(served, "POST", path, key, {})
                    assert (answer.status_code, answer.text[:20]) == (401, "API key is not valid")


def test_sigterm_ends_it_within_five_seconds_while_a_request_hangs(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        variables = {"HEDGEROW_ADMIN_KEY": ADMIN, "HEDGEROW_ALLOWED_PRIVATE_HOSTS": host}
        with dev(tmp_path / "data", **variables) as served:
            tenant = _call(served, "POST", "/v1/tenants", ADMIN, {"name": "Acme", "tier": "pro"}).json()
            wanted = {"host": f"http://{host}", "personal_api_key": "phx_nobodys0123456789"}

            def hang() -> None:
                with pytest.raises(httpx.HTTPError):
                    _call(served, "POST", "/v1/connections/test", tenant["api_key"], wanted).raise_for_status()

            hanging = threading.Thread(target=hang)
            hanging.start()
            silent.settimeout(10)
            accepted, _ = silent.accept()
            with accepted:
                code, seconds = served.end()
            hanging.join(timeout=10)
            assert code == 0
            assert seconds < 5


def test_started_again_it_goes_on_with_what_was_left(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data, HEDGEROW_ADMIN_KEY=ADMIN) as served:
        tenant = _call(served, "POST", "/v1/tenants", ADMIN, {"name": "Acme", "tier": "pro"}).json()
        served.process.kill()
        served.process.wait(timeout=10)

    async def publish() -> None:
        queue = EmbeddedQueue(data / "queue.db")
        await queue.publish(SyncRequested(connection_id="con_of_nobody", run_id="run_of_nobody"))
        await queue.close()

    async def waiting() -> int:
        queue = EmbeddedQueue(data / "queue.db")
        try:
            return await queue.waiting()
        finally:
            await queue.close()

    asyncio.run(publish())
    assert asyncio.run(waiting()) == 1
    with dev(data, HEDGEROW_ADMIN_KEY=ADMIN) as again:
        assert _call(again, "GET", f"/v1/tenants/{tenant['id']}", ADMIN).json()["name"] == "Acme"
        assert _call(again, "GET", "/v1/connections", tenant["api_key"]).json()["items"] == []
        until = time.monotonic() + 10
        while (left := asyncio.run(waiting())) and time.monotonic() < until:
            time.sleep(0.1)
        assert left == 0


def test_now_sets_where_the_clock_starts(tmp_path: Path) -> None:
    with dev(tmp_path / "data", "--now", "2031-05-06T07:08:09Z", HEDGEROW_ADMIN_KEY=ADMIN) as served:
        _call(served, "POST", "/v1/tenants", ADMIN, {"name": "Acme", "tier": "pro"})
        [tenant] = _call(served, "GET", "/v1/tenants", ADMIN).json()["items"]
        assert tenant["created_at"].startswith("2031-05-06T07:08:")


def _refused(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hedgerow.cli", "dev", *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = _refused("--port", port, "--data", str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with dev(tmp_path / "data", HEDGEROW_ADMIN_KEY=ADMIN) as first:
        assert (tmp_path / "data" / "lock").read_text() == f"{first.url}\n"
        done = _refused("--port", "0", "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "Another server" in done.stderr


def test_no_new_key_is_made_for_secrets_that_it_would_not_open(tmp_path: Path) -> None:
    data = tmp_path / "data"

    async def keep_a_secret() -> None:
        app = wiring.build(Settings(data=data))
        await app.vault.write("con_1", SecretStr("phx_secret"))
        await wiring.close(app)

    asyncio.run(keep_a_secret())
    (data / "sealing.key").unlink()

    done = _refused("--port", "0", "--data", str(data), HEDGEROW_ADMIN_KEY=ADMIN)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"{data / 'sealing.key'}, is not there; no new one was made." in done.stderr
    assert not (data / "sealing.key").exists()


def test_a_damaged_store_is_one_clear_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "store.db").write_bytes(b"x" * 8192)

    done = _refused("--port", "0", "--data", str(data), HEDGEROW_ADMIN_KEY=ADMIN)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "docs/operations/restore.md" in done.stderr


def test_without_emulators_there_is_one_clear_line(tmp_path: Path) -> None:
    emptied = {"FIRESTORE_EMULATOR_HOST": "", "PUBSUB_EMULATOR_HOST": ""}
    done = _refused("--port", "0", "--data", str(tmp_path / "data"), "--emulators", **emptied)
    assert done.returncode == 1
    assert "FIRESTORE_EMULATOR_HOST" in done.stderr
