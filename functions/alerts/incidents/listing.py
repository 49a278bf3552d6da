"""Finding a tenant's incidents, newest first. What is another tenant's is answered as what does not exist."""

from __future__ import annotations

from pydantic import BaseModel

from functions.alerts.incidents.acting import missing
from functions.alerts.incidents.views import IncidentLine, line
from functions.alerts.records import Incident, IncidentState
from hedgerow.app import App
from hedgerow.ports import Where

MOST_ROUNDS = 10


class IncidentPage(BaseModel):
    """A page of incidents. It may be shorter than asked for while `next_cursor` says that more follow."""

    items: list[IncidentLine]
    next_cursor: str | None


async def incident_of(app: App, tenant_id: str, incident_id: str) -> Incident:
    """One incident of the tenant; `MissingError` for anybody else's and for none."""
    incident = await app.store.get(Incident, incident_id)
    if incident is None or incident.tenant_id != tenant_id:
        raise missing()
    return incident


async def list_incidents(
    app: App,
    tenant_id: str,
    *,
    state: IncidentState | None,
    connection_id: str | None,
    rule_id: str | None,
    limit: int,
    cursor: str | None,
) -> IncidentPage:
    """One page by the narrowest index that serves; what the index cannot tell apart is left out afterwards."""
    if rule_id is not None:
        where = [Where("rule_id", "==", rule_id)]
    elif connection_id is not None:
        where = [Where("connection_id", "==", connection_id)]
    else:
        where = [Where("tenant_id", "==", tenant_id)]
        where += [Where("state", "==", state)] if state is not None else []
    items: list[IncidentLine] = []
    for _ in range(MOST_ROUNDS):
        page = await app.store.find(Incident, *where, limit=limit - len(items), cursor=cursor)
        items += [
            line(found)
            for found in page.items
            if found.tenant_id == tenant_id
            and state in (None, found.state)
            and connection_id in (None, found.connection_id)
        ]
        cursor = page.next_cursor
        if cursor is None or len(items) == limit:
            break
    return IncidentPage(items=items, next_cursor=cursor)
