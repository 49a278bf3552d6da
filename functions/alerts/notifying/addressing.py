"""The addresses a notice carries: signed, expiring, each for one purpose. None without HEDGEROW_PUBLIC_URL."""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.alerts.notifying.wording import Addresses
from functions.alerts.pages import links
from functions.alerts.records import Incident
from hedgerow.app import App

ACTS_FOR = timedelta(days=7)
SHOWS_FOR = timedelta(days=30)


async def addresses_of(app: App, incident: Incident, channel_name: str, now: datetime) -> Addresses:
    """Every address of an incident's message; `channel_name` is who will have acted."""
    if not app.settings.public_url:
        return Addresses()
    acts, shows = now + ACTS_FOR, now + SHOWS_FOR
    incident_page = await links.sign(app, "incident", incident.id, shows)
    return Addresses(
        acknowledge=await links.sign(app, "acknowledge", incident.id, acts, channel_name),
        snooze=await links.sign(app, "snooze", incident.id, acts, channel_name),
        useful=await links.sign(app, "useful", incident.id, acts, channel_name),
        useless=await links.sign(app, "useless", incident.id, acts, channel_name),
        incident=incident_page,
        chart=await links.sign(app, "chart", incident.id, shows),
        rule=f"{incident_page}#rule",
    )
