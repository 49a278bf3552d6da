"""The command as a process, and a loopback server that answers what a test tells it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Answers:
    """Answers by (method, path); what was asked is kept."""

    url: str = ""
    by_call: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    in_turn: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    def say(self, method: str, path: str, body: Any, status: int = 200) -> None:
        self.by_call[method, path] = (status, body)

    def say_in_turn(self, method: str, path: str, *bodies: Any) -> None:
        """One answer a call; the last one stays."""
        self.in_turn[method, path] = list(bodies)

    def answer_to(self, method: str, path: str, accept: str) -> tuple[int, Any]:
        """What was said for this method and path; for CSV, what was said for `GET text/csv`."""
        turns = self.in_turn.get((method, path))
        if turns:
            return 200, turns.pop(0) if len(turns) > 1 else turns[0]
        missing = (404, {"code": "not_found", "detail": "none", "hint": ""})
        asked = (f"{method} {accept}", path) if accept == "text/csv" else (method, path)
        return self.by_call.get(asked, missing)


@pytest.fixture
def answers() -> Iterator[Answers]:
    told = Answers()

    class Caller(BaseHTTPRequestHandler):
        def answer(self) -> None:
            path, _, _ = self.path.partition("?")
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            told.asked.append((self.command, self.path, self.headers.get("authorization", ""), body))
            status, said = told.answer_to(self.command, path, self.headers.get("accept", ""))
            text = said if isinstance(said, str) else json.dumps(said)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names http.server calls

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Caller)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hedgerow(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with nothing of Hedgerow's in its environment but these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    return subprocess.run(
        [sys.executable, "-m", "hedgerow.cli", *arguments],
        input=stdin,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
