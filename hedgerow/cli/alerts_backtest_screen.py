"""A back-test for people: when it would have fired, what to expect, and which setting to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli import screen

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown

MOST_INCIDENTS = 40
# Nearby settings come in groups: one condition, with each N of M.
GROUP = 5


def show(shown: Shown) -> None:
    """A report as the API gives it, or one for each value of a breakdown."""
    for number, report in enumerate(shown.get("values", [shown])):
        if number:
            screen.say("")
        _report(report)


def _report(report: Shown) -> None:
    name, value = report["name"], report["value"]
    if value is not None and not name.endswith(f"= {value}"):
        name = f"{name}, {value}"
    length = _length(report["grain"])
    screen.say(
        f"{name}: {screen.counted(report['buckets'], 'bucket')}, one every {length}, {report['judged']:,} judged"
    )
    screen.say(f"{screen.instant(report['from'])} to {screen.instant(report['to'])} UTC")
    if incidents := report["incidents"]:
        _incidents(report, incidents)
    else:
        screen.say("It would not have fired.")
    for remark in report["remarks"]:
        screen.say(remark)
    words = report["forecast"]["words"]
    screen.say(f"\nForecast: {words[:1].upper()}{words[1:]}")
    if not report["judged"]:
        return
    basis, is_estimate = report["forecast"]["basis"], report["forecast"]["is_estimate"]
    screen.say(f"{basis[:1].upper()}{basis[1:]}." if is_estimate else f"False alarms: {basis}.")
    if (scores := report.get("labels")) is not None:
        screen.say(f"Against the labels: {_scores(scores, report['grain'])}")
    if (nearby := report.get("nearby")) is not None:
        _nearby(nearby, is_bar=report["condition"]["kind"] == "anomaly")


def _incidents(report: Shown, incidents: list[Shown]) -> None:
    # A sentence that is told in chat begins with what it is about; here the heading has said it.
    name = f"{report['name']}: "
    made = screen.table("from", "to", "for", "peak", "why", right=("for", "peak"), fluid=("why",), spare=("to",))
    for each in incidents[:MOST_INCIDENTS]:
        seconds = _seconds(each["from"], each["to"]) + report["grain"]
        peak = "" if each["peak"] is None else f"{each['peak']:,.4g}"
        sentence = each["sentence"].removeprefix(name)
        still = " Still open." if sentence.endswith(".") else ", still open"
        why = f"{sentence or each['reason']}{still if each['is_open'] else ''}"
        screen.row(made, screen.instant(each["from"]), screen.instant(each["to"]), _length(seconds), peak, why)
    screen.show(made)
    if (more := len(incidents) - MOST_INCIDENTS) > 0:
        screen.say(f"… and {more:,} more; --json has all.")


def _nearby(nearby: Shown, *, is_bar: bool) -> None:
    settings, chosen = nearby["settings"], nearby["chosen"]
    has_labels = settings[0]["labels"] is not None
    false_said = "doubtful a month" if settings[0]["is_estimate"] else "false a month"
    columns = ("firings", "hours", false_said, *(("precision", "recall", "F1") if has_labels else ()))
    made = screen.table("nearby settings", *columns, "", right=columns, fluid=("nearby settings",))
    for number, each in enumerate(settings):
        if number >= GROUP and number % GROUP and number != chosen:
            continue
        false = each["expected_false_a_month"]
        cells = [f"{each['firings']:,}", f"{each['hours_firing']:,.1f}", "–" if false is None else f"{false:.1f}"]
        if has_labels:
            cells += [f"{each['labels'][name]:.2f}" for name in ("precision", "recall", "f1")]
        mark = " ".join(word for word, is_it in (("as it is", number == 0), ("← take", number == chosen)) if is_it)
        screen.row(made, each["words"], *cells, mark)
    screen.say("")
    screen.show(made)
    if is_bar:
        screen.say("The bar is `sensitivity`, in MADs: higher is calmer.")
    screen.say(f"→ {nearby['why']}")


def _scores(scores: Shown, grain: int) -> str:
    delay = scores["median_delay"]
    seen = ""
    if delay is not None:
        length = _length(grain)
        seen = f"; the first firing bucket begins {_length(delay)} after a label does (median), and is told of when it ends, {length} later"
    return f"precision {scores['precision']:.2f}, recall {scores['recall']:.2f}, F1 {scores['f1']:.2f}{seen}."


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400 and seconds != 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _seconds(begin: str, to: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(to) - datetime.fromisoformat(begin)).total_seconds()
