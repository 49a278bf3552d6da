"""Events as JSON lines, plain or gzip: read in order of arrival, at their own timestamps."""

import gzip
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from local.posthog import timestamps
from local.posthog.arrivals import Arrival
from local.posthog.capture_shapes import LONGEST_ID, clean, refuse_constant, uuid_v7

_LINE_NAMESPACE = uuid.UUID("6f6b6f2e-6d0c-5b67-9a3b-2f1f0f0a5c11")


def read(path: Path, now: datetime) -> Iterator[Arrival]:
    """Every line of a file; raises ValueError naming the line that is no event.

    An event without a uuid gets one from its own line, so that a second reading of the same file
    stores nothing twice.
    """
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _event(line, f"{path.name}:{number}", now)


def from_objects(objects: Iterable[dict[str, Any]], now: datetime) -> Iterator[Arrival]:
    """Events given as objects, as a line of a file would hold them."""
    for number, found in enumerate(objects, 1):
        yield _arrival(found, f"event {number}", now, uuid_v7(now))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if is_gzip else file


def _event(line: bytes, place: str, now: datetime) -> Arrival:
    try:
        found = json.loads(line, parse_constant=refuse_constant)
    except ValueError as fault:
        raise ValueError(f"{place}: not JSON: {fault}") from None
    derived = uuid.uuid5(_LINE_NAMESPACE, f"{place}:{line.decode(errors='replace')}")
    return _arrival(found, place, now, derived)


def _arrival(found: Any, place: str, now: datetime, fallback: uuid.UUID) -> Arrival:
    if not isinstance(found, dict):
        raise ValueError(f"{place}: not an event")  # noqa: TRY004 - bad input, not a bad call
    event, distinct_id = found.get("event"), found.get("distinct_id")
    properties = found.get("properties") or {}
    if not isinstance(event, str) or not event or not isinstance(properties, dict):
        raise ValueError(f"{place}: an event needs a name, and properties that are an object")
    if distinct_id is None:
        distinct_id = properties.get("distinct_id")
    if distinct_id is None or not str(distinct_id).strip():
        raise ValueError(f"{place}: an event needs a distinct_id")
    written = found.get("timestamp")
    if isinstance(written, datetime):
        instant: datetime | None = written
    else:
        instant = timestamps.parse(str(written)) if written is not None else now
    if instant is None:
        raise ValueError(f"{place}: cannot read the timestamp {written!r}")
    for field in ("$set", "$set_once", "$unset"):
        if found.get(field) is not None:
            properties = {field: found[field], **properties}
    given = found.get("uuid")
    return Arrival(
        uuid.UUID(str(given)) if given else fallback,
        clean(event)[:LONGEST_ID],
        clean(str(distinct_id))[:LONGEST_ID],
        instant,
        properties,
    )
