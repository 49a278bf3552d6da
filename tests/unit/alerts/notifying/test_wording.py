"""What a notice says of an incident: numbers, since when in the project's zone, how sure, and only the links that make sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.alerts.notifying.saying import span_words
from functions.alerts.notifying.wording import Addresses, Told, group_notice, incident_notice
from functions.alerts.records import Incident, Notification, Step
from hedgerow.channels.notice import Notice
from hedgerow.models import Connection

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
SENTENCE = "Payment failure rate 7.8 %, usually 2.1–3.4 % on Fridays"
SIGNED = Addresses(
    acknowledge="https://h.example/a",
    snooze="https://h.example/s",
    useful="https://h.example/u",
    useless="https://h.example/n",
    incident="https://h.example/i",
    chart="https://h.example/c.png",
    rule="https://h.example/r",
)


def incident(number: int = 1, **fields: Any) -> Incident:
    known: dict[str, Any] = {
        "id": f"inc_{number}",
        "tenant_id": "ten_1",
        "connection_id": "con_1",
        "rule_id": f"rule_{number}",
        "rule_name": f"Rule {number}",
        "connection_name": "Shop",
        "severity": "warning",
        "since": NOW - timedelta(hours=2, minutes=10),
        "opened_at": NOW,
        "sentence": SENTENCE,
        "sureness": 0.97,
        "timeline": (Step(at=NOW, kind="opened", sentence=SENTENCE),),
    }
    return Incident(**{**known, **fields})


def resolved(number: int = 1) -> Incident:
    steps = (
        Step(at=NOW, kind="opened", sentence=SENTENCE),
        Step(at=NOW, kind="resolved", sentence="Payment failure rate is 2.4 % again."),
    )
    return incident(number, state="resolved", resolved_at=NOW, timeline=steps)


def notification(kind: Any = "opened", step: int = 0) -> Notification:
    return Notification(
        id="ntf_1", tenant_id="ten_1", channel_id="chn_1", subject_id="inc_1", kind=kind, step=step, created_at=NOW
    )


def connection() -> Connection:
    return Connection(
        id="con_1",
        tenant_id="ten_1",
        name="Shop",
        host="https://eu.posthog.com",
        project_id="17",
        state="connected",
        state_since=NOW,
        tier="pro",
        timezone="Europe/Berlin",
        created_at=NOW,
    )


def test_an_opening_says_what_since_when_and_how_sure() -> None:
    notice = incident_notice(notification(), Told(incident(), SIGNED), connection(), was_told=False, now=NOW)
    assert (notice.title, notice.mood, notice.kind) == (SENTENCE, "firing", "incident.opened")
    facts = dict(notice.facts)
    assert facts["Since"] == "Fri 20 Nov, 14:20 (Europe/Berlin), 2 h 10 min"
    assert (facts["Sureness"], facts["Project"], facts["Rule"]) == ("97 %", "Shop", "Rule 1")
    labels = [link.label for link in notice.links]
    assert labels == ["Acknowledge", "Snooze", "Incident", "Rule", "PostHog", "Useful", "Not useful"]
    assert notice.links[4].url == "https://eu.posthog.com/project/17"
    assert notice.chart_url == "https://h.example/c.png"


def test_what_is_over_is_neither_acknowledged_nor_snoozed() -> None:
    notice = incident_notice(
        notification("resolved", 1), Told(resolved(), SIGNED), connection(), was_told=True, now=NOW
    )
    assert (notice.title, notice.mood) == ("Payment failure rate is 2.4 % again.", "resolved")
    assert {"Acknowledge", "Snooze"}.isdisjoint(link.label for link in notice.links)


def test_an_opening_that_comes_too_late_says_both() -> None:
    notice = incident_notice(notification(), Told(resolved(), Addresses()), None, was_told=False, now=NOW)
    assert notice.mood == "resolved"
    assert SENTENCE in notice.title
    assert "2.4 % again" in notice.title
    assert notice.links == ()
    assert notice.chart_url is None


def test_late_data_is_said() -> None:
    late = incident(on_incomplete=True)
    assert "Note" in dict(incident_notice(notification(), Told(late, SIGNED), None, was_told=False, now=NOW).facts)
    moved = resolved().model_copy(update={"was_corrected": True})
    told = incident_notice(notification("resolved", 1), Told(moved, SIGNED), None, was_told=True, now=NOW)
    assert "Late data moved the number" in dict(told.facts)["Corrected"]


def test_a_group_lists_what_is_open_first_and_not_more_than_ten() -> None:
    group = [Told(resolved(0), SIGNED), *(Told(incident(each), SIGNED) for each in range(1, 15))]
    group[5] = Told(incident(5, severity="critical"), SIGNED)
    notice = group_notice(notification(), group, connection(), now=NOW)
    assert notice.severity == "critical"
    assert [label for label, _ in notice.facts][:2] == ["Rule 5", "Rule 1"]
    assert notice.facts[-1] == ("And", "5 more")
    assert "14 of the 15" in notice.title
    labels = [link.label for link in notice.links]
    assert labels[:2] == ["Acknowledge Rule 5", "Snooze Rule 5"]
    assert sum(label.startswith("Acknowledge") for label in labels) == 3
    assert [label for label in labels if label.startswith("Incident")] == [
        f"Incident {label}" for label, _ in notice.facts[:-1]
    ], "whatever is listed has its link"


def acted(kind: Any, **fields: Any) -> Notice:
    step = Step(at=NOW, kind=kind, sentence="Somebody looks after it.")
    changed = incident(timeline=(Step(at=NOW, kind="opened", sentence=SENTENCE), step), **fields)
    return incident_notice(notification(kind, 1), Told(changed, SIGNED), connection(), was_told=True, now=NOW)


@pytest.mark.parametrize(("by", "said"), [("Slack #ops", "Slack #ops"), ("key_4e021b", "somebody by API")])
def test_what_is_acknowledged_still_says_what_is_wrong_and_by_whom(by: str, said: str) -> None:
    notice = acted("acknowledged", acknowledged_at=NOW, acknowledged_by=by)
    assert (notice.title, notice.mood, notice.beside) == (SENTENCE, "acknowledged", f"by {said}")
    assert dict(notice.facts)["Acknowledged"] == f"Fri 20 Nov, 16:30 (Europe/Berlin), by {said}"
    assert "key_" not in str(notice.facts)


def test_what_is_snoozed_still_says_what_is_wrong_and_until_when() -> None:
    notice = acted("snoozed", snoozed_until=NOW + timedelta(hours=1))
    assert (notice.title, notice.mood) == (SENTENCE, "snoozed")
    assert notice.beside == "until Fri 20 Nov, 17:30 (Europe/Berlin)"
    assert dict(notice.facts)["Snoozed until"] == "Fri 20 Nov, 17:30 (Europe/Berlin)"


def test_a_group_says_which_of_its_incidents_somebody_looks_after() -> None:
    taken = incident(1, acknowledged_at=NOW, acknowledged_by="ops")
    group = [Told(taken, SIGNED), Told(incident(2), SIGNED)]
    notice = group_notice(notification("acknowledged", 1), group, connection(), now=NOW)
    assert notice.title == "Rule 1: acknowledged by ops. 2 alert rules fired together on Shop."
    assert dict(notice.facts) == {"Rule 1": f"{SENTENCE} Acknowledged by ops.", "Rule 2": SENTENCE}
    assert "Acknowledge Rule 1" not in [link.label for link in notice.links]


def test_being_quite_sure_goes_without_saying() -> None:
    told = Told(incident(sureness=1.0), SIGNED)
    assert "Sureness" not in dict(incident_notice(notification(), told, None, was_told=False, now=NOW).facts)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "0 min"), (59, "59 min"), (60, "1 h"), (130, "2 h 10 min"), (48 * 60, "2 days"), (100 * 24 * 60, "100 days")],
)
def test_spans_are_said_as_people_do(minutes: int, said: str) -> None:
    assert span_words(NOW, NOW + timedelta(minutes=minutes)) == said
