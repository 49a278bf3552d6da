"""The machine a measurement was taken on, in general words: nothing that names or finds it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """Such as "Linux, x86_64, 2 cores, 23 GiB of memory, CPython 3.11.7, load 0.4 at the start"."""
    parts = [platform.system(), platform.machine(), f"{os.cpu_count()} cores"]
    if (memory := _memory_gib()) is not None:
        parts.append(f"{memory:.0f} GiB of memory")
    parts.append(f"{platform.python_implementation()} {platform.python_version()}")
    parts.append(f"load {os.getloadavg()[0]:.1f} at the start")
    return ", ".join(parts)


def _memory_gib() -> float | None:
    file = Path("/proc/meminfo")
    if not file.exists():
        return None
    for line in file.read_text(encoding="ascii").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) / 1024 / 1024
    return None
