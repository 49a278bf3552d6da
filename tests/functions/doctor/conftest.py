"""A healthy embedded installation for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli_process import answers
from tests.functions.doctor.room import Room, room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli_process import Answers

__all__ = ["answers"]


@pytest.fixture
async def healthy(tmp_path: Path, answers: Answers) -> AsyncIterator[Room]:
    async with room(tmp_path, answers) as opened:
        yield opened
