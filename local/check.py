"""`make check`: format, lint, types and architecture, all of them even when one is red."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = (
    ("Format", ("ruff", "format", "--check", "--quiet", ".")),
    ("Lint", ("ruff", "check", "--quiet", ".")),
    ("Types", ("mypy",)),
    ("Architecture", ("lint-imports",)),
)


def main() -> int:
    """0 when every check is green; 1 with the names of those that are not."""
    root = Path(__file__).resolve().parent.parent
    scripts = Path(sys.executable).parent
    red: list[str] = []
    for name, (program, *arguments) in CHECKS:
        print(f"── {name}: {program} {' '.join(arguments)}", flush=True)
        if subprocess.run([scripts / program, *arguments], cwd=root, check=False).returncode != 0:
            red.append(name)
    print(f"Red: {', '.join(red)}." if red else "Format, lint, types and architecture are green.")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
