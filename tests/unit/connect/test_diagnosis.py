"""The diagnosis names the first thing that explains the metrics, and docs/connecting.md explains every code."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from functions.connect import claiming, diagnosis, verdicts
from functions.connect.diagnosis import diagnose
from hedgerow import tiers
from hedgerow.models import Connection, RunState, SyncProgress, SyncRun, Trouble
from hedgerow.posthog.errors import REMEDIES, Code
from hedgerow.posthog.keys import KeyCode
from tests.stage import NOW

DOCS = Path(__file__).resolve().parents[3] / "docs" / "connecting.md"
TROUBLE = Trouble(code="key_refused", detail="PostHog does not know the key.", hint="Make a new one.")
HOURS = Trouble(code="too_many_hours", detail="The hours do not fit.", hint="Delete hourly rules.")


def connection(success: timedelta | None = timedelta(minutes=5), **fields: object) -> Connection:
    whole: dict[str, object] = {
        "id": "con_1",
        "tenant_id": "ten_1",
        "name": "Shop",
        "host": "https://us.posthog.com",
        "project_id": "1",
        "secret_ref": "con_1.1",
        "state": "connected",
        "state_since": NOW - timedelta(days=9),
        "tier": "pro",
        "created_at": NOW - timedelta(days=9),
        "progress": SyncProgress(last_success_at=None if success is None else NOW - success),
    }
    return Connection.model_validate({**whole, **fields})


def run(state: RunState = "succeeded", **fields: object) -> SyncRun:
    whole: dict[str, object] = {
        "id": "run_1",
        "connection_id": "con_1",
        "tenant_id": "ten_1",
        "kind": "scheduled",
        "state": state,
        "from_day": date(2026, 11, 14),
        "to_day": date(2026, 11, 20),
        "created_at": NOW,
        "rows": 7,
    }
    return SyncRun.model_validate({**whole, **fields})


LATER = NOW + timedelta(minutes=9)


@pytest.mark.parametrize(
    ("held", "newest", "closed_until", "code", "command"),
    [
        (connection(), run(), None, "fine", "hedgerow metrics con_1"),
        (connection(), None, None, "fine", "hedgerow metrics con_1"),
        (connection(state="disconnected"), run(), None, "disconnected", "hedgerow connect --host"),
        (connection(state="disconnecting"), run(), None, "disconnecting", "hedgerow connect --host"),
        (connection(state="paused"), run("failed"), None, "paused", "hedgerow connections resume con_1"),
        (
            connection(state="needs_attention", trouble=TROUBLE),
            run(),
            None,
            "key_refused",
            "hedgerow connections rotate con_1",
        ),
        (
            connection(state="needs_attention", trouble=TROUBLE.model_copy(update={"code": "scope_missing"})),
            run(),
            None,
            "scope_missing",
            "hedgerow connections resume con_1",
        ),
        (connection(state="needs_attention"), None, None, "needs_attention", "hedgerow connections resume con_1"),
        (connection(None, secret_ref=None, project_id=None), None, None, "capture_only", "hedgerow connections rotate"),
        (
            connection(activity_tracking=False),
            run("pending"),
            None,
            "activity_tracking_off",
            "hedgerow tenants update ten_1",
        ),
        (connection(None), run("pending"), None, "first_sync_pending", "hedgerow runs con_1"),
        (connection(None), run("running"), None, "first_sync_running", "hedgerow runs con_1"),
        (connection(), run("running"), None, "sync_running", "hedgerow runs con_1"),
        (connection(None), run("pending", error=TROUBLE, due_at=LATER), None, "retrying", "hedgerow runs con_1"),
        (connection(None), run("pending"), LATER, "rate_limited", "hedgerow runs con_1"),
        (connection(), run(), LATER, "fine", "hedgerow metrics con_1"),
        (connection(timedelta(hours=2)), run(), LATER, "rate_limited", "hedgerow runs con_1"),
        (connection(timedelta(hours=2)), run(), NOW, "fine", "hedgerow metrics con_1"),
        (connection(), run("failed", error=TROUBLE), None, "last_run_failed", "hedgerow sync con_1"),
        (connection(None), None, None, "never_synced", "hedgerow runs con_1"),
        (connection(trouble=TROUBLE), None, None, "last_run_failed", "hedgerow connections show con_1"),
        (
            connection(),
            run("failed", error=TROUBLE, finished_at=NOW - timedelta(days=99)),
            None,
            "fine",
            "hedgerow metrics",
        ),
        (connection(trouble=HOURS), run(), None, "too_many_hours", "hedgerow alerts list con_1"),
        (connection(trouble=HOURS), None, None, "too_many_hours", "hedgerow alerts list con_1"),
        (connection(), run(rows=0), None, "no_events", "hedgerow metrics con_1"),
        (connection(tier="basic"), run(), None, "fine", "hedgerow metrics con_1"),
        (connection(timedelta(days=3), tier="basic"), run(), None, "by_hand", "hedgerow sync con_1"),
        (connection(timedelta(hours=4)), run(), None, "overdue", "hedgerow sync con_1"),
        (connection(timedelta(hours=4), every=timedelta(hours=6)), run(), None, "fine", "hedgerow metrics con_1"),
    ],
)
def test_the_first_thing_that_explains_is_said(
    held: Connection, newest: SyncRun | None, closed_until: datetime | None, code: str, command: str
) -> None:
    found = diagnose(held, newest, closed_until, tiers.load(), NOW)
    assert found.code == code
    assert found.command.startswith(command)
    assert found.detail
    assert found.hint


def test_what_stopped_it_and_since_when_is_said() -> None:
    found = diagnose(connection(state="needs_attention", trouble=TROUBLE), None, None, tiers.load(), NOW)
    assert "2026-11-11" in found.detail
    assert TROUBLE.detail in found.detail
    assert found.hint == TROUBLE.hint


def test_the_age_of_what_is_synced_by_hand_is_said() -> None:
    found = diagnose(connection(timedelta(days=3), tier="starter"), run(), None, tiers.load(), NOW)
    assert "3 days old" in found.detail


def test_every_code_is_explained_in_the_docs_and_none_besides() -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    explained = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    known = {
        *get_args(Code),
        *get_args(KeyCode),
        *get_args(verdicts.OwnCode),
        *get_args(diagnosis.OwnCode),
        claiming.LOST.code,
    }
    assert known <= explained
    refusals = {
        "connection_test_failed", "keys_missing", "host_invalid", "ingestion_host_unproved", "already_connected", "project_token_taken",
        "disconnecting", "connection_disconnected", "key_replaced", "needs_attention", "secret_gone",
        "every_too_fast", "by_hand_tier", "tenant_closing",
    }  # fmt: skip
    assert explained - known == refusals - known


def test_every_code_has_a_remedy() -> None:
    assert set(REMEDIES) == set(get_args(Code))
    assert all(remedy.hint.endswith(".") for remedy in REMEDIES.values())


@pytest.mark.parametrize(
    "remedy",
    [
        ("key_refused", "active and not revoked"),
        ("unreachable", "reachable from the internet"),
        ("unreachable", "firewall accept incoming connections"),
        ("certificate_invalid", "valid certificate"),
        ("not_posthog", "address you open PostHog at"),
        ("rate_limited", "Wait for the rate limit to reset"),
        ("rate_limited", "sync less often"),
        ("rate_limited", "higher limits"),
        ("scope_missing", "Add the scope"),
    ],
)
def test_the_remedies_of_the_troubleshooting_guide_are_said(remedy: tuple[Code, str]) -> None:
    code, words = remedy
    assert words in REMEDIES[code].hint


def test_the_line_to_try_is_the_guides() -> None:
    line = 'curl -H "Authorization: Bearer YOUR_API_KEY" https://posthog.example.com/api/projects/@current/'
    assert verdicts.curl("https://posthog.example.com") == line
