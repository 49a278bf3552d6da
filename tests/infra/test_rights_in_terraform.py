"""What Terraform grants is what the manifest says: its own locals are evaluated, offline, and its resources read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.infra import hcl
from tests.infra.hcl import Block
from tests.infra.terraform_program import manifest, needs_terraform, run, tiers

NUMBER = "428901773355"
# What only an account knows, by what stands in for it.
KNOWN_LATER = {
    r"data\.google_project\.this\.number": f'"{NUMBER}"',
    r"google_service_account\.([a-z]+)\.member": r'"account:\1"',
    r"google_secret_manager_secret\.([a-z_]+)(?:\[0\])?\.secret_id": r'"hedgerow-\1"',
    r"google_secret_manager_secret_version\.\w+(?:\[0\])?\.version": '"1"',
}


def of(kind: str) -> dict[str, Block]:
    return {block.labels[1]: block for block in hcl.resources() if block.labels[0] == kind}


def locals_of(*files: str) -> str:
    """The `locals` of the root's files, as they are written."""
    written = "\n".join((hcl.ROOT / file).read_text("utf-8") for file in files)
    blocks = "\n".join(re.findall(r"^locals \{\n.*?^\}\n", written, re.MULTILINE | re.DOTALL))
    for later, known in KNOWN_LATER.items():
        blocks = re.sub(later, known, blocks)
    return blocks


class Root:
    """The grants' logic in a folder of its own: modules/plan, the locals, and one output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(hcl.ROOT / "modules" / "plan", folder / "plan")
        repository = folder / "repository"
        for source in sorted((hcl.REPOSITORY / "functions").glob("*/main.py")):
            copy = repository / source.relative_to(hcl.REPOSITORY)
            copy.parent.mkdir(parents=True)
            copy.touch()
        (repository / "dist").mkdir()
        (repository / "dist" / "functions.zip").write_bytes(b"a zip")
        (folder / "manifest.json").write_text(json.dumps(manifest()), "utf-8")
        (folder / "tiers.json").write_text(json.dumps(tiers()), "utf-8")
        expression = of("google_project_iam_member")["secret"].inner("condition")[0].attributes["expression"]
        condition = str(expression).removeprefix("${").removesuffix("}").replace("each.value", "right")
        (folder / "main.tf").write_text(
            f"""
