"""`make demo` as a test: the journey by the product's own commands, whole, tidy, and without a key in sight."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = (
    "tenants create",
    "connect",
    "connect",
    "metrics",
    "sync",
    "changes",
    "prove",
    "channels add",
    "channels test",
    "alerts add",
    "incidents",
    "sync",
    "incidents --all",
    "alerts",
    "outbox",
    "reconcile",
    "guards set",
    "disconnect",
    "metrics",
    "connections",
    "sync",
)


def _environment(**variables: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "SERVE"}, **variables}


def _children_of(parent: int) -> set[int]:
    """The processes that this one started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold spaces; the parent is the second field behind it.
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


def test_the_demo_tells_the_whole_journey() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, said[-3_000:] + done.stderr[-3_000:]

    shown = re.findall(r"^\$ hedgerow (.*)$", said, re.MULTILINE)
    assert [" ".join(each.split()[: len(step.split())]) for each, step in zip(shown, STEPS, strict=True)] == list(STEPS)
    assert "These keys are enough to connect." in said
    assert re.search(r"[\d,]+ points stored", said)
    assert re.search(r"^posthog_dau +[▁▂▃▄▅▆▇█]{7,}", said, re.MULTILINE)
    assert re.search(r"^\d{4}-\d\d-\d\d  posthog_dau +(\d+) +(\d+)$", said, re.MULTILINE)
    assert "complete day(s) moved" in said
    assert "Equal, day by day." in said
    assert re.search(r"Firing: checkout.completed: 2, usually \d", said)
    assert re.search(
        r"GET .*/v1/pages/… → 200, the incident is open\nPOST .* → 200, the incident is acknowledged", said
    )
    assert re.search(r"Resolved: .*Late data moved the number", said)
    assert "PostHog holds all 1,000, each once" in said
    assert "maria" not in next(line for line in said.splitlines() if line.startswith("  payment.completed"))
    assert re.search(r"^  \$identify +email +maria", said, re.MULTILINE)
    assert "credential is destroyed" in said
    assert re.search(r"personal API key +none", said)
    assert "connection_disconnected" in done.stderr

    assert not re.search(r"ph[cx]_\w{6,}|hdg_\w{12,}", said + done.stderr)
    assert "\x1b" not in said
    assert time.monotonic() - began < 200


def test_an_interrupted_demo_ends_its_servers() -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "local.demo"],
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("Starting Hedgerow"):
                break
        servers = _children_of(demo.pid)
        assert servers
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "both servers have ended" in errors
    assert not any(Path(f"/proc/{server}").exists() for server in servers)
