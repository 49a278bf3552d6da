"""`hedgerow alerts backtest`, as a process: on a file without a server, of a rule through the API, in words and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli_process import Answers, hedgerow

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """Ten weeks of hours, high for three of them on one Thursday."""
    lines = ["timestamp,value"]
    for hour in range(24 * 70):
        at = FIRST + timedelta(hours=hour)
        value = (
            100
            + hour % 24
            + hour % 5
            + (300 if datetime(2026, 3, 5, 9, tzinfo=UTC) <= at < datetime(2026, 3, 5, 12, tzinfo=UTC) else 0)
        )
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{value}")
    file = tmp_path / "sales.csv"
    file.write_text("\n".join(lines))
    (tmp_path / "labels.json").write_text('[["2026-03-05 08:00:00", "2026-03-05 12:00:00"]]')
    return file


def test_json_is_grain_incidents_and_scores_and_nothing_else(sales: Path) -> None:
    labels = str(sales.parent / "labels.json")
    done = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "anomaly", "--labels", labels, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert list(told) == ["grain", "incidents", "labels"]
    assert told["grain"] == 3_600
    assert all(list(each) == ["from", "to", "peak", "reason"] for each in told["incidents"])
    assert "2026-03-05T09:00:00Z" in [each["from"] for each in told["incidents"]]
    assert (told["labels"]["recall"], told["labels"]["median_delay"]) == (1.0, 3_600.0)
    without = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "anomaly", "--json")
    assert list(json.loads(without.stdout)) == ["grain", "incidents"]


@pytest.mark.parametrize("kind", ["threshold", "change", "anomaly", "no_data", "new_value"])
def test_every_kind_runs_on_a_file_never_seen_before(sales: Path, kind: str) -> None:
    done = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", kind, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["grain"] == 3_600


def test_a_threshold_nobody_set_is_chosen_from_the_past_and_said(sales: Path) -> None:
    done = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "threshold", "--json")
    (only,) = json.loads(done.stdout)["incidents"]
    assert (only["from"], only["to"]) == ("2026-03-05T09:00:00Z", "2026-03-05T11:00:00Z")
    assert "No threshold was set: it was chosen each day" in done.stderr


def test_people_read_a_table_a_forecast_and_what_to_take(sales: Path) -> None:
    done = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "threshold", "--set", "above=200")
    assert done.returncode == 0, done.stderr
    assert "sales.csv: 1,680 buckets, one every 1 h, 1,680 judged" in done.stdout
    assert "2026-03-05 09:00:00  2026-03-05 11:00:00  3 h" in done.stdout
    assert (
        "Forecast: 1 firing in 70 days; expect no false alarms, at most 1.3 a month; would have seen the rise of"
        in done.stdout
    )
    assert "above 200, 1 of 1" in done.stdout
    assert "→ Keep it as it is" in done.stdout


def test_only_the_time_asked_for_is_tried(sales: Path) -> None:
    told = [
        json.loads(
            hedgerow(
                *(
                    "alerts",
                    "backtest",
                    "--csv",
                    str(sales),
                    "--condition",
                    "threshold",
                    "--set",
                    "above=200",
                    "--json",
                ),
                *("--from", begin, "--to", to),
            ).stdout
        )["incidents"]
        for begin, to in (
            ("2026-03-05", "2026-03-05"),
            ("2026-03-06", "2026-03-07"),
            ("2026-03-05 10:30", "2026-03-06"),
        )
    ]
    assert [[each["from"] for each in incidents] for incidents in told] == [
        ["2026-03-05T09:00:00Z"],
        [],
        ["2026-03-05T11:00:00Z"],
    ]


def test_columns_are_named_and_a_file_is_taken_from_standard_input(sales: Path) -> None:
    text = sales.read_text().replace("timestamp,value", "At,Price (EUR)")
    named = ("--time-column", "at", "--value-column", "Price (EUR)")
    plain = ("alerts", "backtest", "--condition", "threshold", "--set", "above=200", "--json", "--csv")
    done = hedgerow(*plain, "-", *named, stdin=text)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(hedgerow(*plain, str(sales)).stdout)
    wrong = hedgerow(*plain, "-", stdin=text)
    assert "Standard input has no column 'timestamp' and no 'value', but 'At', 'Price (EUR)'." in wrong.stderr
    assert "--time-column NAME --value-column NAME" in wrong.stderr


def test_the_bar_of_an_anomaly_is_explained(sales: Path) -> None:
    done = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "anomaly")
    (own,) = [line for line in done.stdout.splitlines() if line.endswith("as it is") or "as it is ←" in line]
    assert own.startswith("bar of 7.25 MADs, the default, 1 of 1")
    assert "The bar is `sensitivity`, in MADs: higher is calmer." in done.stdout
    asked = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "anomaly", "--set", "sensitivity=9")
    assert "bar of 9 MADs, 1 of 1" in asked.stdout


def test_both_delays_are_explained_where_they_are_told(sales: Path) -> None:
    labels = sales.parent / "exact.json"
    labels.write_text('[["2026-03-05 09:00:00", "2026-03-05 12:00:00"]]')
    done = hedgerow(
        *("alerts", "backtest", "--csv", str(sales), "--condition", "threshold", "--set", "above=200"),
        *("--labels", str(labels)),
    )
    assert "would have seen that of 5 March 2026 after 60 min" in done.stdout.replace("after 1 h", "after 60 min")
    assert "the first firing bucket begins 0 s after a label does (median), and is told of when it ends, 1 h later" in (
        done.stdout
    )


def test_what_is_still_open_is_set_apart_from_its_sentence(sales: Path) -> None:
    lines = sales.read_text().splitlines()
    sales.write_text("\n".join([*lines[:-1], lines[-1].split(",")[0] + ",900"]))
    done = hedgerow("alerts", "backtest", "--csv", str(sales), "--condition", "threshold", "--set", "above=300")
    assert "above the threshold of 300. Still open." in done.stdout


def test_new_value_takes_a_column_of_words(tmp_path: Path) -> None:
    file = tmp_path / "methods.csv"
    lines = [
        f"{FIRST + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ},{'card' if hour % 2 else 'wire'}"
        for hour in range(24 * 60)
    ]
    lines[24 * 50] = f"{FIRST + timedelta(days=50):%Y-%m-%dT%H:%M:%SZ},crypto"
    file.write_text("\n".join(["timestamp,value", *lines]))
    done = hedgerow("alerts", "backtest", "--csv", str(file), "--condition", "new_value", "--json")
    (only,) = json.loads(done.stdout)["incidents"]
    assert (only["from"], only["peak"], only["reason"]) == ("2026-02-20T00:00:00Z", 1, "new_value")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Give a rule, or --csv FILE."),
        (("low", "--value-column", "price"), 2, "--time-column and --value-column belong to --csv."),
        (
            ("--csv", "sales.csv", "--condition", "anomaly", "--value-column", "price"),
            1,
            "sales.csv has no column 'price', but 'timestamp', 'value'",
        ),
        (("--csv", "sales.csv"), 2, "--csv needs --condition KIND."),
        (("--csv", "sales.csv", "--condition", "trend"), 2, "'trend' is no kind of condition."),
        (("--csv", "sales.csv", "--condition", "anomaly", "--set", "above=3"), 2, "anomaly has no setting 'above'."),
        (("--csv", "sales.csv", "--condition", "anomaly", "--from", "soon"), 2, "--from: 'soon' is no time."),
        (("--csv", "none.csv", "--condition", "anomaly"), 1, "none.csv cannot be read: No such file"),
        (
            ("--csv", "sales.csv", "--condition", "anomaly", "--from", "2030-01-01"),
            1,
            "has no point in the time asked for",
        ),
        (("--csv", "sales.csv", "--condition", "anomaly", "--labels", "sales.csv"), 1, "sales.csv is not JSON."),
    ],
)
def test_what_cannot_be_done_ends_with_a_hint(sales: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    placed = [str(sales.parent / each) if each.endswith(".csv") else each for each in arguments]
    done = hedgerow("alerts", "backtest", *placed)
    assert done.returncode == code
    assert said in done.stderr
    assert "→" in done.stderr
    assert done.stdout == ""


def test_a_rule_is_tried_by_its_name_through_the_api(answers: Answers, tmp_path: Path) -> None:
    answers.say("GET", "/v1/connections/con_1/rules", {"items": [{"id": "rule_1", "name": "low"}]})
    report: dict[str, Any] = {
        "name": "posthog_dau", "value": None, "unit": "count", "grain": 86_400, "buckets": 90, "judged": 80,
        "from": "2026-01-01T00:00:00Z", "to": "2026-03-31T00:00:00Z", "incidents": [], "remarks": [],
        "forecast": {"words": "no firings in 90 days.", "basis": "an estimate", "expected_false_a_month": 0,
                     "is_estimate": True},
        "labels": None, "nearby": None,
    }  # fmt: skip
    answers.say("POST", "/v1/alerts/backtest", {"values": [{**report, "value": "card"}, {**report, "value": "wire"}]})
    file = tmp_path / "labels.json"
    file.write_text('[["2026-03-05 08:00:00", "2026-03-05 12:00:00"]]')
    done = hedgerow(
        *("alerts", "backtest", "low", "--connection", "con_1", "--from", "2026-01-01", "--labels", str(file)),
        HEDGEROW_URL=answers.url,
        HEDGEROW_API_KEY="k",
    )
    assert done.returncode == 0, done.stderr
    assert answers.asked[-1][3] == {
        "connection": "con_1",
        "rule": "rule_1",
        "from": "2026-01-01",
        "nearby": True,
        "labels": [["2026-03-05T08:00:00Z", "2026-03-05T12:00:00Z"]],
    }
    assert "posthog_dau, card: 90 buckets, one every 24 h, 80 judged" in done.stdout
    assert "Forecast: No firings in 90 days." in done.stdout
    missing = hedgerow(
        "alerts", "backtest", "lower", "--connection", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k"
    )
    assert (missing.returncode, "There is no rule 'lower'." in missing.stderr) == (2, True)


RULE = {
    "id": "rule_1",
    "name": "low",
    "condition": {"kind": "threshold", "below": 500, "recover_above": 600},
    "policy": {"fire_after": 2, "out_of": 3},
}
REPORT: dict[str, Any] = {
    "name": "Sales by currency = EUR", "value": "EUR", "unit": "count", "grain": 86_400, "buckets": 90, "judged": 90,
    "from": "2026-01-01T00:00:00Z", "to": "2026-03-31T00:00:00Z", "incidents": [], "remarks": [],
    "forecast": {"words": "no firings.", "basis": "known", "expected_false_a_month": 0, "is_estimate": False},
    "labels": None, "nearby": None,
}  # fmt: skip


def test_other_settings_of_a_rule_are_tried_once(answers: Answers) -> None:
    answers.say("GET", "/v1/connections/con_1/rules", {"items": [RULE]})
    answers.say("POST", "/v1/alerts/backtest", REPORT)

    def wanted(*arguments: str) -> dict[str, Any]:
        done = hedgerow(
            *("alerts", "backtest", "low", "--connection", "con_1", *arguments),
            HEDGEROW_URL=answers.url,
            HEDGEROW_API_KEY="k",
        )
        assert done.returncode == 0, done.stderr
        assert "Sales by currency = EUR: 90 buckets" in done.stdout, "the value is named once"
        told: dict[str, Any] = answers.asked[-1][3]
        return told

    assert "condition" not in wanted()
    other = wanted("--set", "below=400", "--set", "fire_after=1")
    assert (other["condition"]["below"], other["condition"]["recover_above"]) == (400, 600)
    assert (other["policy"]["fire_after"], other["policy"]["out_of"]) == (1, 3)
    kind = wanted("--condition", "anomaly", "--set", "sensitivity=3")
    assert (kind["condition"]["kind"], kind["condition"]["sensitivity"]) == ("anomaly", 3)
    assert kind["policy"]["out_of"] == 3
    wrong = hedgerow(
        *("alerts", "backtest", "low", "--connection", "con_1", "--set", "days=3"),
        HEDGEROW_URL=answers.url,
        HEDGEROW_API_KEY="k",
    )
    assert (wrong.returncode, "threshold has no setting 'days'." in wrong.stderr) == (2, True)
