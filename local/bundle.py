"""`make bundle`: the one zip that every function is deployed from, byte for byte the same from the same files.

Owns what goes in and checks that it fits together; it writes nothing when anything does
not. Whoever deploys only reads the zip.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hedgerow.errors import HedgerowError
from local.bundle_checks import check

ROOT = Path(__file__).resolve().parent.parent
ZIP = "dist/functions.zip"
FILES = ("requirements.txt", "tiers.json", "functions/manifest.json")
"""What has to be there beside the code."""

FOLDERS = {"functions": (".py", ".json"), "hedgerow": (".py", ".json")}
"""What is taken of each folder; a file of another kind is refused, for leaving it out might be the mistake."""

LEFT_OUT = ("hedgerow/cli",)
"""The operator's command: no function imports it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[a-z]+)?")
_LEFTOVER = re.compile(r"\..*|__pycache__|#.*#|.*~|.*\.(?:py[co]|sw[a-z]|orig|rej|bak|tmp)")
# The earliest that a zip can say; who unpacks it learns nothing from the clock of who packed it.
_MADE_AT = (1980, 1, 1, 0, 0, 0)
_UNIX, _REGULAR_FILE = 3, 0o100644


@dataclass(frozen=True, slots=True)
class Bundle:
    """The zip as it was written."""

    path: Path
    sha256: str
    size: int
    names: tuple[str, ...]


def build(path: Path, root: Path = ROOT, *, strays: bool = True) -> Bundle:
    """Write the zip of the tree at `root`. `HedgerowError`, and nothing written, when the tree cannot be deployed.

    Without `strays` a file that git does not know is such a reason.
    """
    contents = {name: _bytes(root / name) for name in sorted(_names(root))}
    if not strays:
        _refuse_strays(root, tuple(contents))
    check(contents)
    packed = _packed(contents)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whoever reads the old zip keeps it whole; whoever looks next finds the new one whole.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(packed)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return Bundle(path, hashlib.sha256(packed).hexdigest(), len(packed), tuple(contents))


def _names(root: Path) -> Iterator[str]:
    """The files' names as in the repository, with slashes, in no order."""
    for name in FILES:
        if not (root / name).is_file():
            raise HedgerowError(f"There is no {name}.", hint=f"Restore it: `git checkout -- {name}`.")
        if name.split("/")[0] not in FOLDERS:
            yield name
    for folder, kinds in FOLDERS.items():
        if not (root / folder).is_dir():
            raise HedgerowError(f"There is no folder {folder}.", hint="Run it in the repository.")
        yield from _below(root, folder, kinds)


def _below(root: Path, folder: str, kinds: tuple[str, ...]) -> Iterator[str]:
    with os.scandir(root / folder) as scanned:
        entries = list(scanned)
    for entry in entries:
        name = f"{folder}/{entry.name}"
        if _LEFTOVER.fullmatch(entry.name) or name in LEFT_OUT:
            continue
        if entry.is_symlink() or not _NAME.fullmatch(entry.name):
            raise HedgerowError(f"{name} does not belong into the zip.", hint="Remove it, or give it a plain name.")
        if entry.is_dir():
            yield from _below(root, name, kinds)
        elif entry.is_file() and entry.name.endswith(kinds):
            yield name
        else:
            hint = f"Remove it; or, if functions read it, add {Path(name).suffix or 'its kind'} to FOLDERS in local/bundle.py."
            raise HedgerowError(f"{name} is of no kind that the zip takes.", hint=hint)


def _bytes(file: Path) -> bytes:
    # All of it is text; a clone that ends its lines in another way makes the same zip.
    return file.read_bytes().replace(b"\r\n", b"\n")


def _packed(contents: dict[str, bytes]) -> bytes:
    """Stored, not deflated: each zlib packs its own way, and the cloud takes a megabyte more without notice."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _MADE_AT)
            entry.create_system, entry.external_attr = _UNIX, _REGULAR_FILE << 16
            archive.writestr(entry, content)
    return written.getvalue()


def _refuse_strays(root: Path, names: Sequence[str]) -> None:
    """What a clone would not have may be a key file or a build's leavings. Without git, or its clone, nobody can tell."""
    try:
        known = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=False, capture_output=True)
    except FileNotFoundError:
        return
    listed = {os.fsdecode(name) for name in known.stdout.split(b"\0")}
    if known.returncode == 0 and (strays := sorted({*names} - listed)):
        more = f", nor {len(strays) - 1} more" if len(strays) > 1 else ""
        raise HedgerowError(
            f"git does not know {strays[0]}{more}: a clone would make another zip.",
            code="not_in_git",
            hint=f"Remove it, or `git add {strays[0]}`.",
        )


def main(arguments: Sequence[str]) -> int:
    """0, or 1 with one line that says what is wrong and what mends it."""
    parser = argparse.ArgumentParser(prog="python -m local.bundle", description="Write the zip that Terraform deploys.")
    parser.add_argument("--to", type=Path, default=ROOT / ZIP, metavar="FILE", help=f"where to; {ZIP} by default")
    path = parser.parse_args(arguments).to
    try:
        bundle = build(path, strays=False)
    except HedgerowError as error:
        print(f"No zip: {error.detail} {error.hint}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"No zip: {error.filename} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"{shown}: {len(bundle.names)} files, {bundle.size:,} bytes")
    print(f"sha256 {bundle.sha256}")
    if path.resolve() == ROOT / ZIP:
        print(next_step(ROOT))
    return 0


def next_step(root: Path) -> str:
    """What to type once the zip is in its place; never to copy an example over variables that stand."""
    if (root / "infra/terraform/terraform.tfvars").exists():
        return "Next, in infra/terraform: terraform apply"
    return (
        "Next, in infra/terraform: cp environments/small.tfvars terraform.tfvars, and name your project in it;\n"
        "terraform init && terraform apply"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