variable "vault" {{ type = string }}
variable "separate_families" {{ type = bool }}
variable "sealing_key_version" {{ default = "1" }}
variable "secret_settings" {{
  type    = map(string)
  default = {{}}
}}
module "plan" {{
  source            = "./plan"
  repository        = "${{path.module}}/repository"
  manifest          = jsondecode(file("${{path.module}}/manifest.json"))
  tiers             = jsondecode(file("${{path.module}}/tiers.json"))
  separate_families = var.separate_families
}}
{locals_of("iam.tf", "secrets.tf")}
output "grants" {{
  value = {{
    store       = local.store_rights
    secrets     = local.secret_rights
    publish     = local.publish_rights
    environment = local.secret_environment
    conditions  = {{ for key, right in local.secret_rights : key => {condition} }}
    callers     = {{ for name, function in module.plan.functions : name => local.invokers[function.trigger] }}
  }}
}}
""",
            "utf-8",
        )
        begun = run(folder, "init", "-input=false", "-no-color")
        assert begun.returncode == 0, begun.stderr

    def grants(self, **variables: object) -> dict[str, Any]:
        (self.folder / "test.auto.tfvars.json").write_text(json.dumps(variables), "utf-8")
        answer = run(self.folder, "apply", "-auto-approve", "-input=false", "-no-color")
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(run(self.folder, "output", "-json").stdout)["grants"]["value"]
        return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return Root(tmp_path_factory.mktemp("grants") / "root")


@pytest.fixture(scope="module")
def granted(root: Root) -> dict[str, Any]:
    return root.grants(vault="secret_manager", separate_families=True)


def deployed(*, families: bool) -> dict[str, Any]:
    return {name: each for name, each in manifest().items() if families or each.get("callers") != "api"}


@needs_terraform
def test_every_right_of_the_manifest_is_granted_and_no_other(granted: dict[str, Any]) -> None:
    entries = deployed(families=True)
    assert {(right["target"], right["verb"]) for right in granted["store"].values()} == {
        (name, verb) for name, entry in entries.items() for verb in entry["rights"]["store"]
    }
    assert {(each["target"], each["topic"]) for each in granted["publish"].values()} == {
        (name, topic) for name, entry in entries.items() for topic in entry["rights"]["publish"]
    }
    assert {(each["target"], each["verb"], tuple(each["prefixes"])) for each in granted["secrets"].values()} == {
        (name, verb, tuple(prefixes))
        for name, entry in entries.items()
        for verb, prefixes in entry["rights"]["secrets"].items()
    }


@needs_terraform
def test_the_small_stack_grants_nothing_to_what_it_leaves_out(root: Root) -> None:
    granted = root.grants(vault="secret_manager", separate_families=False)
    entries = deployed(families=False)
    assert {right["target"] for right in granted["store"].values()} == set(entries)
    assert set(granted["callers"]) == set(entries)
    assert {name for name, caller in granted["callers"].items() if caller == "allUsers"} == {"api", "capture"}


@needs_terraform
def test_a_condition_holds_exactly_the_prefixes_and_never_the_installations_own_keys(granted: dict[str, Any]) -> None:
    begin = f"projects/{NUMBER}/secrets/hedgerow-"
    for key, written in granted["conditions"].items():
        named = re.findall(r'resource\.name\.startsWith\("([^"]+)"\)', written)
        assert " || ".join(f'resource.name.startsWith("{each}")' for each in named) == written
        assert named == [begin + prefix for prefix in granted["secrets"][key]["prefixes"]]
        for own in ("admin-key", "sealing-key"):
            assert not any(f"{begin}{own}/versions/1".startswith(each) for each in named)


@needs_terraform
def test_each_is_called_by_its_one_caller(granted: dict[str, Any]) -> None:
    callers = {"http": "allUsers", "schedule": "account:scheduler", "topic": "account:push"}
    assert granted["callers"] == {name: callers[entry["trigger"]] for name, entry in manifest().items()}


@needs_terraform
def test_a_sealed_vault_is_granted_as_records_and_its_key_goes_to_who_needs_it(root: Root) -> None:
    granted = root.grants(vault="sealed", separate_families=True)
    as_records = {"read": "read", "write": "write", "destroy": "delete", "delete": "delete"}
    assert granted["secrets"] == {}
    assert {(right["target"], right["verb"]) for right in granted["store"].values()} == {
        (name, verb)
        for name, entry in manifest().items()
        for verb in {*entry["rights"]["store"], *(as_records[verb] for verb in entry["rights"]["secrets"])}
    }
    holders = {name for name, secrets in granted["environment"].items() if "HEDGEROW_SEALING_KEY" in secrets}
    assert holders == {
        name for name, entry in manifest().items() if {"read", "write"} & entry["rights"]["secrets"].keys()
    }


@needs_terraform
def test_the_admin_key_goes_to_who_compares_it_and_a_secret_setting_to_who_reads_it(root: Root) -> None:
    granted = root.grants(
        vault="secret_manager", separate_families=True, secret_settings={"operator_webhook": "our-webhook"}
    )
    for name, entry in manifest().items():
        asked = entry["rights"].get("settings", [])
        wanted = {"HEDGEROW_ADMIN_KEY": "hedgerow-admin_key"} if "admin_key" in asked else {}
        wanted |= {"HEDGEROW_OPERATOR_WEBHOOK": "our-webhook"} if "operator_webhook" in asked else {}
        assert granted["environment"][name] == wanted


def test_each_grant_is_made_from_its_rights() -> None:
    made = {
        ("google_project_iam_member", "store"): "${local.store_rights}",
        ("google_project_iam_member", "secret"): "${local.secret_rights}",
        ("google_pubsub_topic_iam_member", "publisher"): "${local.publish_rights}",
        ("google_secret_manager_secret_iam_member", "reader"): "${local.readers}",
        ("google_cloud_run_v2_service_iam_member", "invoker"): "${module.plan.functions}",
    }
    for (kind, name), rights in made.items():
        assert of(kind)[name].attributes["for_each"] == rights
    # Nothing else is given to a function's account.
    given = {
        (block.labels[0], block.labels[1])
        for block in hcl.resources()
        if "google_service_account.target[" in str(block.attributes.get("member", ""))
    }
    assert given == (set(made) | {("google_project_iam_member", "secret_creator")}) - {
        ("google_cloud_run_v2_service_iam_member", "invoker")
    }


def test_a_verb_allows_its_own_methods_and_no_two_the_same() -> None:
    (block,) = (block for block in hcl.module(hcl.ROOT) if "store_permissions" in block.attributes)
    verbs = {
        "store_permissions": {"read", "write", "delete"},
        "secret_permissions": {"read", "write", "destroy", "delete"},
    }
    for name, known in verbs.items():
        permissions = block.attributes[name]
        assert isinstance(permissions, dict)
        assert set(permissions) == known
        every = [each for allowed in permissions.values() for each in allowed]
        assert len(set(every)) == len(every)


def test_nobody_has_a_basic_role_nor_secrets_of_the_whole_project() -> None:
    for block in hcl.resources():
        role = str(block.attributes.get("role", "")).strip('"')
        assert role not in {"roles/owner", "roles/editor", "roles/viewer"}, block.name
        if block.labels[0] == "google_project_iam_member" and role.startswith("roles/secretmanager."):
            raise AssertionError(f"{block.name}: by prefix or by secret")
    for member in of("google_project_iam_member").values():
        if "custom_role.secret[" in str(member.attributes["role"]):
            assert member.inner("condition"), member.name
