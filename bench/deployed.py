"""The zip, deployed on this machine as the cloud's builder does it: unpacked, its packages beside it, all of it compiled."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import cloud
from bench.children import end
from local import bundle


@dataclass(frozen=True, slots=True)
class Deployed:
    """A folder with the zip's files, and a Python with the cloud's packages and no other."""

    root: Path
    python: Path

    @contextmanager
    def started(
        self, target: str, source: str | Path, port: int, log: Path, variables: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[str]]:
        """functions-framework on one target; nothing of this repository on its path or in its environment."""
        command = [str(self.python), "-m", "functions_framework", "--target", target, "--source", str(source)]
        with log.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                cwd=self.root,
                env={
                    "PATH": f"{self.python.parent}{os.pathsep}{os.defpath}",
                    "PYTHONPATH": str(self.root),
                    "LOG_EXECUTION_ID": "false",
                    "PYDANTIC_DISABLE_PLUGINS": "__all__",
                    **variables,
                },
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            end(process)


def deploy(folder: Path) -> Deployed:
    """Build the zip of this repository and unpack it below `folder`."""
    root = folder / "workspace"
    made = bundle.build(folder / "functions.zip")
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(root)
    python = cloud.environment(folder / "cloud")
    subprocess.run([str(python), "-m", "compileall", "-f", "-q", "."], cwd=root, check=True)
    return Deployed(root, python)
