"""The zip of `make bundle`: what is in it, what is not, and what keeps it from being written."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hedgerow.errors import HedgerowError
from local import bundle

ROOT = Path(__file__).parents[3]
TIERS = (ROOT / "tiers.json").read_text(encoding="utf-8")
MANIFEST = {
    "api": {
        "source": "functions/api/main.py",
        "trigger": "http",
        "callers": "public",
        "memory": "512Mi",
        "cpu": "1",
        "timeout": 60,
        "concurrency": 1,
    },
    "sync_tick": {
        "source": "functions/sync/main.py",
        "trigger": "schedule",
        "memory": "512Mi",
        "cpu": "1",
        "timeout": 60,
        "concurrency": 1,
        "schedules": [{"cron": "*/5 * * * *", "body": {"tier": tier}} for tier in ("pro", "scale")],
    },
}
TREE = {
    "requirements.txt": f"functions-framework==3.10.2 \\\n    --hash=sha256:{'0' * 64}\n    # via hedgerow\n",
    "tiers.json": TIERS,
    "functions/manifest.json": json.dumps(MANIFEST),
    "functions/__init__.py": "",
    "functions/api/__init__.py": "",
    "functions/api/main.py": "from hedgerow import app\n\n\nasync def api(request): ...\n",
    "functions/sync/__init__.py": "",
    "functions/sync/main.py": "from hedgerow.app import on_tick\n\nsync_tick = on_tick()\n",
    "hedgerow/__init__.py": "",
    "hedgerow/app.py": "def on_tick(): ...\n",
    "hedgerow/cli/main.py": "import functions.api.main\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository that can be deployed."""
    root = tmp_path / "tree"
    for name, text in TREE.items():
        write(root, name, text)
    return root


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())


def refused(tree: Path, tmp_path: Path, *, strays: bool = True) -> str:
    """The line that says why there is no zip. There is none."""
    path = tmp_path / "out" / "functions.zip"
    with pytest.raises(HedgerowError) as error:
        bundle.build(path, tree, strays=strays)
    assert not path.parent.exists()
    line = f"{error.value.detail} {error.value.hint}"
    assert error.value.hint
    assert "\n" not in line
    return line


def test_it_holds_the_functions_and_what_they_need_as_in_the_repository(tmp_path: Path) -> None:
    made = bundle.build(tmp_path / "functions.zip")
    with zipfile.ZipFile(made.path) as archive:
        names = archive.namelist()
        assert all(archive.read(name) == (ROOT / name).read_bytes() for name in names)
    assert names == sorted(names) == list(made.names)
    assert {"requirements.txt", "tiers.json", "functions/manifest.json", "functions/sync/main.py"} <= set(names)
    assert "hedgerow/adapters/firestore.py" in names
    assert not [name for name in names if name.startswith(("hedgerow/cli/", "tests/", "bench/", "local/"))]
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert made.size == made.path.stat().st_size


def test_the_same_files_make_the_same_bytes_on_any_machine_at_any_time(tree: Path, tmp_path: Path) -> None:
    first = bundle.build(tmp_path / "first.zip", tree)
    program = "import sys; from pathlib import Path; from local import bundle; bundle.build(Path(sys.argv[1]), Path(sys.argv[2]))"
    for file in tree.rglob("*.py"):
        file.chmod(0o777)
        os.utime(file, (1_000_000_000, 1_000_000_000))
    before = os.umask(0o077)
    try:
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "second.zip"), "tree"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
            check=True,
        )
    finally:
        os.umask(before)
    assert (tmp_path / "second.zip").read_bytes() == first.path.read_bytes()


def test_the_bytes_are_those_of_every_python() -> None:
    # Not a hash of the day: a Python or a zlib that packs in another way makes this red.
    packed = bundle._packed({"a.py": b"import b\n", "b/c.json": b"{}"})
    assert hashlib.sha256(packed).hexdigest() == "429710cf62285febe5f504790dbaa66d6687df5965e0ac7dccf5f837522bec10"


def test_a_clone_with_other_line_ends_makes_the_same_zip(tree: Path, tmp_path: Path) -> None:
    first = bundle.build(tmp_path / "first.zip", tree)
    for name, text in TREE.items():
        write(tree, name, text.replace("\n", "\r\n"))
    assert bundle.build(tmp_path / "second.zip", tree).sha256 == first.sha256


def test_leftovers_of_editors_and_runs_stay_outside(tree: Path, tmp_path: Path) -> None:
    first = bundle.build(tmp_path / "first.zip", tree)
    for name in (
        "functions/sync/main.py~",
        "functions/sync/.main.py.swp",
        "functions/sync/#main.py#",
        "functions/sync/main.py.orig",
        "functions/sync/__pycache__/main.cpython-311.pyc",
        "functions/.DS_Store",
        "hedgerow/.idea/workspace.xml",
        "tests/test_sync.py",
        "README.md",
    ):
        write(tree, name, "x")
    assert bundle.build(tmp_path / "second.zip", tree).sha256 == first.sha256


