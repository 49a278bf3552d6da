"""Puts the guards of a connection in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.catalogue import catalog
from functions.capture.catalogue.catalog_shipped import shipped
from functions.capture.events import Guard
from functions.capture.guards import merges, privacy
from functions.capture.guards.hash_keys import key_of
from functions.capture.guards.scrubbing import scrubber

if TYPE_CHECKING:
    from functions.capture.events import Scrub
    from hedgerow.app import App
    from hedgerow.capture_rules import CaptureRules


async def guards_of(app: App, rules: CaptureRules) -> tuple[tuple[Guard, ...], Scrub | None]:
    """The guards that are on, and what is done to poison before it is kept.

    Privacy first: what another guard keeps aside must have been through it.
    """
    asked = rules.catalog if rules.catalog.updated_at is not None else shipped()
    keeping_private = privacy.compiled(rules.privacy, await key_of(app, rules))
    merging = merges.compiled(rules.merges)
    found = (
        Guard(keeping_private, privacy.screen_of(rules.privacy)) if keeping_private else None,
        catalog.guard_of(asked),
        Guard(merging) if merging else None,
    )
    return tuple(guard for guard in found if guard is not None), scrubber(rules.privacy, keeping_private)
