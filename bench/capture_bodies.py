"""What the SDKs of a shop's back end send, in files for the load: so many bodies that no event comes twice too soon.

An event whose uuid came a moment ago takes another path through capture than a new one, so
a load that repeats one body would measure the wrong thing.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from functions.capture.accept import recents

TOKEN = "phc_benchbenchbenchbenchbenchbench"  # noqa: S105 -- nobody's
ENOUGH = 2 * recents.MOST + 10_000
"""Events of one file: capture remembers two generations of uuids."""
EVENT_NAMES = ("payment.completed", "order viewed", "$pageview")
_EPOCH = datetime(2026, 1, 20, 12, tzinfo=UTC)
_UUID = "00000000-0000-7000-8000-000000000000"
_TEMPLATES = 50


def bodies(folder: Path) -> dict[str, Path]:
    """Bodies of one event, of fifty plain and of fifty gzip."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in ("one", "fifty", "fifty_gzip")}
    write(paths["one"], islice(batches(1), ENOUGH))
    fifty = list(islice(batches(50), ENOUGH // 50))
    write(paths["fifty"], fifty)
    write(paths["fifty_gzip"], (gzip.compress(body, 6, mtime=0) for body in fifty))
    return paths


def write(path: Path, some: Iterator[bytes] | list[bytes]) -> None:
    """Bodies one behind the other, and their lengths beside them, one a line: as `bench.load` reads them."""
    with path.open("wb") as file, lengths_of(path).open("w", encoding="ascii") as lengths:
        for body in some:
            file.write(body)
            lengths.write(f"{len(body)}\n")


def lengths_of(path: Path) -> Path:
    """The file of lengths beside a file of bodies."""
    return path.with_suffix(".lengths")


def batches(size: int) -> Iterator[bytes]:
    """Batches without an end as the Python SDK writes them; every event of all of them has its own uuid."""
    sent_at = (_EPOCH + timedelta(seconds=5)).isoformat()
    tail = f'], "historical_migration": false, "sent_at": "{sent_at}", "api_key": "{TOKEN}"}}'.encode()
    for some in events(size):
        yield b'{"batch": [' + some + tail


def events(size: int) -> Iterator[bytes]:
    """So many events joined by commas, and again; the n-th of all has `uuid_of(n)`."""
    templates = [_template(size, number * size).split(_UUID.encode()) for number in range(_TEMPLATES)]
    numbers = count()
    for at in count():
        head, *rest = templates[at % _TEMPLATES]
        parts = [head]
        for part in rest:
            parts += (uuid_of(next(numbers)).encode(), part)
        yield b"".join(parts)


def uuid_of(number: int) -> str:
    """The uuid of the n-th event: a version 7 whose random digits look so, and pack no better than such."""
    digits = f"{number * 0x9E3779B97F4A7C15 % (1 << 60):015x}"
    return f"01960000-0000-7{digits[:3]}-8{digits[3:6]}-{digits[6:]}000"


def _template(size: int, first: int) -> bytes:
    return ", ".join(json.dumps(event(number, _UUID)) for number in range(first, first + size)).encode()


def event(number: int, uuid: str) -> dict[str, object]:
    """One event of a shop's back end, with the properties the SDK adds."""
    return {
        "event": EVENT_NAMES[number % 3],
        "distinct_id": f"user-{number * 7919 % 10_007}",
        "timestamp": (_EPOCH + timedelta(milliseconds=number % 100 * 37)).isoformat(),
        "uuid": uuid,
        "properties": {
            "amount_minor": number * 13 % 10_000,
            "currency": "EUR",
            "method": "card",
            "plan": "pro",
            "$lib": "posthog-python",
            "$lib_version": "7.91.1",
            "$python_runtime": "CPython",
            "$python_version": "3.11.7",
            "$os": "Linux",
            "$os_version": "6.1",
            "$geoip_disable": True,
            "$is_server": True,
        },
    }
