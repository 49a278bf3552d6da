"""The W3C trace a piece of work belongs to: begun by a call, carried by messages, kept by records.

Owns the trace of the task at hand. Sends nothing anywhere: the platform and the log lines
show traces, and what calls out of Hedgerow never carries one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_CLOUD = re.compile(r"(?!0{32})([0-9a-f]{32})(?:/(\d{1,20}))?(?:;o=(\d))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where we are: the trace's id (32 hex digits), the span in it that called us (16), and whether it is kept.

    We make no spans of our own: those of the platform are handed on as they came. `project`
    is the Google Cloud project that shows it, empty for none. `request_id` is the trace the
    call itself came in, where the work goes on in an older one.
    """

    id: str
    span: str
    sampled: bool = False
    project: str = ""
    request_id: str | None = None
    is_new: bool = False

    @property
    def parent(self) -> str:
        """As a `traceparent`, for what follows from here."""
        return f"00-{self.id}-{self.span}-{'01' if self.sampled else '00'}"

    @property
    def name(self) -> str:
        """As Cloud Logging names it; the bare id where there is no project."""
        return f"projects/{self.project}/traces/{self.id}" if self.project else self.id


@dataclass(slots=True)
class Unread:
    """A trace not looked at yet. Reading or making one costs more than an event may on its way through."""

    carried: Mapping[str, str] | Mapping[bytes, bytes]
    project: str


class Traced(BaseModel):
    """What a record has that goes on in the trace it was made in: who takes it up again calls `going_on`."""

    model_config = ConfigDict(defer_build=True)

    traceparent: str | None = Field(default=None, description="The trace its work belongs to, as W3C writes it.")

    @property
    def trace_id(self) -> str | None:
        """The id of that trace, to look for in the logs; None for a record older than traces."""
        return trace_id_of(self.traceparent)


_current: ContextVar[Trace | Unread | None] = ContextVar("hedgerow_trace", default=None)


def current() -> Trace | None:
    """The trace of the work at hand; None outside of any call."""
    held = _current.get()
    if isinstance(held, Unread):
        held = _begun(_as_text(held.carried), held.project)
        _current.set(held)
    return held


def traceparent() -> str | None:
    """The trace of the work at hand as W3C writes it, for a message or a record; None outside of any call."""
    trace = current()
    return trace.parent if trace is not None else None


def attributes() -> dict[str, str]:
    """What a message carries of the trace at hand, beside its key; nothing outside of any call."""
    parent = traceparent()
    return {"traceparent": parent} if parent is not None else {}


@contextmanager
def begun(carried: Mapping[str, str], project: str = "") -> Iterator[Trace]:
    """Within the block, the trace that a call's headers or a message's attributes carry; a new one where they carry none."""
    trace = _begun(carried, project)
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def begin_unread(headers: Mapping[bytes, bytes], project: str = "") -> None:
    """From here to the end of this task the trace of these ASGI headers, read when somebody first asks."""
    _current.set(Unread(headers, project))


@contextmanager
def going_on(kept: str | None) -> Iterator[None]:
    """Within the block, the trace that a record or a message kept; the one at hand where it kept none.

    The trace left behind stays known as the request's.
    """
    here = current()
    there = _read(kept)
    if there is None or (here is not None and here.id == there[0]):
        yield
        return
    request_id = None if here is None else here.request_id or (None if here.is_new else here.id)
    token = _current.set(Trace(*there, here.project if here is not None else "", request_id))
    try:
        yield
    finally:
        _current.reset(token)


def trace_id_of(kept: str | None) -> str | None:
    """The trace's id in a `traceparent`; None where it is none."""
    there = _read(kept)
    return there[0] if there is not None else None


def _begun(carried: Mapping[str, str], project: str) -> Trace:
    there = _read(carried.get("traceparent")) or _read_cloud(carried.get("x-cloud-trace-context"))
    if there is None:
        return Trace(secrets.token_hex(16), secrets.token_hex(8), project=project, is_new=True)
    return Trace(*there, project)


def _read(text: str | None) -> tuple[str, str, bool] | None:
    """Trace, span and whether it is kept, of a `traceparent`; None for anything else. Later versions may say more."""
    shape = _TRACEPARENT.fullmatch(text.strip()) if text is not None and len(text) < 512 else None
    if shape is None or (text is not None and text.strip().startswith("00") and shape[4]):
        return None
    return shape[1], shape[2], bool(int(shape[3], 16) & 1)


def _read_cloud(text: str | None) -> tuple[str, str, bool] | None:
    """The same of Google's older `X-Cloud-Trace-Context`, whose span is a decimal number."""
    shape = _CLOUD.fullmatch(text.strip()) if text is not None and len(text) < 512 else None
    if shape is None:
        return None
    span = int(shape[2] or 0) % 2**64
    return shape[1].lower(), f"{span:016x}" if span else secrets.token_hex(8), shape[3] == "1"


def _as_text(carried: Mapping[str, str] | Mapping[bytes, bytes]) -> dict[str, str]:
    return {
        (name.decode("latin-1") if isinstance(name, bytes) else name): (
            value.decode("latin-1") if isinstance(value, bytes) else value
        )
        for name, value in carried.items()
    }
