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
    base = app.settings.public_url.rstrip("/")
    if not base:
        return Addresses()
    acts, shows = now + ACTS_FOR, now + SHOWS_FOR
    return Addresses(
        acknowledge=await links.sign(app, "acknowledge", incident.id, acts, channel_name),
        snooze=await links.sign(app, "snooze", incident.id, acts, channel_name),
        useful=await links.sign(app, "useful", incident.id, acts, channel_name),
        useless=await links.sign(app, "useless", incident.id, acts, channel_name),
        incident=await links.sign(app, "incident", incident.id, shows),
        chart=await links.sign(app, "chart", incident.id, shows),
        rule=f"{base}/v1/connections/{incident.connection_id}/rules/{incident.rule_id}",
    )
