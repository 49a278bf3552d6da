"""Makes `releases/*`: what former releases wrote, by running their own code, for the upgrade tests to read.

    python -m tests.upgrade.make_releases

Each release is checked out into a worktree under a temporary folder; `writing.py` then
runs with that tree's own modules, once on its SQLite store and once on Google's Firestore
emulator. Made once; made again only when a release is added. Nothing in them is anybody's:
the vault's key is 32 zero bytes, the personal keys are those of a local PostHog that is gone.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from tests.emulators import firestore_emulator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RELEASES = {
    "1-metrics": "891f8a5",
    "2-capture": "1cee503",
    "3-alerts": "8e85046",
}
"""The last commit of each, by the name its files have."""


def main() -> None:
    """Make the files of every release that has none."""
    with firestore_emulator() as host:
        for name, commit in RELEASES.items():
            if not (HERE / "releases" / f"{name}.db.gz").exists():
                _make(name, commit, host)


def _make(name: str, commit: str, host: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree, database = Path(folder) / "tree", Path(folder) / "store.db"
        subprocess.run(["git", "worktree", "add", "--detach", str(tree), commit], cwd=ROOT, check=True)
        try:
            _write(tree, str(database))
            _write(tree, "firestore", f"release-{name}", host)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)
        _keep(f"{name}.db.gz", database.read_bytes())
        documents = json.dumps(_documents(host, f"release-{name}"), indent=1, sort_keys=True)
        _keep(f"{name}.documents.json.gz", documents.encode())


def _write(tree: Path, *arguments: str) -> None:
    script = (HERE / "writing.py").read_bytes()
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-", *arguments]
    subprocess.run(command, input=script, cwd=tree, env=environment, check=True, timeout=300)


def _keep(name: str, content: bytes) -> None:
    (HERE / "releases" / name).write_bytes(gzip.compress(content, 9, mtime=0))


def _documents(host: str, project: str) -> dict[str, dict[str, object]]:
    """Every document as Firestore's REST API writes it: collection to id to fields."""
    root = f"http://{host}/v1/projects/{project}/databases/(default)/documents"
    with httpx.Client(headers={"Authorization": "Bearer owner"}) as client:
        named = client.post(f"{root}:listCollectionIds", json={}).raise_for_status().json()["collectionIds"]
        found: dict[str, dict[str, object]] = {}
        for collection in named:
            page = client.get(f"{root}/{collection}", params={"pageSize": 1000}).raise_for_status().json()
            found[collection] = {each["name"].rsplit("/", 1)[1]: each.get("fields", {}) for each in page["documents"]}
        return found


if __name__ == "__main__":
    main()
