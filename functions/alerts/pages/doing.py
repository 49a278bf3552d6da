"""What pressing a signed page's button does, and what it says of it. Its link has been read; the form has not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from functions.alerts.incidents import acting
from functions.alerts.notifying.saying import at_words, who
from functions.alerts.pages.links import Signed
from functions.alerts.pages.showing import SNOOZES, Outcome
from functions.alerts.records import Incident
from hedgerow.errors import InvalidError, MethodError, StateConflictError

if TYPE_CHECKING:
    from hedgerow.app import App

SPANS = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1)}
MORNING = 9
ACKNOWLEDGED = "Acknowledged. The others can see it."


async def do(app: App, signed: Signed, incident: Incident, choice: str, zone: str) -> tuple[Incident, Outcome]:
    """Do what the link is for; `choice` is for how long to snooze. The same again changes nothing more.

    `MethodError` for a link that only shows, `InvalidError` for a choice there is not.
    """
    by = signed.extra or "a link"
    try:
        match signed.purpose:
            case "acknowledge":
                is_taken = incident.acknowledged_at is not None
                said = f"Acknowledged already, by {who(incident.acknowledged_by)}." if is_taken else ACKNOWLEDGED
                return await acting.acknowledge(app, incident, by), Outcome(said)
            case "snooze":
                until = snoozed_until(choice, app.now(), zone)
                said = f"Snoozed until {at_words(until, zone)}."
                return await acting.snooze(app, incident, until, by), Outcome(said)
            case "useful" | "useless":
                is_useful = signed.purpose == "useful"
                return await acting.rate(app, incident, is_useful, by), Outcome("Noted. Thank you.")
            case _:
                raise MethodError("This link only shows.", hint="Use the link in the message that says what you want.")
    except StateConflictError:
        return incident, Outcome("It is resolved: nothing is left to do.", is_refused=True)


def snoozed_until(choice: str, now: datetime, zone: str) -> datetime:
    """The end of a snooze. The morning is tomorrow's in the connection's zone."""
    if choice not in SNOOZES:
        raise InvalidError(
            "For how long was not said.",
            hint=f"Go back and choose one of: {', '.join(SNOOZES.values())}.",
            members={"field": "for"},
        )
    if choice in SPANS:
        return now + SPANS[choice]
    local = now.astimezone(ZoneInfo(zone))
    return (local + timedelta(days=1)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
