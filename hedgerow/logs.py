"""Log lines: one JSON object each, in the form Google's logging lifts fields from.

Configured at the first request, because functions-framework resets logging after the
source was loaded. Values that could be keys never get here; the last processor cuts
anything that looks like one all the same.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_KEY_SHAPED = re.compile(r"\b(ph[cxsa]_|hdg_|xox[a-z]-|whsec_)[A-Za-z0-9_+/=-]{6,}")


def log() -> FilteringBoundLogger:
    """The process's logger, with whatever context the entry point bound."""
    _configure()
    import structlog

    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def without_keys(text: str) -> str:
    """The text with everything key-shaped cut to its prefix."""
    return _KEY_SHAPED.sub(r"\1…", text)


@cache
def _configure() -> None:
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _lift,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _cut_keys,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _lift(_: WrappedLogger, method: str, line: EventDict) -> EventDict:
    line["severity"] = {"warn": "WARNING", "exception": "ERROR"}.get(method, method.upper())
    line["message"] = line.get("event", "")
    return line


def _cut_keys(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {name: without_keys(value) if isinstance(value, str) else value for name, value in line.items()}
