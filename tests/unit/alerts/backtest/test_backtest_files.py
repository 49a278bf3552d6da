"""Series and labels from files: what is taken, what is put right and said, what is refused and where."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from functions.alerts.backtest.files import labels_of, read_column, read_labels, read_series, series_of
from hedgerow.errors import InvalidError

HOUR = 3_600
NOON = 1_773_316_800  # 2026-03-12 12:00:00 UTC


def written(folder: Path, text: str, name: str = "sales.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def rows(*lines: str) -> str:
    return "\n".join(("timestamp,value", *lines)) + "\n"


def test_times_are_read_with_and_without_a_zone(tmp_path: Path) -> None:
    text = rows("2026-03-12 12:00:00,1", "2026-03-12T13:00:00Z,2.5", "2026-03-12T15:00:00+01:00,-3e2")
    series = read_series(written(tmp_path, text))
    assert (series.begins, series.values, series.seconds) == (
        [NOON, NOON + HOUR, NOON + 2 * HOUR],
        [1, 2.5, -300],
        HOUR,
    )
    assert series.until == NOON + 3 * HOUR


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_spaces_and_blank_lines_do_no_harm(tmp_path: Path, line_end: str) -> None:
    text = "\ufeffTimestamp , VALUE\n2026-03-12 12:00:00, 1\n\n2026-03-12 13:00:00,2\n\n".replace("\n", line_end)
    assert read_series(written(tmp_path, text)).values == [1, 2]


def test_the_grain_is_the_median_step_and_gaps_stay_gaps(tmp_path: Path) -> None:
    text = rows(*(f"2026-03-12 {hour:02}:00:00,{hour}" for hour in (1, 2, 3, 9, 10, 11)))
    series = read_series(written(tmp_path, text))
    assert series.seconds == HOUR
    assert len(series.begins) == 6


def test_seconds_off_the_beat_make_no_gaps(tmp_path: Path) -> None:
    text = rows(
        "2026-03-12 12:00:00,1", "2026-03-12 13:00:07,2", "2026-03-12 13:59:58,3", "2026-03-12 15:00:00,4",
        "2026-03-12 16:00:00,5", "2026-03-12 17:20:00,6",
    )  # fmt: skip
    series = read_series(written(tmp_path, text))
    assert [(begin - NOON) / HOUR for begin in series.begins[:5]] == [0, 1, 2, 3, 4]
    assert series.begins[5] == NOON + 5 * HOUR + 1_200, "what is off by more stays where it is"


def test_beginnings_ascend_whatever_is_put_on_the_beat(tmp_path: Path) -> None:
    seconds = (0, 300, 595, 598, 600, 602, 900, 1200)
    text = rows(*(f"2026-03-12 12:{second // 60:02}:{second % 60:02},1" for second in seconds))
    begins = read_series(written(tmp_path, text)).begins
    assert len(begins) == len(seconds)
    assert all(begin < after for begin, after in itertools.pairwise(begins))


def test_what_is_put_right_is_said(tmp_path: Path) -> None:
    text = (
        "timestamp,shop,value\n2026-03-12 14:00:00,a,3\n2026-03-12 12:00:00,a,1\n2026-03-12 13:00:00,a,\n"
        "2026-03-12 14:00:00,b,5\n2026-03-12 15:00:00,a,NaN\n2026-03-12 16:00:00,a,7\n"
    )
    series, remarks = series_of(read_column(written(tmp_path, text)))
    assert series.values == [1, 4, 7]
    assert remarks == (
        "Not looked at: 'shop'.",
        "Rows were put in order of time; line 3 is the first that was not.",
        "2 rows without a value became a gap; the first is line 4.",
        "1 time stood more than once and became one mean; first 2026-03-12 14:00:00.",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sales.csv is empty."),
        ("timestamp,value\n", "sales.csv has no rows."),
        ("time,value\n1,2\n", "sales.csv has no column 'timestamp', but 'time', 'value'."),
        (
            "timestamp;value\n2026-03-12;1\n",
            "sales.csv has no column 'timestamp' and no 'value', but 'timestamp;value'.",
        ),
        (rows("2026-03-12 12:00:00,1"), "sales.csv has 1 point in time; a series needs two."),
        (rows("2026-03-12,1", "2026-03-13,lots"), "sales.csv: line 3: 'lots' is no number."),
        (rows("2026-03-12,1", "2026-03-13,inf"), "sales.csv: line 3: 'inf' is no usable number."),
        (rows("2026-03-12,1", "2026-03-13,1e999"), "sales.csv: line 3: '1e999' is no usable number."),
        (rows("2026-03-12,1", "12/03/2026,1"), "sales.csv: line 3: '12/03/2026' is no time."),
        (rows("2026-03-12,1", "0001-01-01,1"), "sales.csv: line 3: '0001-01-01' is not between 1970 and 2200."),
        (rows("2026-03-12,1", "2026-03-13"), "sales.csv line 3 has no value."),
        (rows("2026-03-12,1", '"2026-03-13,1'), "sales.csv line 3 has no value."),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read_series(written(tmp_path, text))
    assert refused.value.detail == said
    assert refused.value.hint


def test_a_file_that_is_not_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_bytes("timestamp,value".encode("utf-16"))
    with pytest.raises(InvalidError, match=r"wide.csv is not UTF-8 text\."):
        read_series(tmp_path / "wide.csv")
    with pytest.raises(InvalidError, match=r"none.csv cannot be read: No such file"):
        read_series(tmp_path / "none.csv")
    with pytest.raises(InvalidError, match="cannot be read"):
        read_series(tmp_path)


def test_labels_are_pairs_of_times(tmp_path: Path) -> None:
    file = written(tmp_path, '[["2026-03-12 13:00:00", "2026-03-12T14:00:00Z"], ["2026-03-12T12:00:00","2026-03-12"]]')
    with pytest.raises(InvalidError, match="label 2 ends before it begins"):
        read_labels(file)
    file = written(tmp_path, '[["2026-03-13", "2026-03-14"], ["2026-03-12 12:00:00", "2026-03-12 12:00:00"]]')
    assert read_labels(file)[0] == (NOON, NOON)


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (["2026-03-12"], "labels: label 1 is not a pair of times."),
        ([["2026-03-12"]], "labels: label 1 is not a pair of times."),
        ([["2026-03-12", 5]], "labels: label 1 is not a pair of times."),
        ([["2026-03-12", "later"]], "labels: label 1: 'later' is no time."),
    ],
)
def test_labels_that_are_none_are_refused(listed: list[object], said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        labels_of(listed)
    assert refused.value.detail == said


def test_labels_must_be_a_json_list(tmp_path: Path) -> None:
    for text, said in (("{}", "is no list"), ("nothing", "is not JSON")):
        with pytest.raises(InvalidError, match=said):
            read_labels(written(tmp_path, text))
