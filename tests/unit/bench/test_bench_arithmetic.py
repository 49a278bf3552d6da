"""The bench's own arithmetic: spreads, ratios, verdicts, turns, tables, and where figures are kept."""

from __future__ import annotations

import json

import pytest

from bench import report, table
from bench.figures import Must, Row, Spread, compared, counted, rated, ratio, spread, unmeasured
from bench.imports import beyond
from bench.rounds import in_turn, one_by_one, timing


def test_a_spread_is_median_lowest_and_highest() -> None:
    assert spread([3.0, 1.0, 9.0, 2.0]) == Spread(2.5, 1.0, 9.0, 4)


def test_a_ratio_is_of_medians_and_its_bounds_are_of_single_rounds() -> None:
    assert ratio([2.0, 4.0, 6.0], [1.0, 4.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)


def test_rounds_of_unequal_number_are_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("seconds", "verdict"), [([1.0, 1.2, 1.3], "met"), ([1.0, 1.21, 1.3], "MISSED"), ([5.0, 1.1, 1.1], "met")]
)
def test_a_time_is_held_to_its_ratio(seconds: list[float], verdict: str) -> None:
    row = compared("b", "w", seconds, [1.0, 1.0, 1.0], limit=1.2)
    assert row.verdict == verdict
    assert row.floor == Spread(1000.0, 1000.0, 1000.0, 3)


@pytest.mark.parametrize(("rates", "verdict"), [([50.0, 64.0, 90.0], "MISSED"), ([50.0, 65.0, 66.0], "met")])
def test_a_rate_is_held_to_at_least_a_part_of_its_floor(rates: list[float], verdict: str) -> None:
    row = rated("b", "w", rates, [100.0, 100.0, 100.0], least=0.65)
    assert row.verdict == verdict
    assert table.cells(row)[4] == "≥ 0.65"
    assert rated("b", "w", rates, [100.0] * 3, least=None).verdict == "reported"


def test_counts_are_held_to_the_largest() -> None:
    assert counted("b", "w", [4, 4, 4, 5], limit=5).verdict == "met"
    row = counted("b", "w", [4, 4, 4, 6], limit=5)
    assert row.verdict == "MISSED"
    assert row.figure == Spread(6, 4, 6, 4)


def test_without_a_promise_a_figure_is_only_reported() -> None:
    assert compared("b", "w", [9.0], [1.0], limit=None).verdict == "reported"


def test_what_was_not_measured_says_why_in_every_form() -> None:
    row = unmeasured("ticks", "a tick", "gcloud is not installed", Must(1.2, "ratio"))
    assert row.verdict == "NOT MEASURED"
    for lines in (table.plain([row]), table.markdown([row])):
        assert "NOT MEASURED" in "\n".join(lines)
        assert "gcloud is not installed" in "\n".join(lines)


def test_a_promise_about_a_ratio_is_not_met_by_a_figure_alone() -> None:
    assert Row("b", "w", spread([0.5]), must=Must(1.0, "ratio")).verdict == "NOT MEASURED"


def test_beyond_takes_the_floor_of_the_same_round() -> None:
    assert beyond([0.25, 0.5], [0.125, 0.25]) == [125.0, 250.0]


async def test_every_round_does_each_once_and_the_first_is_not_counted() -> None:
    done: list[str] = []

    async def figure() -> float:
        done.append("figure")
        return float(len(done))

    async def floor() -> float:
        done.append("floor")
        return 0.0

    seconds = await in_turn(3, {"figure": figure, "floor": floor})
    assert done == ["floor", "figure", "figure", "floor", "floor", "figure", "figure", "floor"]
    assert seconds == {"figure": [3.0, 6.0, 7.0], "floor": [0.0, 0.0, 0.0]}


def test_what_is_measured_from_outside_takes_the_same_turns() -> None:
    done: list[str] = []

    def figure(who: str) -> float:
        done.append(who)
        return float(len(done))

    figures = one_by_one(2, {"ours": lambda: figure("ours"), "bare": lambda: figure("bare")})
    assert done == ["bare", "ours", "ours", "bare", "bare", "ours"]
    assert figures == {"ours": [3.0, 6.0], "bare": [4.0, 5.0]}


async def test_timing_times_the_whole_of_the_work() -> None:
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    assert 0 <= await timing(work)() < 5
    assert ran == [1]


def test_a_table_names_every_column_of_every_row() -> None:
    rows = [
        compared("b", "reading", [0.002], [0.001], limit=2.0, note="a note"),
        counted("b", "documents", [26], limit=26),
    ]
    lines = table.plain(rows)
    assert lines[0].split() == list(table.HEAD)
    assert lines[2].split() == ["reading", "2", "ms", "1", "ms", "2.00", "(2.00–2.00)", "≤", "2", "met"]
    assert lines[3].strip() == "a note"
    assert lines[4].split() == ["documents", "26", "—", "—", "≤", "26", "met"]


def test_rows_survive_the_way_between_processes() -> None:
    rows = [compared("b", "w", [0.2, 0.3], [0.1, 0.1], limit=None), unmeasured("b", "w", "why", Must(1, "figure"))]
    assert report.rows_of(report.as_rows(rows)) == rows


def test_the_json_carries_verdicts_machine_and_size() -> None:
    told = json.loads(report.as_json([counted("b", "w", [3], limit=2)], "a machine", full=False))
    assert (told["machine"], told["full_size"], told["rows"][0]["verdict"]) == ("a machine", False, "MISSED")


def test_publishing_replaces_the_figures_and_nothing_else() -> None:
    page = f"# Title\n\n{report.BEGIN}\nold figures\n{report.END}\n\nThe end.\n"
    written = report.published(page, [counted("b", "w", [1], limit=2)], "Taken today.")
    assert "old figures" not in written
    assert written.startswith("# Title\n\n")
    assert written.endswith(f"{report.END}\n\nThe end.\n")
    assert report.published(written, [counted("b", "w", [1], limit=2)], "Taken today.") == written


def test_a_page_without_a_place_for_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        report.published("# Title\n", [], "")
