"""Is the server that answers one of the installation that was looked at, or of another one?

Three signs, each of which tells a stranger nothing: on the laptop a server holds the lock
of its folder; the key of the folder is the server's; and the newest tenant that the
server shows the operator is in this store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor.case import TERRAFORMS_VARIABLES, read_key
from hedgerow.cli.operations.doctor.findings import fine, found
from hedgerow.cli.operations.doctor.server import ANSWER_SECONDS
from hedgerow.cli.operations.installation import is_embedded
from hedgerow.cli.operations.place import is_served
from hedgerow.models import Tenant

if TYPE_CHECKING:
    import httpx

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

AREA = "same installation"


async def check(case: Case) -> list[Finding]:
    """One finding when it is another; none when no server answers, which is told elsewhere."""
    import httpx

    headers = {"Authorization": f"Bearer {case.admin_key}"} if case.admin_key else {}
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
        try:
            if (await client.get(f"{case.url}/health")).status_code != 200:
                return []
            answer = await client.get(f"{case.url}/v1/tenants", params={"limit": 1}, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError):
            return []
    if is_embedded(case.settings) and not is_served(case.settings.data):
        return [_other(case, f"no server runs on {case.settings.data}")]
    if not case.admin_key:
        what = "Without the admin key it is not known whether the server is this installation's."
        return [found("unknown", AREA, what, command=read_key(case.settings))]
    if answer.status_code != 200:
        return []
    return await _compare(case, answer)


async def _compare(case: Case, answer: httpx.Response) -> list[Finding]:
    try:
        shown = [str(each["id"]) for each in answer.json()["items"]]
    except (ValueError, KeyError, TypeError):
        return [found("unknown", AREA, "The server's list of tenants could not be read.", command=_name(case))]
    if shown:
        if await case.app.store.get(Tenant, shown[0]) is None:
            return [_other(case, f"its newest tenant, {shown[0]}, is not in this store")]
        return [fine(AREA, f"the server and the store both know {shown[0]}")]
    if (ours := await case.app.store.find(Tenant, limit=1)).items:
        return [_other(case, f"it knows no tenant, and this store {ours.items[0].id}")]
    return [fine(AREA, "neither the server nor the store has a tenant yet")]


def _other(case: Case, why: str) -> Finding:
    what = f"It is a server of another installation: {why}."
    return found("server.other_installation", case.url, what, command=_name(case))


def _name(case: Case) -> str:
    if case.is_cloud:
        return TERRAFORMS_VARIABLES
    return "export HEDGEROW_URL=…, or say --data DIR: both of the same installation"
