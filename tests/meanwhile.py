"""Somebody else, who acts between two steps of whatever a test runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.crash import Fuse, armed

if TYPE_CHECKING:
    from hedgerow.app import App

T = TypeVar("T")


@dataclass
class Meanwhile(Fuse):
    """Before the first port call whose name begins so, somebody else does something."""

    before: str = ""
    work: Callable[[], Awaitable[object]] | None = None

    async def around(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if self.work is not None and name.startswith(self.before):
            work, self.work = self.work, None
            await work()
        return await super().around(name, call)


def meanwhile(app: App, before: str, work: Callable[[], Awaitable[object]]) -> App:
    """The same App, and `work` done once before its first port call whose name begins with `before`."""
    return armed(app, Meanwhile(before=before, work=work))
