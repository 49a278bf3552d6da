"""The folder of an export: one file a collection, a manifest when it is whole, a note of how far it came until then.

Files are their owner's alone; what replaces a file is on the disk before it does.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hedgerow.errors import InvalidError, StateConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
MANIFEST, UNFINISHED = "manifest.json", "unfinished.json"
CHUNK = 1 << 20
AGAIN = "Copy the export again, whole, or make a new one."

M = TypeVar("M", bound=BaseModel)


class FileEntry(BaseModel):
    """One file: the schema version its records were written with, how many they are, and what it must be to the byte."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    records: int
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a finished export says of itself. Two exports of equal data are equal, this file included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    tenant_id: str | None
    collections: dict[str, FileEntry]


class Unfinished(BaseModel):
    """How far an export came: the files that are whole, and the one it was at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    tenant_id: str | None
    source: str
    owned: str
    """Digest of what was asked for: with another connection, or another release, one begins anew."""
    collections: dict[str, FileEntry] = {}
    at: str | None = None
    question: int = 0
    cursor: str | None = None
    records: int = 0
    bytes: int = 0


class Folder:
    """The files under one path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the folder, its owner's alone, where it is missing."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Copied from elsewhere, files that were begun may be open to others.
            if (self.path / UNFINISHED).is_file():
                for file in self.path.glob("*.ndjson"):
                    file.chmod(0o600)
        except OSError as error:
            raise InvalidError(f"{self.path} cannot be a folder: {error.strerror}.", hint="Name another.") from error
        if self.path.stat().st_mode & stat.S_IWOTH:
            raise InvalidError(
                f"Anybody on this machine may write into {self.path}.", hint=f"chmod 700 {self.path}, or name another."
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block no other process exports into the folder; `StateConflictError` when one does already."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise StateConflictError(
                f"Another export writes into {self.path} just now.",
                code="export_under_way",
                hint="Wait for it to end, or name another folder.",
            ) from error
        finally:
            os.close(folder)

    def of(self, collection: str) -> Path:
        """The file of a collection."""
        return self.path / f"{collection}.ndjson"

    def manifest(self) -> Manifest | None:
        """What the finished export says, None where none is finished; `InvalidError` for one that cannot be read."""
        return self._read(MANIFEST, Manifest)

    def unfinished(self) -> Unfinished | None:
        """How far an export came that has not been finished."""
        return self._read(UNFINISHED, Unfinished)

    def keep(self, note: Unfinished) -> None:
        """Remember how far the export came."""
        self._replace(UNFINISHED, note)

    def finish(self, manifest: Manifest) -> None:
        """Say that the export is whole."""
        self._replace(MANIFEST, manifest)
        (self.path / UNFINISHED).unlink(missing_ok=True)

    def append(self, collection: str, begin: int, lines: bytes) -> None:
        """Write lines at this offset of a collection's file, over whatever a killed export left behind it."""
        with _written(self.of(collection)):
            file = os.open(self.of(collection), os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(file, "r+b") as opened:
                opened.truncate(begin)
                opened.seek(begin)
                opened.write(lines)
                opened.flush()
                os.fsync(opened.fileno())

    def size_and_digest(self, collection: str) -> tuple[int, str]:
        """How many bytes a collection's file has, and their SHA-256; `InvalidError` when it is not there."""
        digest = hashlib.sha256()
        size = 0
        try:
            with _regular(self.of(collection)) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise InvalidError(f"{self.of(collection)} cannot be read: {error.strerror}.", hint=AGAIN) from error
        return size, digest.hexdigest()

    def lines(self, collection: str) -> Iterator[bytes]:
        """The lines of a collection's file, one by one."""
        with _regular(self.of(collection)) as file:
            yield from file

    def _read(self, name: str, kind: type[M]) -> M | None:
        try:
            with _regular(self.path / name) as file:
                text = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidError(f"{self.path / name} cannot be read: {error.strerror}.", hint=AGAIN) from error
        _check_format(self.path / name, text)
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise InvalidError(f"{self.path / name} is damaged.", hint=AGAIN) from error

    def _replace(self, name: str, content: BaseModel) -> None:
        with _written(self.path / name):
            fresh = self.path / f".{name}.new"
            with suppress(FileNotFoundError):
                fresh.unlink()
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(content.model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path / name)
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidError(
            f"{path} cannot be written: {error.strerror}.",
            hint="Mend that, or make room, and run the export again: it goes on. Or name another folder.",
        ) from error


def _regular(path: Path) -> BinaryIO:
    """The file, open for reading. A pipe or a device in its place would never end."""
    # Without O_NONBLOCK the open itself waits for a pipe's other end.
    opened = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return opened


class _Format(BaseModel):
    format: int


def _check_format(path: Path, text: bytes) -> None:
    """Another format's other fields must not read as damage."""
    with suppress(ValidationError):
        if (found := _Format.model_validate_json(text).format) != FORMAT:
            raise StateConflictError(
                f"{path} has format {found}; this release reads format {FORMAT}.",
                code="other_format",
                hint="Import with the release that made the export.",
            )