def test_a_module_that_is_not_committed_yet_is_in_it(tree: Path, tmp_path: Path) -> None:
    write(
        tree, "functions/sync/main.py", "from functions.sync.ticking import sync_tick as sync_tick_of\nsync_tick = 1\n"
    )
    write(tree, "functions/sync/ticking.py", "sync_tick = 1\n")
    assert "functions/sync/ticking.py" in bundle.build(tmp_path / "functions.zip", tree).names


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("functions/sync/notes.txt", "x", "functions/sync/notes.txt is of no kind that the zip takes"),
        ("functions/sync/main (copy).py", "x", "functions/sync/main (copy).py does not belong into the zip"),
        ("functions/sync/main.py", "def sync_tick(:\n", "functions/sync/main.py is not Python"),
        (
            "functions/sync/main.py",
            "def tick(): ...\n",
            "`sync_tick` in manifest.json is not defined in functions/sync/main.py",
        ),
        (
            "functions/sync/main.py",
            "def f():\n    import local.server\nsync_tick = f",
            "imports local.server, which is not in",
        ),
        (
            "functions/sync/main.py",
            "from hedgerow import gone\nsync_tick = 1",
            "imports hedgerow.gone, which is not in",
        ),
        ("functions/sync/main.py", "from hedgerow.cli import main\nsync_tick = 1", "imports hedgerow.cli.main, which"),
        ("tiers.json", "{", "tiers.json is not JSON"),
        ("tiers.json", TIERS.replace("180", "181"), "`pro` in tiers.json: `every_minutes` is 181"),
        ("tiers.json", TIERS.replace("null", "60"), "`starter` in tiers.json syncs by itself, but no schedule"),
        ("functions/manifest.json", "{}", "manifest.json is not a JSON object of targets"),
        (
            "functions/manifest.json",
            json.dumps(MANIFEST).replace("sync/main", "gone/main"),
            "there is no functions/gone/main.py",
        ),
        (
            "functions/manifest.json",
            json.dumps(MANIFEST).replace("scale", "gold"),
            "the tier `gold`, which tiers.json does",
        ),
        ("requirements.txt", "functions-framework==3.10.2\n", "`functions-framework==3.10.2` has no version and hash"),
        ("requirements.txt", f"flask==3.1 --hash=sha256:{'0' * 64}\n", "does not list functions-framework"),
    ],
)
def test_what_would_fail_in_the_cloud_fails_here(tree: Path, tmp_path: Path, name: str, text: str, said: str) -> None:
    write(tree, name, text)
    assert said in refused(tree, tmp_path)


@pytest.mark.parametrize("name", ["requirements.txt", "tiers.json", "functions/manifest.json"])
def test_a_file_that_is_missing_is_named(tree: Path, tmp_path: Path, name: str) -> None:
    (tree / name).unlink()
    assert refused(tree, tmp_path) == f"There is no {name}. Restore it: `git checkout -- {name}`."


def test_a_source_that_is_missing_is_named(tree: Path, tmp_path: Path) -> None:
    (tree / "functions/sync/main.py").unlink()
    assert "`sync_tick` in manifest.json: there is no functions/sync/main.py" in refused(tree, tmp_path)


def test_a_link_is_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "functions/sync/linked.py").symlink_to(tree / "hedgerow/app.py")
    assert "functions/sync/linked.py does not belong into the zip" in refused(tree, tmp_path)


def test_a_zip_that_stands_is_left_alone_when_the_next_cannot_be_made(tree: Path, tmp_path: Path) -> None:
    first = bundle.build(tmp_path / "functions.zip", tree)
    write(tree, "tiers.json", "{")
    with pytest.raises(HedgerowError):
        bundle.build(first.path, tree)
    assert hashlib.sha256(first.path.read_bytes()).hexdigest() == first.sha256
    assert [each.name for each in tmp_path.iterdir() if each.name != "tree"] == ["functions.zip"]


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "functions.zip"
    assert bundle.main(["--to", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" in said
    assert f"{path.stat().st_size:,} bytes" in said
    assert said.count("\n") == 2  # One for a roll-back, or to compare: what comes next is the runbook's to say.


def test_what_comes_next_never_overwrites_an_environments_variables(tmp_path: Path) -> None:
    infra = tmp_path / "infra/terraform"
    infra.mkdir(parents=True)
    assert "cp environments/small.tfvars terraform.tfvars" in bundle.next_step(tmp_path)
    (infra / "terraform.tfvars").write_text('project_id = "ours"', encoding="utf-8")
    assert bundle.next_step(tmp_path) == "Next, in infra/terraform: terraform apply"


def test_the_command_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert bundle.main(["--to", str(tmp_path / "file" / "functions.zip")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_pipe_is_refused_rather_than_waited_for(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "functions" / "sync" / "pipe.py")
    with pytest.raises(HedgerowError, match=r"pipe\.py is of no kind"):
        bundle.build(tmp_path / "functions.zip", tree)


def test_a_zip_that_cannot_be_put_in_its_place_leaves_nothing_beside_it(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "there" / "functions.zip").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        bundle.build(tmp_path / "there" / "functions.zip", tree)
    assert [entry.name for entry in (tmp_path / "there").iterdir()] == ["functions.zip"]
