"""`make demo`: the whole journey of a user on this machine, by the product's own commands.

Owns the story and its order; the servers and commands are the product's.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from hedgerow.wiring import utc_now
from local import dataset, demo_alerts, demo_capture
from local.environment import wants_to_stay
from local.stage import Stage, StepError

ROOT = Path(__file__).resolve().parent.parent
LATE = timedelta(days=4)
PASTED = (
    "HEDGEROW_URL",
    "HEDGEROW_API_KEY",
    "HEDGEROW_ADMIN_KEY",
    "HEDGEROW_POSTHOG_PERSONAL_API_KEY",
    "HEDGEROW_POSTHOG_PROJECT_TOKEN",
)


def main() -> int:
    """0 when every step did what it says; else 1, with the step and the logs' last lines."""
    began = time.monotonic()
    home = ROOT / ".demo"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    stays = wants_to_stay()
    stage = Stage(folder, stays=stays)
    try:
        with stage:
            _tell(stage)
            _say(f"\nThe whole journey took {time.monotonic() - began:.0f} s.")
            if stays:
                _hand_over(stage)
    except (StepError, subprocess.TimeoutExpired, httpx.HTTPError, OSError) as error:
        print(f"\nThe demo stopped: {error}\n{stage.last_words()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; both servers have ended.", file=sys.stderr)
        return 130
    finally:
        if not (stays and any(server.process.poll() is None for server in stage.servers)):
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(stage: Stage) -> None:
    posthog = _start_posthog(stage)
    _start_hedgerow(stage, posthog["host"])
    _say("\n── An operator makes a tenant. Its key is shown once and kept hashed.")
    stage.variables["HEDGEROW_API_KEY"] = _make_tenant(stage)
    stage.variables["HEDGEROW_POSTHOG_PERSONAL_API_KEY"] = posthog["personal_api_key"]
    stage.variables["HEDGEROW_POSTHOG_PROJECT_TOKEN"] = posthog["project_token"]

    _say("\n── The tenant asks what its PostHog keys can do. They come from the environment, never from arguments.")
    stage.run("connect", "--host", posthog["host"], "--test")
    _say("\n── It connects. The personal API key goes into the vault, and 30 days are synced in one HogQL query.")
    stage.run("connect", "--host", posthog["host"], "--name", "Demo shop")
    _say("\n── The numbers, read from Hedgerow's own store: PostHog is not asked again.")
    stage.run("metrics")

    _be_late(posthog)
    stage.run("sync")
    _say("\n── Days that were complete and moved all the same: nothing is rewritten in silence.")
    stage.run("changes")
    _say("\n── A second count, by a query of another shape, against what is stored.")
    stage.run("prove")
    demo_alerts.tell(stage, posthog)
    demo_capture.tell(stage, posthog)

    _say("\n── The tenant leaves. The credential is destroyed; the history stays as long as the tier keeps it.")
    stage.run("disconnect")
    stage.run("metrics", "--name", "posthog_dau", "--name", "posthog_events")
    _say("\n── The personal API key is gone from the vault, so a sync is refused: that is what should happen.")
    stage.run("connections", "show")
    stage.run("sync", exits=4)


def _start_posthog(stage: Stage) -> dict[str, str]:
    events = stage.folder / "events.jsonl"
    now = utc_now()
    count = dataset.write(events, now)
    _say(
        f"{count:,} events of a web log, a CD shop and a generated shop (local/data/README.md), moved in time to end now; "
        f"{demo_alerts.plant(events, now):,} checkouts of an invented till."
    )
    _say("Starting a PostHog for this machine: ClickHouse and PostHog's own query parser, holding these events.")
    first = stage.serve(
        "posthog", "--port", "0", "--data", str(stage.folder / "posthog"), "--events", str(events)
    ).readline()
    if not first:
        raise StepError("The local PostHog did not start.")
    said: dict[str, str] = json.loads(first)
    # The shop's events tell of this flag; PostHog itself has to know it too.
    httpx.post(f"{said['host']}/_local/flags", json={"key": "new-checkout"}, timeout=30).raise_for_status()
    _say(f"  {said['host']}, project {said['project_id']}, with one feature flag, new-checkout")
    return said


