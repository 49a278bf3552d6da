"""Whether the files of a zip fit together: manifest, tiers, code. Reads nothing but what it is handed, runs none of it."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from functions.api import manifest
from hedgerow import tiers
from hedgerow.errors import HedgerowError
from hedgerow.models import Tier

OURS = ("functions", "hedgerow", "local", "tests", "bench")
"""Packages of the repository: what one of them imports must be in the zip."""


def check(contents: Mapping[str, bytes]) -> None:
    """`HedgerowError` for the first thing that would fail in the cloud."""
    targets, rules = _read(contents)
    modules = {name: _parsed(name, source) for name, source in contents.items() if name.endswith(".py")}
    for target in targets.values():
        if target.source not in modules:
            _refuse(f"`{target.name}` in manifest.json: there is no {target.source}", "Make it, or remove the entry")
        if target.name not in set(_defined(modules[target.source])):
            _refuse(
                f"`{target.name}` in manifest.json is not defined in {target.source}",
                "Define it there, or mend the entry",
            )
    _check_ticks(targets, rules)
    _check_imports(modules)
    _check_requirements(_text("requirements.txt", contents["requirements.txt"]))


def _read(contents: Mapping[str, bytes]) -> tuple[dict[str, manifest.Target], dict[Tier, tiers.TierRules]]:
    """The manifest and the tiers as a function will read them: by the same code."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("functions/manifest.json", "tiers.json"):
            Path(folder, Path(name).name).write_bytes(contents[name])
        return manifest.read(Path(folder, "manifest.json")), tiers.load(Path(folder, "tiers.json"))


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        _refuse(f"{name} is not UTF-8 text", "Run `make lock`")


def _parsed(name: str, source: bytes) -> ast.Module:
    try:
        return ast.parse(source, name)
    except (SyntaxError, ValueError) as error:
        _refuse(f"{name} is not Python: {error}", "Mend it; one such file fails the whole build")
    except (RecursionError, MemoryError):
        # Python's parser says so of what is nested too deeply.
        _refuse(f"{name} is nested too deeply for Python", "Mend it; one such file fails the whole build")


def _defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module's own lines bind to functions, or to what a call returned."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))


def _check_imports(modules: Mapping[str, ast.Module]) -> None:
    """What of the repository a module imports, in its functions too, has to be there."""
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted = [each.name for each in node.names if each.name.split(".")[0] in OURS]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
                wanted = [f"{node.module}.{each.name}" for each in node.names]
            else:
                continue
            if missing := next((each for each in wanted if not _is_there(each, modules)), None):
                _refuse(f"{name} imports {missing}, which is not in the zip", "Add the file, or drop the import")


def _is_there(dotted: str, modules: Mapping[str, ast.Module]) -> bool:
    """A module, or a name inside one; of a package, only what its `__init__` binds."""
    path, (parent, _, last) = dotted.replace(".", "/"), dotted.rpartition(".")
    if f"{path}.py" in modules or f"{path}/__init__.py" in modules or f"{parent.replace('.', '/')}.py" in modules:
        return True
    package = modules.get(f"{parent.replace('.', '/')}/__init__.py")
    return package is not None and last in set(_defined(package))


def _check_ticks(targets: Mapping[str, manifest.Target], rules: Mapping[Tier, tiers.TierRules]) -> None:
    """A tier that syncs by itself has a tick, and a tick a tier that exists."""
    ticked = {
        schedule.body["tier"] for target in targets.values() for schedule in target.schedules if "tier" in schedule.body
    }
    if unknown := sorted(ticked - set(rules)):
        _refuse(f"A schedule in manifest.json is for the tier `{unknown[0]}`, which tiers.json does not have")
    for tier, each in rules.items():
        if each.every is not None and tier not in ticked:
            _refuse(
                f"`{tier}` in tiers.json syncs by itself, but no schedule in manifest.json ticks it",
                f'Add {{"cron": "*/5 * * * *", "body": {{"tier": "{tier}"}}}} to sync_tick',
            )


def _check_requirements(text: str) -> None:
    """Every package by version and hash: the builder's pip takes all with hashes or none."""
    entries = text.replace("\\\n", " ").splitlines()
    wanted = [line for line in entries if line.strip() and not line.lstrip().startswith("#")]
    if bad := next((line for line in wanted if "==" not in line or "--hash=sha256:" not in line), None):
        _refuse(f"requirements.txt: `{bad.split()[0]}` has no version and hash", "Run `make lock`")
    if not any(line.startswith("functions-framework==") for line in wanted):
        _refuse("requirements.txt does not list functions-framework", "Run `make lock`")


def _refuse(what: str, hint: str = "Mend the one or the other") -> NoReturn:
    raise HedgerowError(f"{what}.", code="bad_bundle", hint=f"{hint}.")
