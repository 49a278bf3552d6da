"""The manifest as the public address and the local server read it: which target answers where.

A path may carry a method (`DELETE /v1/tenants/{tenant}`); the most specific entry wins. A
target's module is imported when the target is first called, never before.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

MANIFEST = Path(__file__).resolve().parent.parent / "manifest.json"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a schedule target is called (five-field cron, UTC), and with what."""

    cron: str
    body: dict[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """One function of the manifest."""

    name: str
    source: str
    trigger: Literal["http", "schedule", "topic"]
    topic: str | None
    schedules: tuple[Schedule, ...]
    paths: tuple[str, ...]


@cache
def targets(manifest: Path = MANIFEST) -> dict[str, Target]:
    """Every target by its name."""
    return {
        name: Target(
            name=name,
            source=entry["source"],
            trigger=entry["trigger"],
            topic=entry.get("topic"),
            schedules=tuple(Schedule(each["cron"], each["body"]) for each in entry.get("schedules", ())),
            paths=tuple(entry.get("paths", ())),
        )
        for name, entry in json.loads(manifest.read_text(encoding="utf-8")).items()
    }


def function(target: Target) -> Callable[[Request], Awaitable[ASGIApp]]:
    """The target's function, its module imported now: `functions/sync/main.py` is `functions.sync.main`."""
    return _imported(target.source, target.name)


@cache
def _imported(source: str, name: str) -> Callable[[Request], Awaitable[ASGIApp]]:
    module = importlib.import_module(source.removesuffix(".py").replace("/", "."))
    found: Callable[[Request], Awaitable[ASGIApp]] = getattr(module, name)
    return found


def match(method: str, path: str) -> Target | None:
    """The family that answers a call; None when nobody does."""
    for wanted, pattern, target in _table():
        if wanted in {"", method} and pattern.fullmatch(path):
            return target
    return None


@cache
def _table() -> tuple[tuple[str, re.Pattern[str], Target], ...]:
    entries = [(*_split(path), target) for target in targets().values() for path in target.paths]
    entries.sort(key=lambda entry: _vagueness(entry[0], entry[1]))
    return tuple((method, _pattern(path), target) for method, path, target in entries)


def _split(entry: str) -> tuple[str, str]:
    method, separator, path = entry.rpartition(" ")
    return (method if separator else "", path)


def _vagueness(method: str, path: str) -> tuple[tuple[bool, ...], bool]:
    """Literal segments before placeholders, from the left; a named method before any."""
    return (tuple(segment.startswith("{") for segment in path.split("/")), not method)


def _pattern(path: str) -> re.Pattern[str]:
    segments = ("[^/]+" if segment.startswith("{") else re.escape(segment) for segment in path.split("/"))
    return re.compile("/".join(segments))
