"""A back-test of a file, without any connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from functions.alerts.backtest.files import COLUMNS, Column, Label, instant_of, numbered, read_column, series_of
from functions.alerts.backtest.trying import Tried, tried
from functions.alerts.conditions.kinds import Condition, NewValue
from functions.alerts.conditions.series import DAY
from functions.alerts.spec import Policy
from hedgerow.errors import InvalidError

DATE = len("2026-03-12")


def try_file(
    path: Path,
    condition: Condition,
    policy: Policy,
    *,
    labels: Sequence[Label] = (),
    begin: int | None = None,
    to: int | None = None,
    settings: int = 0,
    columns: tuple[str, str] = COLUMNS,
) -> Tried:
    """Try a condition and policy on the rows of a file, `-` for standard input; `InvalidError` says what is wrong with it.

    `columns` are the names of those with the times and the values.
    """
    column = read_column(path, columns)
    seen = None
    if isinstance(condition, NewValue):
        seen = values_of(column)
        series, remarks = numbered(column)
    else:
        series, remarks = series_of(column)
    told = tried(condition, policy, series, labels=labels, begin=begin, to=to, settings=settings, seen=seen)
    return replace(told, report=replace(told.report, remarks=(*remarks, *told.report.remarks)))


def span_of(begin: str | None, to: str | None) -> tuple[int | None, int | None]:
    """The time to try, both ends included: a date alone is the whole day."""
    first = instant_of(begin, "--from") if begin else None
    last = instant_of(to, "--to") if to else None
    if last is not None and to is not None and len(to.strip()) == DATE:
        last += DAY - 1
    if first is not None and last is not None and last < first:
        raise InvalidError("--to is before --from.", hint="Write the earlier time as --from.")
    return first, last


def values_of(column: Column) -> dict[str, list[int]]:
    """The instants of each value that was written; an empty cell is none."""
    seen: dict[str, list[int]] = defaultdict(list)
    for instant, cell in zip(column.instants, column.cells, strict=True):
        if cell:
            seen[cell].append(instant)
    return dict(seen)
