"""What the catalogue of today says of events it once refused: asked before they are sent after all.

A delivery may hold events that pass now beside others that still do not; it is then cut in two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.catalogue import catalog
from functions.capture.events import Frozen
from functions.capture.outbox.contents import inside
from hedgerow.capture_rules import CaptureRules

if TYPE_CHECKING:
    from functions.capture.events import Judge
    from hedgerow.app import App
    from hedgerow.deliveries import Delivery
    from hedgerow.models import Connection, Trouble

CATALOG_CODES = frozenset(["catalog_refused", "catalog_unknown"])


async def judge_now(app: App, connection: Connection) -> Judge | None:
    """The catalogue as it is in the store now, not as a cache has it; None when it refuses nothing."""
    rules = await app.store.get(CaptureRules, connection.id)
    asked = rules.catalog if rules is not None and rules.catalog.updated_at is not None else catalog.shipped()
    return catalog.compiled(asked)


def was_refused_by_catalog(delivery: Delivery) -> bool:
    """Is it dead because of the catalogue?"""
    return delivery.state == "dead" and delivery.trouble is not None and delivery.trouble.code in CATALOG_CODES


def still_refused(judge: Judge | None, delivery: Delivery, batch: list[dict[str, object]]) -> dict[int, Trouble]:
    """The places of the events the catalogue would refuse again, each with why. Changes nothing in the events."""
    if judge is None:
        return {}
    refused: dict[int, Trouble] = {}
    for place, body in enumerate(batch):
        known = inside(body)
        event = Frozen(
            uuid=str(body.get("uuid", "")),
            name=str(body.get("event", "")),
            distinct_id=str(body.get("distinct_id", "")),
            at=known.at or delivery.accepted_at,
            body=dict(body),
        )
        aside = judge(event, _uncounted)
        if aside is not None:
            refused[place] = aside.trouble
    return refused


def _uncounted(mark: str) -> None:
    """The catalogue counted these events when they came."""
