"""The zip, deployed on this machine as the cloud's builder does it, and its targets started as the cloud starts them."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from functions.api import manifest
from local import bundle

START_SECONDS = 60.0
INSTALL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a target's caller sends it."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and what the process had written by then."""

    status: int
    body: str
    headers: dict[str, str]
    log: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A folder with the zip's files and a Python with the packages of its requirements.txt, nothing else."""

    root: Path
    python: Path

    def run(self, *words: str, root: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A Python command in the unzipped folder, to its end."""
        command = [str(self.python), *words]
        where = root or self.root
        return subprocess.run(
            command,
            cwd=where,
            env=self._environment(where),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )

    @contextmanager
    def started(
        self, target: manifest.Target, variables: Mapping[str, str], log: Path, root: Path | None = None
    ) -> Iterator[str]:
        """functions-framework on one target; the block gets its "host:port" once the port is open."""
        where, port = root or self.root, _free_port()
        command = [str(self.python), "-m", "functions_framework"]
        asked = ["--target", target.name, "--source", target.source, "--host", "127.0.0.1", "--port", str(port)]
        platform = {
            "PORT": str(port),
            "K_SERVICE": target.name.replace("_", "-"),
            "K_REVISION": f"{target.name.replace('_', '-')}-00001-abc",
            "K_CONFIGURATION": target.name.replace("_", "-"),
            "FUNCTION_TARGET": target.name,
            "FUNCTION_SOURCE": target.source,
            "FUNCTION_SIGNATURE_TYPE": "http",
            "LOG_EXECUTION_ID": "false",
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
        }
        with log.open("wb") as said:
            process = subprocess.Popen(
                [*command, *asked],
                cwd=where,
                env={**self._environment(where), **platform, **variables},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_for(process, port, log)
            yield f"127.0.0.1:{port}"
        finally:
            # gunicorn has a worker of its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _environment(self, root: Path) -> dict[str, str]:
        # Nothing of whoever runs the tests: neither the repository's path nor their settings.
        return {"PATH": f"{self.python.parent}{os.pathsep}{os.defpath}", "PYTHONPATH": str(root), "LANG": "C.UTF-8"}


def unzipped(folder: Path) -> Path:
    """The zip of this repository, unpacked in a new folder."""
    made = bundle.build(folder / "functions.zip")
    root = folder / "workspace"
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(root)
    return root


def installed(folder: Path, root: Path) -> Path:
    """A new environment with the zip's requirements, each package held to its hash; the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_SECONDS)
    python = folder / "bin" / "python"
    subprocess.run(
        [
            *(str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "-r", str(root / "requirements.txt")),
        ],
        cwd=folder,
        check=True,
        timeout=INSTALL_SECONDS,
    )
    return python


def ask(address: str, request: Request, log: Path) -> Answer:
    """The whole answer to one request."""
    client = http.client.HTTPConnection(address, timeout=START_SECONDS)
    try:
        client.request(request.method, request.path, request.body, request.headers)
        answer = client.getresponse()
        body = answer.read().decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, body, headers, log.read_text(errors="replace"))
    finally:
        client.close()


def asked_in_turn(work: Mapping[str, object], places: int = 4) -> ThreadPoolExecutor:
    """Room to start several targets at once: each is mostly its own imports, and the machine has few cores."""
    return ThreadPoolExecutor(min(places, max(1, len(work))))


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"the target did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
