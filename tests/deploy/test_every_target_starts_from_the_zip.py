"""The zip, unpacked in an empty folder beside its own packages: every target starts and answers its caller."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from functions.api.routes import targets
from hedgerow import wiring
from hedgerow.settings import Settings
from tests.deploy.callers import Case, Installation, install
from tests.deploy.deployment import Answer, Deployment, Request, ask, asked_in_turn

if TYPE_CHECKING:
    from functions.api import manifest

HOST = "127.0.0.1:9"
"""A PostHog that is down: nobody listens on the discard port."""
IMPORTED = """
import ast, importlib.util, json, pathlib, sys
wanted = set()
for file in pathlib.Path(".").rglob("*.py"):
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            wanted |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            wanted.add(node.module)
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
print(json.dumps(sorted(name for name in wanted if not found(name))))
"""


@pytest.fixture(scope="session")
def answered(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Case, Answer]]]:
    """Every target, started on a copy of one folder and asked what its caller asks."""
    folder = tmp_path_factory.mktemp("installation")
    settings = Settings(data=folder / "data", allowed_private_hosts=(HOST,), public_url="https://hedgerow.test")
    installation = asyncio.run(_install(settings))

    def answers(target: manifest.Target, cases: list[Case]) -> list[tuple[Case, Answer]]:
        data, log = folder / target.name, folder / f"{target.name}.log"
        shutil.copytree(folder / "data", data)
        variables = {
            "HEDGEROW_DATA": str(data),
            "HEDGEROW_ALLOWED_PRIVATE_HOSTS": HOST,
            "HEDGEROW_PUBLIC_URL": settings.public_url,
        }
        with deployment.started(target, variables, log) as address:
            return [(case, ask(address, case.request, log)) for case in cases]

    cases = installation.cases(targets())
    with asked_in_turn(cases) as places:
        asked = {name: places.submit(answers, target, cases[name]) for name, target in targets().items()}
        return {name: each.result() for name, each in asked.items()}


async def _install(settings: Settings) -> Installation:
    app = wiring.build(settings)
    try:
        return await install(app, f"http://{HOST}")
    finally:
        await app.store.close()
        await app.queue.close()


@pytest.mark.parametrize("name", sorted(targets()))
def test_a_target_answers_its_caller(answered: dict[str, list[tuple[Case, Answer]]], name: str) -> None:
    assert answered[name]
    for case, answer in answered[name]:
        assert answer.status == case.status, f"{case.request.path}: {answer.body[:500]}\n{answer.log[-3000:]}"
        assert case.says in answer.body
        assert "Traceback" not in answer.log
        if targets()[name].trigger == "schedule":
            assert isinstance(json.loads(answer.body), dict)


def test_the_packages_agree_with_each_other(deployment: Deployment) -> None:
    checked = deployment.run("-m", "pip", "check", "--disable-pip-version-check")
    assert checked.returncode == 0, checked.stdout


def test_every_file_compiles(deployment: Deployment) -> None:
    compiled = deployment.run("-m", "compileall", "-f", "-q", ".")
    assert compiled.returncode == 0, compiled.stdout


def test_whatever_any_file_imports_is_there(deployment: Deployment) -> None:
    looked = deployment.run("-c", IMPORTED)
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout) == []


def test_nothing_of_this_repository_is_in_reach(deployment: Deployment) -> None:
    seen = deployment.run("-c", "import hedgerow, functions; print(hedgerow.__file__); print(functions.__file__)")
    assert all(Path(line).is_relative_to(deployment.root) for line in seen.stdout.split())
    assert deployment.run("-c", "import local").returncode != 0


def test_a_deployment_without_a_file_says_which(deployment: Deployment, tmp_path: Path) -> None:
    root, log = tmp_path / "broken", tmp_path / "log"
    shutil.copytree(deployment.root, root)
    (root / "tiers.json").unlink()
    variables = {"HEDGEROW_DATA": str(tmp_path / "data")}
    with deployment.started(targets()["retention_tick"], variables, log, root) as address:
        answer = ask(address, Request("POST", "/", b"{}"), log)
    assert answer.status == 503
    assert json.loads(answer.body)["detail"] == "tiers.json cannot be read: No such file or directory."
