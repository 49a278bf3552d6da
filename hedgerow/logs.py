"""Log lines: one JSON object each, in the form Google's logging lifts fields from.

Configured at the first line, because functions-framework resets logging after the source
was loaded. Values that could be keys never get here; the last processor cuts anything
that looks like one all the same, and nothing longer than Cloud Logging takes goes out.
Whatever is given to a line, it comes out: logging never raises.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from hedgerow import traces
from hedgerow.key_shapes import without_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

T = TypeVar("T")
SEVERITIES = {
    "debug": "DEBUG",
    "info": "INFO",
    "msg": "INFO",
    "warn": "WARNING",
    "warning": "WARNING",
    "error": "ERROR",
    "err": "ERROR",
    "exception": "ERROR",
    "critical": "CRITICAL",
    "fatal": "CRITICAL",
}
MOST_BYTES = 250_000
"""Cloud Logging takes 256 KiB of one entry, its own fields included."""
MOST_OF_A_FIELD = 20_000
"""Bytes that a field may keep where the line is too long."""
MOST_DEPTH, MOST_VALUES, MOST_NUMBER = 50, 10_000, 10**1_000
"""How much is said of what JSON does not take as it is."""
REPORTED = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"


def log() -> FilteringBoundLogger:
    """The process's logger, with whatever context the entry point bound."""
    _configure()
    import structlog

    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Within the block every line carries these fields, and what `bind` adds in it; empty ones are left out."""
    from structlog import contextvars

    before = contextvars.get_contextvars()
    bind(**fields)
    try:
        yield
    finally:
        contextvars.clear_contextvars()
        contextvars.bind_contextvars(**before)


def bind(**fields: object) -> None:
    """From here to the end of the block that the entry point opened, lines carry these fields too."""
    from structlog import contextvars

    contextvars.bind_contextvars(**{name: value for name, value in fields.items() if value})


def processors() -> list[Processor]:
    """What a line goes through, from its fields to its text."""
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        _lift,
        _trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        _report,
        _render,
    ]


@cache
def _configure() -> None:
    import structlog

    structlog.configure(
        processors=processors(),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # What libraries say by Python's own logging would else be bare text of no severity.
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(_Libraries(logging.WARNING))


class _Libraries(logging.Handler):
    """A library's warning, as one of our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        name = record.levelname.lower()
        say = getattr(log(), name if name in SEVERITIES else "error")
        say("library.said", logger=record.name, detail=record.getMessage(), exc_info=record.exc_info)


def _lift(_: WrappedLogger, method: str, line: EventDict) -> EventDict:
    line["severity"] = SEVERITIES.get(method, "DEFAULT")
    line["message"] = line.get("event", "")
    return line


def _trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    trace = traces.current()
    if trace is not None:
        line["logging.googleapis.com/trace"] = trace.name
        line["logging.googleapis.com/spanId"] = trace.span
        line["logging.googleapis.com/trace_sampled"] = trace.sampled
        if trace.request_id is not None:
            line["request_trace_id"] = trace.request_id
    return line


def _report(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """A traceback goes to Error Reporting, which groups by what stands in `stack_trace`."""
    if "exception" in line:
        line["stack_trace"] = line.pop("exception")
        line["@type"] = REPORTED
    return line


def _render(_: WrappedLogger, __: str, line: EventDict) -> str:
    """The line's JSON; cut, and saying so in `cut` and by its severity, where it would be refused as too long.

    Keys are cut from the whole text at once: whatever it was that held one, and in a field's name too.
    """
    text = without_keys(_json(line))
    if len(text) <= MOST_BYTES // 4 or _size(text) <= MOST_BYTES:
        return text
    whole: EventDict = json.loads(text)
    kept = dict(_shortened(whole))
    kept["cut"] = [name for name, value in whole.items() if kept.get(name) is not value][:100]
    kept["severity"] = whole["severity"] if whole["severity"] in {"ERROR", "CRITICAL"} else "WARNING"
    return _json(kept)


def _shortened(line: EventDict) -> Iterator[tuple[str, object]]:
    """The fields, each cut to its share; a field that has no more room is left out."""
    room = MOST_BYTES - 10_000
    for name, value in sorted(line.items(), key=lambda field: len(_json(field[1]))):
        size = _size(_json(value))
        kept = value if size <= MOST_OF_A_FIELD else _ends(value if isinstance(value, str) else _json(value))
        size = _size(_json(name)) + _size(_json(kept)) + 4
        if size <= room:
            yield name, kept
            room -= size


def _ends(text: str) -> str:
    """Both ends of a text: of a traceback the last line says most."""
    end = MOST_OF_A_FIELD // 12
    return f"{text[:end]} … cut, of {len(text)} characters … {text[-end:]}"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _json(value: object) -> str:
    """The JSON of anything at all: what JSON has no words for is said in Python's."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_said, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, [MOST_VALUES]), ensure_ascii=False)


def _plain(value: object, room: list[int], depth: int = 0) -> object:
    """A copy that JSON takes: names become text, and what leads into itself ends somewhere."""
    room[0] -= 1
    if depth > MOST_DEPTH or room[0] < 0:
        return "…"
    if isinstance(value, dict):
        return {_name(name): _plain(each, room, depth + 1) for name, each in _some(dict.items(value))}
    if isinstance(value, list | tuple):
        return [_plain(each, room, depth + 1) for each in _some(value)]
    if value is None or isinstance(value, str | bool):
        return value
    return value if isinstance(value, int) and abs(value) < MOST_NUMBER else _said(value)


def _some(values: Iterable[T]) -> Iterator[T]:
    return islice(values, MOST_VALUES)


def _name(name: object) -> str:
    return name if isinstance(name, str) else _said(name)


def _said(value: object) -> str:
    """What an object says of itself, or its class where it cannot even say that."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - foreign code: a line must come out, whatever it was given
        return f"<{type(value).__name__}, {type(error).__name__} on str()>"
