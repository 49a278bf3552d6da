"""`make lock`: compiles pyproject.toml into the requirements files, with hashes, without index addresses.

The compiler lives in a throwaway environment: it is nobody's dependency.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--no-header",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-emit-options",
    "--strip-extras",
    "--allow-unsafe",
)


def main() -> int:
    """0 when the files were written; newer releases are taken only with `--upgrade`."""
    upgrade = [argument for argument in sys.argv[1:] if argument == "--upgrade"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder, "bin", "python")
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "pip-tools"], check=True)
        compiler: list[str | Path] = [python, "-m", "piptools", "compile", *OPTIONS, *upgrade]
        print("Compiling requirements.txt: what runs in the cloud.", flush=True)
        subprocess.run([*compiler, "-o", "requirements.txt", "pyproject.toml"], cwd=ROOT, check=True)
        print("Compiling requirements-dev.txt: the laptop, tests and checks, on the same versions.", flush=True)
        extras = ["--extra", "local", "--extra", "dev", "-c", "requirements.txt"]
        subprocess.run(
            [*compiler, *extras, "-o", "requirements-dev.txt", "pyproject.toml"],
            cwd=ROOT,
            check=True,
        )
        print("Compiling requirements-bench.txt: what the benchmarks compare with.", flush=True)
        rivals = ["--extra", "rivals", "-c", "requirements-dev.txt"]
        subprocess.run([*compiler, *rivals, "-o", "requirements-bench.txt", "pyproject.toml"], cwd=ROOT, check=True)
        print(
            "Compiling requirements-infra.txt: what scans the Terraform files, in an environment of its own.",
            flush=True,
        )
        subprocess.run([*compiler, "-o", "requirements-infra.txt", "infra/requirements.in"], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
