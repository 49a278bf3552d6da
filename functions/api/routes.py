"""The manifest as the public address and the local server read it: which target answers where.

A path may carry a method (`DELETE /v1/tenants/{tenant}`); the most specific entry wins. A
target's module is imported when the target is first called, never before.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from functions.api import manifest
from functions.api.manifest import Target
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

MANIFEST = Path(__file__).resolve().parent.parent / "manifest.json"


@cache
def targets(path: Path = MANIFEST) -> dict[str, Target]:
    """Every target by its name; `HedgerowError` for a manifest that cannot be used."""
    return manifest.read(path)


def checked(path: Path = MANIFEST) -> dict[str, Target]:
    """Every target, as `targets`; `HedgerowError` also for an entry whose file is not there."""
    for target in targets(path).values():
        if not (path.parent.parent / target.source).is_file():
            raise HedgerowError(
                f"`{target.name}` in manifest.json: there is no {target.source}.",
                code="bad_manifest",
                hint="Make it, or remove the entry.",
            )
    return targets(path)


def function(target: Target) -> Callable[[Request], Awaitable[ASGIApp]]:
    """The target's function, its module imported now: `functions/sync/main.py` is `functions.sync.main`.

    `HedgerowError` for one that cannot be imported: a file is missing.
    """
    return _imported(target.source, target.name)


@cache
def _imported(source: str, name: str) -> Callable[[Request], Awaitable[ASGIApp]]:
    try:
        module = importlib.import_module(source.removesuffix(".py").replace("/", "."))
    except ImportError as error:
        raise HedgerowError(
            f"{source} cannot be loaded: {error.msg}.",
            code="bad_bundle",
            hint="A file or a package is missing: `make bundle` makes a whole zip, `terraform apply` deploys it.",
        ) from error
    found: Callable[[Request], Awaitable[ASGIApp]] = getattr(module, name)
    return found


def match(method: str, path: str, written: Path = MANIFEST) -> Target | None:
    """The family that answers a call; None when nobody does. `HedgerowError` for a manifest that cannot be used."""
    for wanted, pattern, target in _table(written):
        if wanted in {"", method} and pattern.fullmatch(path):
            return target
    return None


@cache
def _table(written: Path) -> tuple[tuple[str, re.Pattern[str], Target], ...]:
    entries = [(*_split(path), target) for target in targets(written).values() for path in target.paths]
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