def _start_hedgerow(stage: Stage, posthog: str) -> None:
    _say(
        "Starting Hedgerow: every cloud function on one port, state in SQLite, keys sealed with AES-256-GCM, no account anywhere."
    )
    stage.variables["HEDGEROW_ADMIN_KEY"] = f"hdg_admin_{secrets.token_urlsafe(32)}"
    stage.variables["HEDGEROW_ALLOWED_PRIVATE_HOSTS"] = httpx.URL(posthog).netloc.decode()
    output = stage.serve("dev", "--port", "0", "--data", str(stage.folder / "hedgerow"))
    for line in output:
        if line.startswith("ready "):
            stage.variables["HEDGEROW_URL"] = line.split()[1]
            _say(f"  {stage.variables['HEDGEROW_URL']}")
            return
    raise StepError("Hedgerow did not start.")


def _make_tenant(stage: Stage) -> str:
    """The tenant's key; the screen shows its beginning only."""
    said = stage.read("tenants", "create", "Demo Ltd", "--tier", "pro")
    key = said.partition("HEDGEROW_API_KEY=")[2].strip()
    if not key:
        raise StepError("The new tenant has no key.")
    _say(said.rstrip().replace(key, f"{key[:8]}…"))
    return key


def _be_late(posthog: dict[str, str]) -> None:
    at = (utc_now() - LATE).replace(hour=12, minute=0, second=0, microsecond=0)
    _say(
        f"\n── A phone that was offline sends a page view of {at:%Y-%m-%d %H:%M} UTC only now, to PostHog's capture endpoint."
    )
    event = {
        "api_key": posthog["project_token"],
        "event": "$pageview",
        "distinct_id": "visitor_who_was_offline",
        "uuid": str(uuid.uuid4()),
        "timestamp": _text(at),
        "properties": {"$pathname": "/catalog", "$lib": "posthog-ios"},
    }
    answer = httpx.post(f"{posthog['host']}/i/v0/e/", json=event, timeout=30, trust_env=False)
    if answer.status_code != 200:
        raise StepError(f"The local PostHog answered the late event with {answer.status_code}.")
    _say(f"POST {posthog['host']}/i/v0/e/ → {answer.status_code}")


def _hand_over(stage: Stage) -> None:
    """Connect again, so that there is something to look at, and say how to go on and how to stop."""
    _say("\n── Connected again: the same project comes back under its old id, with its history.")
    connected = json.loads(stage.read("connect", "--host", _posthog_of(stage), "--json"))
    _say(f"{connected['name']} is {connected['id']}, {connected['state']}.")
    _say("\nBoth servers stay. To use them from this terminal:")
    for line in exports(stage.variables, Path(sys.executable).parent):
        _say(f"  {line}")
    _say("PostHog's keys are those of the local PostHog, good for nothing else.")
    _say(f"The local PostHog is {_posthog_of(stage)}. Everything is kept in {stage.folder.relative_to(ROOT)}.")
    _say(f"To stop both: kill {' '.join(str(server.process.pid) for server in stage.servers)}")


def exports(variables: dict[str, str], scripts: Path) -> list[str]:
    """The lines to paste into a shell. PostHog's keys are among them: rotating and connecting again ask for them."""
    lines = [f"export {name}={shlex.quote(variables[name])}" for name in PASTED]
    return [*lines, f'export PATH={shlex.quote(str(scripts))}:"$PATH"']


def _posthog_of(stage: Stage) -> str:
    return f"http://{stage.variables['HEDGEROW_ALLOWED_PRIVATE_HOSTS']}"


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
