"""The event catalogue over HTTP: read, replace, report, check without storing, learn from PostHog."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Query, Response

from functions.capture.catalogue import catalog_keeping, catalog_learning, catalog_report, catalog_shape
from functions.capture.catalogue.catalog_checking import CatalogVerdict, check
from functions.capture.catalogue.catalog_learning import Proposal
from functions.capture.catalogue.catalog_report import MOST_DAYS, CatalogReport
from functions.capture.hosting import host_of
from hedgerow.app import App
from hedgerow.capture_rules import CatalogRules
from hedgerow.entrypoint import app_of, needs
from hedgerow.errors import InvalidError
from hedgerow.keys import Caller
from hedgerow.ownership import connection_of

router = APIRouter()
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
Current = Annotated[App, Depends(app_of)]
_TAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


@router.get("/v1/connections/{connection_id}/catalog")
async def read_catalog(
    connection_id: str,
    caller: Reader,
    app: Current,
    response: Response,
    version: Annotated[int | None, Query(ge=1, description="A former version; the present one when left out.")] = None,
) -> dict[str, object]:
    """The catalogue in the form that PUT takes, with whether it is the shipped one and when it changed."""
    connection = await connection_of(app, caller, connection_id)
    if version is None:
        rules = await catalog_keeping.current(app, connection)
    else:
        rules = await catalog_keeping.version_of(app, connection, version)
    return _shown(rules, response)


@router.put("/v1/connections/{connection_id}/catalog")
async def put_catalog(
    connection_id: str,
    caller: Writer,
    app: Current,
    response: Response,
    document: Annotated[object, Body()],
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, object]:
    """Replace the whole catalogue; `version`, or If-Match, is the one it was made from: 409 when that is over."""
    connection = await connection_of(app, caller, connection_id)
    form = catalog_shape.read(document)
    rules = await catalog_keeping.put(app, connection, form, _made_from(if_match, form.version))
    host_of(app).projects.forget(connection.id)
    return _shown(rules, response)


@router.get("/v1/connections/{connection_id}/catalog/report")
async def report_catalog(
    connection_id: str,
    caller: Reader,
    app: Current,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="Local days, today included.")] = MOST_DAYS,
) -> CatalogReport:
    """Unknown events, violations, what is missing and how names are made, by day."""
    connection = await connection_of(app, caller, connection_id)
    return await catalog_report.report(app, connection, await catalog_keeping.current(app, connection), days)


@router.post("/v1/connections/{connection_id}/catalog/check")
async def check_events(
    connection_id: str, caller: Reader, app: Current, asked: Annotated[object, Body()]
) -> dict[str, list[CatalogVerdict]]:
    """What would become of an event, or of each of a list; nothing is stored, sent or counted."""
    connection = await connection_of(app, caller, connection_id)
    return {"items": check(await catalog_keeping.current(app, connection), asked)}


@router.post("/v1/connections/{connection_id}/catalog/learn")
async def learn_catalog(connection_id: str, caller: Writer, app: Current) -> Proposal:
    """A proposal from PostHog's definitions and recent events; it stands only once it is PUT."""
    return await catalog_learning.learn(app, await connection_of(app, caller, connection_id))


def _shown(rules: CatalogRules, response: Response) -> dict[str, object]:
    response.headers["ETag"] = f'"{rules.version}"'
    changed = rules.updated_at.isoformat() if rules.updated_at is not None else None
    return {**catalog_shape.document_of(rules), "default": not catalog_keeping.is_own(rules), "updated_at": changed}


def _made_from(if_match: str | None, version: int | None) -> int:
    if if_match is not None:
        found = _TAG.fullmatch(if_match.strip())
        if found is None:
            raise InvalidError("If-Match is no version.", hint='Send the ETag of GET, such as "3".')
        if version is not None and version != int(found[1]):
            raise InvalidError("If-Match and `version` name different versions.", members={"field": "version"})
        return int(found[1])
    if version is None:
        raise InvalidError(
            "`version` is missing: nobody could tell whose change this would undo.",
            hint="Send the version that GET answered, in the body or as If-Match.",
            members={"field": "version"},
        )
    return version
