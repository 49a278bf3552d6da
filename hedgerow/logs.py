"""Log lines: one JSON object each, in the form Google's logging lifts fields from.

Configured at the first line, because functions-framework resets logging after the source
was loaded. Values that could be keys never get here; the last processor cuts anything
that looks like one all the same, and nothing longer than Cloud Logging takes goes out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from hedgerow import traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_KEY_SHAPED = re.compile(r"\b(ph[cxsa]_|hdg_|xox[a-z]-|whsec_)[A-Za-z0-9_+/=-]{6,}")
_TOKEN_SHAPED = re.compile(r"\b(eyJ)[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(\.[A-Za-z0-9_-]*)?")
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


def without_keys(text: str) -> str:
    """The text with everything shaped like a key or a token cut to its prefix."""
    return _TOKEN_SHAPED.sub(r"\1…", _KEY_SHAPED.sub(r"\1…", text))


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
        _cut_keys,
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


def _cut_keys(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {name: _without(value) for name, value in line.items()}


def _without(value: object) -> object:
    if isinstance(value, str):
        return without_keys(value)
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each) for each in value]
    return value


def _render(_: WrappedLogger, __: str, line: EventDict) -> str:
    """The line's JSON; cut, and saying so in `cut` and by its severity, where it would be refused as too long."""
    text = _json(line)
    if len(text) <= MOST_BYTES // 4 or len(text.encode("utf-8", "replace")) <= MOST_BYTES:
        return text
    kept = dict(_shortened(line))
    kept["cut"] = [name for name, value in line.items() if kept.get(name) is not value][:100]
    kept["severity"] = line["severity"] if line["severity"] in {"ERROR", "CRITICAL"} else "WARNING"
    return _json(kept)


def _shortened(line: EventDict) -> Iterator[tuple[str, object]]:
    """The fields, each cut to its share; a field that has no more room is left out."""
    room = MOST_BYTES - 10_000
    for name, value in sorted(line.items(), key=lambda field: len(_json(field[1]))):
        kept = value if _bytes(value) <= MOST_OF_A_FIELD else _ends(value if isinstance(value, str) else _json(value))
        size = len(name) + _bytes(kept) + 4
        if size <= room:
            yield name, kept
            room -= size


def _ends(text: str) -> str:
    """Both ends of a text: of a traceback the last line says most."""
    end = MOST_OF_A_FIELD // 12
    return f"{text[:end]} … cut, of {len(text)} characters … {text[-end:]}"


def _bytes(value: object) -> int:
    return len(_json(value).encode("utf-8", "replace"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
