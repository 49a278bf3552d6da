"""The stack with every resource of Google's replaced by Terraform's own `terraform_data`, so that Terraform evaluates it offline.

What Google would answer (ids, e-mail addresses, the functions' addresses) is made up here;
what we write is evaluated as it stands: every `for_each`, condition, template and call of
a module, and what goes before what when it is changed. Whether Google takes a value stays
open. A `for` over bare instances is not understood: write `google_a.b[*].attribute`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.infra import hcl
from tests.infra.arguments import entry_of, tables
from tests.infra.hcl import REPOSITORY, ROOT, Block
from tests.infra.terraform_program import run

PROJECT_NUMBER = "123456789012"
INSTANCE = re.compile(
    r"(?<![\w.\"])(?P<kind>data\.|ephemeral\.)?(?P<type>(?:google|random|time)_[a-z0-9_]+)\.(?P<name>[a-z0-9_]+)"
    r"(?P<index>\[(?:[^\[\]]|\[[^\[\]]*\])*\])?(?P<reads>\.(?=[a-z]))?"
)
MADE_UP = {
    "email": '"${%s}@my-project.iam.gserviceaccount.com"',
    "member": '"serviceAccount:${%s}@my-project.iam.gserviceaccount.com"',
    "number": f'"{PROJECT_NUMBER}"',
    "version": '"7"',
    "result": '"made while Terraform ran"',
}

STEP = re.compile(
    r"^(?:module\.\S+?\.)?terraform_data\.(?P<what>.+?)(?: \(deposed object \w+\))?: (?P<did>Creation|Modifications|Destruction) complete",
    re.MULTILINE,
)
DONE = {"Creation": "Made", "Modifications": "Changed", "Destruction": "Taken"}
FIXED = {"google_monitoring_uptime_check_config": "monitored_resource", "time_sleep": "triggers"}
"""What cannot be changed in place, where a test needs to see it replaced."""


class Twin:
    """The stack in a folder of its own, applied with these variables; `resources` is what it came to."""

    def __init__(self, folder: Path, **variables: object) -> None:
        self.folder = folder / "infra" / "terraform"
        (folder / "dist").mkdir(parents=True)
        (folder / "dist" / "functions.zip").write_bytes(b"a zip")
        (folder / "tiers.json").symlink_to(REPOSITORY / "tiers.json")
        (folder / "functions").mkdir()
        for name in sorted(path.name for path in (REPOSITORY / "functions").iterdir()):
            if name != "manifest.json":
                (folder / "functions" / name).symlink_to(REPOSITORY / "functions" / name)
        (folder / "functions" / "manifest.json").write_bytes((REPOSITORY / "functions" / "manifest.json").read_bytes())
        for module in hcl.modules():
            _write(module, self.folder / module.relative_to(ROOT))
        for file in sorted(path for path in ROOT.rglob("*") if path.suffix in {".json", ".md", ".tftpl"}):
            copy = self.folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
        self._say(variables)
        self._call("init", "-input=false")
        self.steps = self._apply()

    def change(self, *, replaced: tuple[str, ...] = (), **variables: object) -> None:
        """Apply once more with other variables, and with what a test changed in the files; `steps` tells how it went.

        `replaced` names resources to make anew, as Terraform does with those whose making failed.
        """
        self._say(variables)
        self.steps = self._apply(*(f"-replace={address}" for address in replaced))

    def _say(self, variables: dict[str, object]) -> None:
        (self.folder / "test.auto.tfvars.json").write_text(
            json.dumps({"project_id": "my-project", **variables}), "utf-8"
        )

    def _apply(self, *more: str) -> tuple[str, ...]:
        """What was made, changed or taken away, in this order: `Destroyed google_a__b["c"]`, modules left out."""
        said = self._call("apply", "-auto-approve", "-input=false", "-refresh=false", *more)
        root = json.loads(self._call("show", "-json"))["values"]
        self.outputs = {name: output["value"] for name, output in root["outputs"].items()}
        self.resources = dict(_resources(root["root_module"]))
        return tuple(f"{DONE[found['did']]} {found['what']}" for found in STEP.finditer(said))

    def of(self, kind: str) -> list[Any]:
        """Every resource of a type, evaluated."""
        return [values for address, values in self.resources.items() if f".{kind}__" in f".{address}"]

    def by_key(self, kind: str, name: str = "") -> dict[str, Any]:
        """Those of a type, and of a name where several have it, that one `for_each` makes, its own or its module's, by their keys."""
        pairs = [
            (re.findall(r'\["([^"]*)"\]', address)[-1], values)
            for address, values in self.resources.items()
            if f".{kind}__{name}" in f".{address}" and '["' in address
        ]
        assert len(pairs) == len(dict(pairs)), kind
        return dict(pairs)

    def _call(self, *arguments: str) -> str:
        answer = run(self.folder, *arguments, *(() if arguments[0] == "show" else ("-no-color",)))
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


