"""A series and its labels from files: `timestamp,value` rows and a JSON list of spans.

Owns what is accepted and what is refused, with the line. What is put right instead (order,
doubles, written-out gaps) is said in `remarks`; nothing is left out in silence.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from functions.alerts.conditions.series import DAY, HOUR, Series
from hedgerow.errors import InvalidError

COLUMNS = ("timestamp", "value")
STANDARD_INPUT = Path("-")
MOST_BYTES = 128 * 1024 * 1024
MOST_ROWS = 1_000_000
MOST_LABELS = 1_000
# Squares of what is larger no longer fit a float, and every spread is made of squares.
LARGEST = 1e100
# 1970 to 2200: what lies outside is a number in another unit, or a slip.
LAST_INSTANT = 7_258_118_400
# Clocks of collectors are off by seconds; a deviation from the beat up to this part of the step is no gap.
JITTER = 0.1
ROUNDING = 0.01
_ROUND_STEPS = (60, 300, 600, 900, 1_800, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY)
_GAPS = frozenset({"", "nan", "null", "none", "na", "n/a", "-"})
_FORM = "Write times as 2026-03-12 14:00:00 or 2026-03-12T14:00:00Z; without a zone they are UTC."


@dataclass(frozen=True, slots=True)
class Column:
    """The rows of a file in order of time: instants in epoch seconds, and the cells as they were written."""

    name: str
    instants: Sequence[int]
    cells: Sequence[str]
    lines: Sequence[int]
    remarks: tuple[str, ...] = ()


class Label(NamedTuple):
    """A span in which people saw something, both ends included, in epoch seconds."""

    begin: int
    to: int


def read_column(path: Path, columns: tuple[str, str] = COLUMNS) -> Column:
    """The rows, whatever the values are, of the columns with these names; `InvalidError` names the line that cannot be read."""
    rows = _rows(path)
    header = next(rows, None)
    if header is None:
        raise _invalid(path, "is empty", f'The first line is "{",".join(columns)}", then one row a line.')
    place = _places(path, header.cells, columns)
    found: list[tuple[int, str, int]] = []
    for row in rows:
        if not any(row.cells):
            continue
        if len(found) == MOST_ROWS:
            raise _invalid(path, f"has more than {MOST_ROWS:,} rows", "Cut it to the time that matters.")
        if len(row.cells) <= max(place):
            raise _invalid(path, f"line {row.line} has no value", "Every row has a time and a value, with a comma.")
        found.append((_instant(path, row.cells[place[0]], row.line), row.cells[place[1]].strip(), row.line))
    if not found:
        raise _invalid(path, "has no rows", "Below the first line there is one row for each point.")
    remarks = []
    if others := [name for number, name in enumerate(header.cells) if number not in place]:
        remarks.append(f"Not looked at: {_listed(others)}.")
    late = [line for (instant, _, _), (after, _, line) in itertools.pairwise(found) if after < instant]
    if late:
        remarks.append(f"Rows were put in order of time; line {late[0]} is the first that was not.")
        found.sort(key=lambda each: each[0])
    instants, cells, lines = zip(*found, strict=True)
    return Column(_name(path), instants, cells, lines, tuple(remarks))


def series_of(column: Column) -> tuple[Series, tuple[str, ...]]:
    """The column as a series, and what was put right. The grain is the median step; gaps stay gaps."""
    gaps: list[int] = []
    instants: list[int] = []
    values: list[float] = []
    for instant, cell, line in zip(column.instants, column.cells, column.lines, strict=True):
        if cell.lower() in _GAPS:
            gaps.append(line)
        else:
            instants.append(instant)
            values.append(_value(column.name, cell, line))
    series, remarks = series_from(column.name, instants, values)
    left = (f"{_counted(len(gaps), 'row')} without a value became a gap; the first is line {gaps[0]}.",) if gaps else ()
    return series, (*column.remarks, *left, *remarks)


def series_from(name: str, instants: Sequence[int], values: Sequence[float]) -> tuple[Series, tuple[str, ...]]:
    """A series of points in any order, and what was put right: of points at one instant the mean stands."""
    groups: dict[int, list[float]] = defaultdict(list)
    for instant, value in sorted(zip(instants, values, strict=True), key=itemgetter(0)):
        groups[instant].append(value)
    if len(groups) < 2:
        raise _too_short(name, len(groups))
    begins = list(groups)
    means = [math.fsum(each) / len(each) for each in groups.values()]
    grain = _grain(begins)
    series = Series(name, grain, _steadied(begins, grain), means, begins[-1] + grain, unit="number")
    doubled = [instant for instant, each in groups.items() if len(each) > 1]
    if not doubled:
        return series, ()
    first = _shown(doubled[0])
    return series, (f"{_counted(len(doubled), 'time')} stood more than once and became one mean; first {first}.",)


def numbered(column: Column) -> tuple[Series, tuple[str, ...]]:
    """The instants of the column as a series for `new_value`, which does not read cells as numbers: rows at each."""
    rows = Counter(instant for instant, cell in zip(column.instants, column.cells, strict=True) if cell)
    begins = list(rows)
    if len(begins) < 2:
        raise _too_short(column.name, len(begins))
    grain = _grain(begins)
    return Series(
        column.name, grain, begins, [float(each) for each in rows.values()], begins[-1] + grain
    ), column.remarks


def read_series(path: Path) -> Series:
    """The series in a file of `timestamp,value`."""
    return series_of(read_column(path))[0]


def read_labels(path: Path) -> tuple[Label, ...]:
    """The labels in a file: a JSON list of `[from, to]`, both included."""
    try:
        listed = json.loads(_text(path))
    except (ValueError, RecursionError):
        raise _invalid(path, "is not JSON", 'Labels are a list, such as [["2026-03-12", "2026-03-13"]].') from None
    if not isinstance(listed, list):
        raise _invalid(path, "is no list", 'Labels are a list, such as [["2026-03-12", "2026-03-13"]].')
    return labels_of(listed, _name(path))


def labels_of(listed: Sequence[object], name: str = "labels") -> tuple[Label, ...]:
    """Labels from decoded JSON: pairs of times, the second not before the first."""
    if len(listed) > MOST_LABELS:
        raise InvalidError(
            f"{name} has more than {MOST_LABELS:,} labels.", hint="Give those of the time that is tried."
        )
    labels = []
    for number, pair in enumerate(listed, 1):
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(end, str) for end in pair):
            raise InvalidError(f"{name}: label {number} is not a pair of times.", hint=f"Write [from, to]. {_FORM}")
        begin, to = (instant_of(end, f"{name}: label {number}") for end in pair)
        if to < begin:
            raise InvalidError(f"{name}: label {number} ends before it begins.", hint="Write the earlier time first.")
        labels.append(Label(begin, to))
    return tuple(sorted(labels))


def instant_of(text: str, where: str) -> int:
    """The instant of a time as people write it, in epoch seconds; UTC where it names no zone."""
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidError(f"{where}: {text[:40]!r} is no time.", hint=_FORM) from None
    instant = math.floor((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    if not 0 <= instant <= LAST_INSTANT:
        raise InvalidError(f"{where}: {text[:40]!r} is not between 1970 and 2200.", hint=_FORM)
    return instant


class _Row(NamedTuple):
    line: int
    cells: list[str]


def _rows(path: Path) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(_text(path), newline=""))
    try:
        for cells in reader:
            yield _Row(reader.line_num, cells)
    except csv.Error as error:
        raise _invalid(path, f"line {reader.line_num} is no CSV ({error})", "Fields are parted by commas.") from None


def _text(path: Path) -> str:
    try:
        with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else path.open("rb") as opened:
            read = opened.read(MOST_BYTES + 1)
        if len(read) > MOST_BYTES:
            raise _invalid(path, f"is larger than {MOST_BYTES // 2**20} MB", "Cut it to the time that matters.")
        return read.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _invalid(path, "is not UTF-8 text", "Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is no path"
        raise _invalid(path, f"cannot be read: {why}", "Check the path.") from None


def _places(path: Path, header: list[str], columns: tuple[str, str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    wanted = [name.strip().lower() for name in columns]
    missing = [column for column, name in zip(columns, wanted, strict=True) if name not in names]
    if missing:
        said = f"has no column {' and no '.join(map(repr, missing))}, but {_listed(header)}"
        raise _invalid(path, said, "Say which they are: --time-column NAME --value-column NAME.")
    return names.index(wanted[0]), names.index(wanted[1])


def _instant(path: Path, cell: str, line: int) -> int:
    return instant_of(cell, f"{_name(path)}: line {line}")


def _value(name: str, cell: str, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        hint = "Values are numbers such as 12 or 0.5. Only new_value takes a column of words."
        raise InvalidError(f"{name}: line {line}: {cell[:40]!r} is no number.", hint=hint) from None
    if not abs(value) <= LARGEST:
        hint = "Leave the cell empty where there is no value."
        raise InvalidError(f"{name}: line {line}: {cell[:40]!r} is no usable number.", hint=hint)
    return value


def _grain(begins: Sequence[int]) -> int:
    """The median step; where steps jitter around it, the round step that is meant."""
    steps = sorted(after - begin for begin, after in itertools.pairwise(begins))
    middle = steps[len(steps) // 2]
    if steps.count(middle) * 2 > len(steps):
        return middle
    return next((meant for meant in _ROUND_STEPS if abs(middle - meant) <= meant * ROUNDING), middle)


def _steadied(begins: Sequence[int], grain: int) -> list[int]:
    """The instants with each that is off the beat by a few seconds put on it, unless another stands there."""
    phases: dict[int, int] = defaultdict(int)
    for begin in begins:
        phases[begin % grain] += 1
    beat = max(phases, key=lambda phase: phases[phase])
    most = grain * JITTER
    steadied: list[int] = []
    for begin in begins:
        off = (begin - beat + grain // 2) % grain - grain // 2
        near = begin - off if abs(off) <= most else begin
        if steadied and near <= steadied[-1]:
            near = max(begin, steadied[-1] + 1)
        steadied.append(near)
    return steadied


def _too_short(name: str, points: int) -> InvalidError:
    return InvalidError(
        f"{name} has {points} point{'' if points == 1 else 's'} in time; a series needs two.",
        code="too_short",
        hint="Give the history of the series, one row for each hour or day.",
    )


def _invalid(path: Path, what: str, hint: str) -> InvalidError:
    return InvalidError(f"{_name(path)} {what}.", code="unreadable_file", hint=hint)


def _name(path: Path) -> str:
    return "Standard input" if path == STANDARD_INPUT else path.name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"


def _shown(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M:%S}"
