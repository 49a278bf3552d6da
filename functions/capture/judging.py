"""Puts the guards of a connection in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture import catalog, merges, privacy
from functions.capture.catalog_shipped import shipped
from functions.capture.hash_keys import key_of

if TYPE_CHECKING:
    from functions.capture.events import Judge
    from hedgerow.app import App
    from hedgerow.capture_rules import CaptureRules


async def judges_of(app: App, rules: CaptureRules) -> tuple[Judge, ...]:
    """The guards that are on. Privacy first: what another guard keeps aside must have been through it."""
    asked = rules.catalog if rules.catalog.updated_at is not None else shipped()
    found = (
        privacy.compiled(rules.privacy, await key_of(app, rules)),
        catalog.compiled(asked),
        merges.compiled(rules.merges),
    )
    return tuple(judge for judge in found if judge is not None)
