"""docs/outbox.md names every code a dead or held delivery can carry."""

from __future__ import annotations

import re
from pathlib import Path

from functions.capture.guards.judging_again import CATALOG_CODES
from hedgerow.posthog.ingestion import judge

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "outbox.md").read_text()
OF_TROUBLES = (
    "functions/capture/redelivery/resending.py",
    "functions/capture/guards/merge_checks.py",
    "hedgerow/delivery.py",
)
TROUBLE = re.compile(r'code="([a-z_]+)",\n')
FLAW = re.compile(r'(?:Flaw\(|Poison\([^\n]*?)\s*"([a-z_]+)"')


def test_every_code_of_what_is_not_sent_is_explained() -> None:
    sources = [path.read_text() for path in (ROOT / "functions" / "capture").rglob("*.py")]
    flaws = {code for source in sources for code in FLAW.findall(source)}
    assert {"missing_distinct_id", "event_too_large", "unreadable"} <= flaws
    troubles = {code for path in OF_TROUBLES for code in TROUBLE.findall((ROOT / path).read_text())}
    outcomes = {judge(status, {}, b"no").code for status in (400, 413)}
    assert {"merge_many_ids", "payload_incomplete", "payload_unreadable"} <= troubles
    codes = flaws | troubles - {"rate_limited"} | outcomes | CATALOG_CODES | {"refused_by_hand"}
    assert {code for code in codes if f"`[{code}]`" not in PAGE} == set()
