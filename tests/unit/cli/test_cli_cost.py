"""`hedgerow cost`: the arithmetic, reckoned by hand beside it, and what the command prints."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest

from functions.api.routes import MANIFEST
from hedgerow.cli.operations.costs import files, reckoning, saying
from hedgerow.cli.operations.costs.files import Count, Price, Region
from hedgerow.cli.operations.costs.reckoning import Line, Wish
from tests.cli_process import hedgerow

DAILY = Price(
    usd={"europe-west1": 0.03, "us": 0.03, "eur3": 0.06}, per=100_000, free=50_000, free_each="day", verified=False
)
MONTHLY = Price(usd={"us": 0.40}, per=1_000_000, free=2_000_000, free_each="month", verified=True)


def bill(wish: Wish) -> dict[str, Line]:
    return {line.name: line for line in reckoning.bill(wish, files.counts(), files.prices())}


@pytest.mark.parametrize(
    ("units", "region", "usd"),
    [
        (0, "us", 0),
        (50_000, "us", 0),
        (50_001, "us", 31 * 0.03 / 100_000),
        (150_000, "us", 31 * 0.03),
        (150_000, "eur3", 31 * 0.06),
    ],
)
def test_what_is_free_each_day_is_taken_off_each_day(units: float, region: Region, usd: float) -> None:
    assert DAILY.of(units, 31, region) == pytest.approx(usd)


@pytest.mark.parametrize(("units", "usd"), [(2_000_000 / 31, 0), (3_000_000 / 31, 0.40), (12_000_000 / 31, 4.00)])
def test_what_is_free_each_month_is_taken_off_the_month(units: float, usd: float) -> None:
    assert MONTHLY.of(units, 31, "us") == pytest.approx(usd)


def test_what_is_free_in_north_america_is_billed_in_europe() -> None:
    europe, us = (bill(saying.wish(1, "scale", events_a_day=1_000, region=each)) for each in ("europe-west1", "us"))
    egress = europe["Egress"]
    assert us["Egress"].usd == 0
    assert egress.usd == pytest.approx(egress.units / (1 << 30) * 0.12)
    assert {name: line.usd for name, line in europe.items()} == {
        **{name: line.usd for name, line in us.items()},
        "Egress": egress.usd,
    }


def test_an_alert_rings_above_a_busy_hour_and_never_below_a_few_cents() -> None:
    wish = saying.wish(1_000, "scale", events_a_day=1_000_000)
    reads, writes, requests = reckoning.limits(wish, files.counts())
    units = reckoning.units_a_day(wish, files.counts())
    assert [each.variable for each in (reads, writes, requests)] == [
        "cost_reads_per_hour",
        "cost_writes_per_hour",
        "cost_requests_per_hour",
    ]
    assert writes.per_hour == pytest.approx(units["firestore_writes"] / 24)
    assert 4 * writes.per_hour <= writes.limit <= 4.4 * writes.per_hour
    assert len(str(writes.limit).rstrip("0")) <= 2
    assert {each.limit for each in reckoning.limits(saying.wish(0, "scale"), files.counts())} == {50_000}


def test_the_variables_of_the_alert_are_terraforms() -> None:
    declared = (MANIFEST.parents[1] / "infra/terraform/variables.tf").read_text(encoding="utf-8")
    for each in reckoning.limits(saying.wish(1, "scale"), files.counts()):
        assert f'variable "{each.variable}"' in declared


def test_no_connections_cost_the_schedules_beyond_the_free_three() -> None:
    lines = bill(saying.wish(0, "scale"))
    jobs = lines["Cloud Scheduler"]
    assert jobs.units == pytest.approx(sum(map(len, saying.schedules().values())))
    assert jobs.usd == pytest.approx((jobs.units - 3) * 0.10)
    assert reckoning.total(tuple(lines.values())) == pytest.approx(jobs.usd)


def test_a_thousand_quiet_scale_connections_by_hand() -> None:
    lines = bill(saying.wish(1_000, "scale"))
    # 48 syncs a day each, four writes a sync; 20,000 writes a day are free.
    assert lines["Firestore writes"].units == 48_000 * 4 * 31
    assert lines["Firestore writes"].usd == pytest.approx((48_000 * 4 - 20_000) * 31 / 100_000 * 0.09)
    # A deletion of each run, 90 days later.
    assert lines["Firestore deletes"].usd == pytest.approx((48_000 - 20_000) * 31 / 100_000 * 0.01)
    # A version for each connection, and two of ours; six are free.
    assert lines["Secret Manager: versions"].usd == pytest.approx((1_002 - 6) * 0.06)
    assert lines["Secret Manager: accesses"].usd == pytest.approx((48_000 * 31 - 10_000) / 10_000 * 0.03)
    # The tick's message, published and delivered, a thousand bytes each time.
    assert lines["Pub/Sub"].units == 48_000 * 31 * 2_000
    assert lines["Pub/Sub"].usd == 0


def test_a_million_events_a_day_by_hand() -> None:
    quiet, busy = bill(saying.wish(1_000, "scale")), bill(saying.wish(1_000, "scale", events_a_day=1_000_000))
    requests = 100_000 * 31
    # Each of the 48,000 syncs finds something: it writes four more and an activity, and is judged.
    syncs, kept = 48_000 * 31 * (4 + 1), requests * 0.001
    assert busy["Firestore writes"].units - quiet["Firestore writes"].units == pytest.approx(
        syncs + requests + kept * (1 + files.counts().counted["redelivered"].writes)
    )
    assert busy["Functions: requests"].units - quiet["Functions: requests"].units == pytest.approx(
        requests + 48_000 * 31
    )
    sent = 1_000_000 * 31 * 1_000 * 1.001
    assert busy["Egress"].units - quiet["Egress"].units == pytest.approx(sent)


def test_a_hundred_thousand_connections_by_hand() -> None:
    lines = bill(saying.wish(100_000, "scale"))
    assert lines["Secret Manager: versions"].usd == pytest.approx((100_002 - 6) * 0.06)
    assert lines["Firestore writes"].usd == pytest.approx((4_800_000 * 4 - 20_000) * 31 / 100_000 * 0.09)
    eur3 = bill(saying.wish(100_000, "scale", region="eur3"))
    assert eur3["Firestore writes"].usd == pytest.approx(2 * lines["Firestore writes"].usd)


def test_the_sealed_vault_reads_once_more_and_keeps_no_versions() -> None:
    lines = {vault: bill(saying.wish(1_000, "scale", vault=vault)) for vault in ("secret_manager", "sealed")}
    more = lines["sealed"]["Firestore reads"].units - lines["secret_manager"]["Firestore reads"].units
    assert more == pytest.approx(48_000 * 31)
    assert lines["sealed"]["Secret Manager: versions"].usd == 0
    assert lines["sealed"]["Secret Manager: accesses"].units == pytest.approx(0)


def test_rules_are_judged_after_every_sync() -> None:
    none, one, three = (
        reckoning.units_a_day(saying.wish(1, "scale", rules=number), files.counts()) for number in (0, 1, 3)
    )
    counted = files.counts().counted
    incident = counted["incident"].reads + 2 * counted["notification"].reads
    assert one["firestore_reads"] - none["firestore_reads"] == pytest.approx(48 * 4 + incident / 31)
    assert three["firestore_reads"] - one["firestore_reads"] == pytest.approx(2 * (48 * 3 + incident / 31))


def test_only_as_many_syncs_find_something_as_there_are_events() -> None:
    assert reckoning.busy_syncs(saying.wish(1, "scale", events_a_day=10)) == 10
    assert reckoning.busy_syncs(saying.wish(1, "scale", events_a_day=1_000_000)) == 48
    assert reckoning.busy_syncs(saying.wish(1, "basic", events_a_day=1_000_000)) == 0


def test_warm_instances_cost_though_nobody_calls() -> None:
    lines = bill(saying.wish(0, "scale", min_instances=2))
    assert lines["Minimum instances: vCPU"].usd == pytest.approx(2 * 86_400 * 31 * 0.0000025)
    assert lines["Minimum instances: memory"].usd == pytest.approx(86_400 * 31 * 0.0000025)


def test_every_function_has_the_size_that_is_reckoned() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    assert {(target["memory"], target["cpu"]) for target in manifest.values()} == {("512Mi", "1")}
    assert (reckoning.MEMORY_GIB, reckoning.VCPUS) == (0.5, 1.0)


def test_what_dominates_and_what_would_save() -> None:
    wish = saying.wish(1_000, "scale")
    lines = reckoning.bill(wish, files.counts(), files.prices())
    assert next(line.name for line in saying.dominating(lines)) == "Secret Manager: versions"
    first = saying.savings(wish, files.counts(), files.prices())[0]
    assert "sealed" in first.what
    assert first.usd < reckoning.total(lines) / 2
    assert saying.dominating(()) == ()


def test_prices_grow_old_after_half_a_year() -> None:
    assert not files.prices().are_old(date(2027, 5, 23))
    assert files.prices().are_old(date(2027, 5, 24))


def test_counts_multiply() -> None:
    assert Count(reads=1, deletes=2).times(3) + Count(writes=1) == Count(reads=3, writes=1, deletes=6)


def test_the_command_prints_the_lines_and_says_what_dominates() -> None:
    done = hedgerow("cost", "--connections", "1000", "--events-per-day", "1000000")
    assert done.returncode == 0
    assert "Firestore writes" in done.stdout
    assert "Dominated by Secret Manager: versions" in done.stdout
    assert 'vault = "sealed"' in done.stdout
    assert re.search(r"^cost_reads_per_hour = \d+0000$", done.stdout, re.MULTILINE)


def test_the_command_prints_json() -> None:
    done = hedgerow("cost", "--connections", "10", "--tier", "pro", "--region", "eur3", "--json")
    told = json.loads(done.stdout)
    assert (told["tier"], told["region"], told["days"], told["prices_of"]) == ("pro", "eur3", 31, "2026-11-21")
    assert told["limits"]["cost_writes_per_hour"] == {"per_hour": 13.3, "limit": 50_000}
    assert told["usd"] == pytest.approx(sum(line["usd"] for line in told["lines"]), abs=0.01)


@pytest.mark.parametrize(
    "arguments", [["--connections", "-1"], ["--connections", "1", "--tier", "gold"], ["--tier", "pro"]]
)
def test_wrong_usage_is_said(arguments: list[str]) -> None:
    done = hedgerow("cost", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_events_without_a_connection_are_no_bill() -> None:
    refused = hedgerow("cost", "--connections", "0", "--events-per-day", "1000000000000")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Without a connection no event is captured." in refused.stderr
