"""The manifest grants each target what its code can reach, and nothing else."""

from __future__ import annotations

import ast
import json
from functools import cache
from typing import Any

import pytest

from functions.api import routes
from tests.infra.reachability import ROOT, Node, Source, reached, sources
from tests.infra.rights import Rights

MANIFEST: dict[str, dict[str, Any]] = json.loads((ROOT / "functions" / "manifest.json").read_text(encoding="utf-8"))


@cache
def modules() -> dict[str, Source]:
    return sources()


def root_of(name: str) -> Node:
    return MANIFEST[name]["source"].removesuffix(".py").replace("/", "."), name


@cache
def of_the_code(name: str) -> Rights:
    """What a target reaches; `api`, which imports by the manifest's paths, what the families behind them do."""
    rights = reached(modules(), root_of(name))[0]
    if name == "api":
        for target in routes.targets().values():
            if target.paths:
                rights = rights | of_the_code(target.name)
    return rights


@pytest.mark.parametrize("name", MANIFEST)
def test_a_target_has_the_rights_its_code_needs_and_no_more(name: str) -> None:
    assert MANIFEST[name].get("rights") == of_the_code(name).entry(), (
        f'the manifest must say: "rights": {json.dumps(of_the_code(name).entry())}'
    )


@pytest.mark.parametrize("name", MANIFEST)
def test_every_target_is_found_and_goes_somewhere(name: str) -> None:
    rights, seen = reached(modules(), root_of(name))
    assert root_of(name) in seen
    assert "read" in rights.store


def test_only_the_purge_removes_names_and_no_tick_touches_a_secret_but_to_look_whose_event_it_is() -> None:
    assert {name for name, entry in MANIFEST.items() if "delete" in entry["rights"]["secrets"]} == {"purge_connection"}
    ticks = {name: entry["rights"]["secrets"] for name, entry in MANIFEST.items() if entry["trigger"] == "schedule"}
    # Redelivery asks PostHog whether persons are identified before it merges them.
    assert {name: secrets for name, secrets in ticks.items() if secrets} == {"redeliver_tick": {"read": ["con_"]}}


def test_no_target_reads_the_secrets_of_another_kind() -> None:
    readers = {prefix: set[str]() for prefix in ("con_", "hash_", "chn_", "whk_", "signing-")}
    for name, entry in MANIFEST.items():
        for prefix in entry["rights"]["secrets"].get("read", ()):
            readers[prefix].add(name)
    assert "notify" not in readers["con_"]
    assert "sync_connection" not in readers["hash_"] | readers["chn_"] | readers["whk_"] | readers["signing-"]


def test_a_topic_that_is_published_has_a_target() -> None:
    heard = {entry["topic"] for entry in MANIFEST.values() if "topic" in entry}
    assert {topic for entry in MANIFEST.values() for topic in entry["rights"]["publish"]} <= heard


def changed(module: str, old: str, new: str) -> dict[str, Source]:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    assert old in text
    return sources({module: text.replace(old, new, 1)})


NOW = "    now = app.now()\n"


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("    await app.vault.read('con_1')\n", "read"),
        ("    vault = app.vault\n    await vault.destroy('con_1')\n", "destroy"),
        ("    await asyncio.gather(*map(app.vault.read, ['con_1']))\n", "read"),
        ("    from hedgerow.disconnection import end\n    await end(app, connection)\n", "destroy"),
        ("    from hedgerow import disconnection as ending\n    await ending.end(app, connection)\n", "destroy"),
    ],
)
def test_a_tick_that_reached_the_vault_would_be_caught(line: str, verb: str) -> None:
    mutated = changed("functions.sync.ticking", NOW, NOW + line)
    assert verb in reached(mutated, root_of("sync_tick"))[0].secrets
    assert not of_the_code("sync_tick").secrets


def test_a_tick_that_deleted_or_published_elsewhere_would_be_caught() -> None:
    line = "    from hedgerow.messages import RunEnded\n    from hedgerow.ports import Delete\n"
    line += "    await app.store.commit(Delete(SyncRun, 'run_1'))\n    await app.queue.publish(RunEnded(connection_id='', run_id=''))\n"
    mutated, _ = reached(changed("functions.sync.ticking", NOW, NOW + line), root_of("sync_tick"))
    assert "delete" in mutated.store
    assert "run-ended" in mutated.publish


def test_a_route_that_reached_further_would_be_caught() -> None:
    old = "    return listing.catalog("
    mutated = changed("functions.metrics.main", old, f"    await app.vault.write('con_1', caller)\n{old}")
    assert "write" in reached(mutated, root_of("metrics"))[0].secrets
    assert "write" not in of_the_code("metrics").secrets


def test_a_secret_of_nobody_knows_whom_is_refused() -> None:
    old = "    asked = asked or DisconnectAsked()\n"
    mutated = changed("functions.disconnect.routes", old, f"{old}    await app.vault.write('con_1', caller)\n")
    with pytest.raises(ValueError, match="whose secrets"):
        reached(mutated, root_of("disconnect"))


def ports_let_go(modules: dict[str, Source]) -> set[str]:
    """Where a port is put under another name, so that what is done with it could not be seen."""
    found: set[str] = set()
    for name, source in modules.items():
        trees = [tree for bodies in source.bodies.values() for tree in bodies]
        trees += [tree for methods in source.methods.values() for tree in methods.values()]
        for tree in trees:
            held = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
            # The store may be handed to a function, whose own calls name it `store`.
            handed = {id(one) for each in ast.walk(tree) if isinstance(each, ast.Call) for one in each.args}
            for each in ast.walk(tree):
                if not isinstance(each, ast.Attribute) or each.attr not in {"store", "vault", "queue"}:
                    continue
                if id(each) not in held and not (each.attr == "store" and id(each) in handed):
                    found.add(f"{name}:{each.lineno} {ast.unparse(each)}")
    return found


def test_ports_are_used_under_their_own_names() -> None:
    # `recording.store` and its like are functions of ours.
    assert {found for found in ports_let_go(modules()) if ".store" not in found} == set()
    assert {found for found in ports_let_go(modules()) if "app.store" in found} == set()


def test_a_port_under_another_name_would_be_caught() -> None:
    mutated = changed("functions.sync.ticking", NOW, f"{NOW}    hidden = app.vault\n    await hidden.read('con_1')\n")
    assert any("app.vault" in found for found in ports_let_go(mutated))


def test_a_method_of_a_class_in_sight_counts() -> None:
    text = "class Opened:\n    def __init__(self, app):\n        self.app = app\n\n"
    text += "    async def open(self):\n        return await self.app.vault.read('con_1')\n\n\n"
    module = "functions.sync.ticking"
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    whole = path.read_text(encoding="utf-8").replace(NOW, NOW + "    await Opened(app).open()\n", 1)
    assert "await Opened(app).open()" in whole
    assert "read" in reached(sources({module: whole + "\n\n" + text}), root_of("sync_tick"))[0].secrets
