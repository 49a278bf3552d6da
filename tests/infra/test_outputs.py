from __future__ import annotations

import json
import subprocess

from hedgerow.settings import Settings
from tests.infra import hcl
from tests.infra.terraform_program import needs_terraform, run
from tests.infra.twin import Twin

pytestmark = needs_terraform


def exported(lines: str) -> dict[str, str]:
    """What a shell has after `eval`, without the programs that a line would call."""
    script = 'gcloud() { echo key; }; eval "$1"; env -0'
    answer = subprocess.run(
        ["bash", "-c", script, "-", lines], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    pairs = (each.split("=", 1) for each in answer.stdout.split("\0") if each)
    return {name: value for name, value in pairs if name.startswith("HEDGEROW_")}


def test_outputs_say_what_to_do_and_hold_no_key(small: Twin, whole: Twin) -> None:
    assert small.outputs["api_url"] == "https://hedgerow-api-hash.a.run.app"
    assert small.outputs["capture_host"] == "https://hedgerow-capture-hash.a.run.app"
    assert whole.outputs["api_url"] == whole.outputs["capture_host"] == "https://ph.example.com"
    for twin in (small, whole):
        assert "made while Terraform ran" not in json.dumps(twin.outputs)
        assert "--secret=hedgerow-admin-key" in twin.outputs["admin_key_command"]
        assert twin.outputs["admin_key_command"] in twin.outputs["next_steps"]
        assert twin.outputs["dashboard"].endswith("?project=my-project")
        said = exported(twin.outputs["operator_environment"])
        fields = {f"HEDGEROW_{name.upper()}" for name in Settings.model_fields}
        assert said.keys() - fields == {"HEDGEROW_URL", "HEDGEROW_CAPTURE_URL", "HEDGEROW_TELLS"}, (
            "the command line's own"
        )
        assert said["HEDGEROW_CAPTURE_URL"] == twin.outputs["capture_host"]
        assert said["HEDGEROW_TELLS"] == ("alerts" if twin is whole else "")
        assert said["HEDGEROW_REGION"] == "europe-west1"
        assert ("HEDGEROW_SEALING_KEY" in said) == (twin is whole)
        # What gcloud would have printed of the key is not here to be had.
        plain = {name: value for name, value in said.items() if name in fields - {"HEDGEROW_SEALING_KEY"}}
        Settings(**{name.removeprefix("HEDGEROW_").lower(): value for name, value in plain.items()})
    assert " access 1 " in whole.outputs["operator_environment"], "never the latest of the sealing key"


def test_a_setting_reaches_the_operators_shell_as_it_is_written(hosted: Twin) -> None:
    said = exported(hosted.outputs["operator_environment"])
    assert said["HEDGEROW_OPERATOR_NOTE"] == 'a?b=1&c=<2> $HOME `id` "it\'s"'


def test_the_next_steps_are_lines_for_a_shell_and_say_when_nobody_is_told(small: Twin, hosted: Twin) -> None:
    for twin in (small, hosted):
        checked = subprocess.run(["bash", "-n", "-c", twin.outputs["next_steps"]], capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
    assert small.outputs["next_steps"].startswith("# Nobody is told")
    assert "Nobody is told" not in hosted.outputs["next_steps"]


def test_an_operator_who_looks_may_look_at_all_of_it_and_change_nothing(whole: Twin) -> None:
    (observer,) = (role for role in whole.of("google_project_iam_custom_role") if role["role_id"] == "hedgerowObserver")
    assert {"pubsub.topics.getIamPolicy", "pubsub.subscriptions.getIamPolicy"} < set(observer["permissions"])
    mine = {
        member["role"] for member in whole.of("google_project_iam_member") if member["member"] == "user:bob@example.com"
    }
    assert {role for role in mine if role.startswith("roles/") and not role.endswith("iewer")} == set()
    assert {role for role in mine if not role.startswith("roles/")} == {observer["id"]}


def test_a_destroy_that_is_stopped_leaves_the_database_and_the_sealing_key_in_the_state() -> None:
    blocks = {block.name: block for block in hcl.resources()}
    key = blocks["resource.google_secret_manager_secret_version.sealing_key"].attributes["deletion_policy"]
    assert key == '${var.deletion_protection ? "PREVENT" : "DELETE"}'
    assert blocks["resource.google_firestore_database.state"].text("deletion_policy") == "DELETE"


def test_a_name_or_number_for_the_projects_id_is_refused(small: Twin) -> None:
    for named in ("My project", "428901773355", ""):
        answer = run(small.folder, "plan", "-input=false", "-no-color", "-refresh=false", f"-var=project_id={named}")
        assert answer.returncode != 0
        assert "project_id is the project's id" in " ".join(answer.stderr.split())
