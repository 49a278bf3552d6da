"""What `hedgerow doctor` prints of a thousand alike: the longest standing, a number, and how to see them all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hedgerow.cli import doctor
from hedgerow.cli.operations.doctor.findings import Report, fine, found, sorted_by_weight

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.findings import Finding

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def failing(number: int) -> list[Finding]:
    """So many connections; the first has stood longest."""
    return [
        found("connection.failing", f"con_{each:03}", "no success.", since=NOW - timedelta(hours=number - each))
        for each in range(number)
    ]


@pytest.mark.parametrize(("number", "named", "others"), [(20, 20, ""), (23, 20, "and 3 more of [connection.failing]")])
def test_the_longest_standing_are_named_and_the_others_counted(
    number: int, named: int, others: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = found("server.down", "http://x.test", "It does not answer.")
    report = Report(sorted_by_weight([*failing(number), alone, fine("store", "fine")]), NOW)

    doctor._say(report, verbose=False)
    said = capsys.readouterr().out

    assert [f"con_{each:03}" in said for each in range(number)] == [True] * named + [False] * (number - named)
    assert ("more of [" in said) == bool(others)
    assert others in said
    assert "It does not answer." in said
    assert f"1 problem, {number} warnings." in said


def test_verbose_leaves_nothing_off(capsys: pytest.CaptureFixture[str]) -> None:
    doctor._say(Report(sorted_by_weight(failing(23)), NOW), verbose=True)
    said = capsys.readouterr().out

    assert all(f"con_{each:03}" in said for each in range(23))
    assert "more of [" not in said