def _resources(module: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for resource in module.get("resources", ()):
        yield resource["address"], resource["values"]["output"]
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _write(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [block for block in hcl.module(source) if block.kind not in ("terraform", "provider")]
    (folder / "twin.tf").write_text("\n".join(_written(block) for block in blocks), "utf-8")


def _written(block: Block) -> str:
    if block.kind in ("resource", "data", "ephemeral"):
        return _instance(block)
    labels = "".join(f' "{label}"' for label in block.labels)
    lines = [f"{_key(name)} = {_expression(value)}" for name, value in block.attributes.items()]
    return "\n".join([f"{block.kind}{labels} {{", *lines, *map(_written, block.blocks), "}\n"])


def _instance(block: Block) -> str:
    prefix = "" if block.kind == "resource" else f"{block.kind}__"
    meta = [
        f"{name} = {_expression(block.attributes[name])}" for name in ("for_each", "count") if name in block.attributes
    ]
    waits = block.attributes.get("depends_on")
    if isinstance(waits, list):
        meta.append(f"depends_on = [{', '.join(_expression(each) for each in waits)}]")
    values = {
        name: value for name, value in block.attributes.items() if name not in ("for_each", "count", "depends_on")
    }
    body = _object(values, (inner for inner in block.blocks if inner.kind not in tables()["meta_blocks"]))
    if (fixed := FIXED.get(block.labels[0])) is not None:
        meta.append(f"triggers_replace = {body}.{fixed}")
    return "\n".join(
        [
            f'resource "terraform_data" "{prefix}{block.labels[0]}__{block.labels[1]}" {{',
            *meta,
            *_lifecycle(block),
            f"input = merge({_exports(block)}, {body})",
            "}\n",
        ]
    )


def _lifecycle(block: Block) -> Iterator[str]:
    """What of it says in which order things happen."""
    for inner in block.inner("lifecycle"):
        order = {
            name: value
            for name, value in inner.attributes.items()
            if name in ("create_before_destroy", "replace_triggered_by")
        }
        yield "lifecycle {"
        yield from (f"{name} = {_expression(value)}" for name, value in order.items())
        yield "}"


def _exports(block: Block) -> str:
    """What Google would answer, made up from the block's own place."""
    entry = entry_of(block)
    assert entry is not None, block.name
    index = "${each.key}" if "for_each" in block.attributes else "0"
    account = _expression(block.attributes.get("account_id", '""'))
    made_up = {
        name: MADE_UP[name] % account
        if "%s" in MADE_UP.get(name, "")
        else MADE_UP.get(name, f'"{block.labels[0]}/{block.labels[1]}/{index}/{name}"')
        for name in entry.get("exports", "").split()
        if name not in entry.get("blocks", {})
    }
    return "{ " + ", ".join(f"{name} = {value}" for name, value in made_up.items()) + " }"


def _object(values: dict[str, object], blocks: Iterable[Block]) -> str:
    """An object of a body: arguments as they are, nested blocks as lists."""
    members = [f"{_key(name)} = {_expression(value)}" for name, value in values.items()]
    by_kind: dict[str, list[str]] = {}
    for block in blocks:
        inner = _object(dict(block.attributes), block.blocks)
        if block.kind == "service_config":
            inner = f'merge({{ uri = "https://${{var.name}}-hash.a.run.app" }}, {inner})'
        made = f"[{inner}]"
        if block.made_for is not None:
            pairs = f"[for k, v in {_expression(block.made_for)} : {{ key = k, value = v }}]"
            made = f"[for {block.kind} in {pairs} : {inner}]"
        by_kind.setdefault(block.kind, []).append(made)
    members += [f"{kind} = concat({', '.join(made)})" for kind, made in by_kind.items()]
    return "{\n" + "\n".join(members) + "\n}"


def _expression(value: object) -> str:
    match value:
        case str() if value.startswith("${") and value.endswith("}"):
            return _renamed(value[2:-1])
        case str():
            return _renamed(value)
        case list():
            return "[" + ", ".join(map(_expression, value)) + "]"
        case dict():
            return "{\n" + "\n".join(f"{_key(key)} = {_expression(each)}" for key, each in value.items()) + "\n}"
        case _:
            return json.dumps(value)


def _key(key: str) -> str:
    return f"({_expression(key)})" if key.startswith("${") else key


def _renamed(expression: str) -> str:
    def name(found: re.Match[str]) -> str:
        prefix = (found["kind"] or "").replace(".", "__")
        index = _renamed(found["index"]) if found["index"] else ""
        return f"terraform_data.{prefix}{found['type']}__{found['name']}{index}" + (
            ".output." if found["reads"] else ""
        )

    return INSTANCE.sub(name, expression)
