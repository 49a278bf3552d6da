"""Faults beside the records: schedules, the queue's file, the folder, the server, clocks, settings; and of a check itself."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from pydantic import SecretStr

from functions.alerts.records import Channel
from functions.api.timetable import planned
from hedgerow import cron
from hedgerow.adapters.local_schedules import LocalSchedules
from hedgerow.cli.operations.doctor import settings as area
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.visiting import Terminal, visit
from hedgerow.errors import MisconfiguredError
from hedgerow.messages import RunEnded
from hedgerow.models import Connection
from hedgerow.schedules import note_call
from hedgerow.settings import Settings
from tests.crash import CrashingStore, Fuse
from tests.loopback import answering

if TYPE_CHECKING:
    from pathlib import Path

    from hedgerow.ports import Job, Page, Schedules, Where
    from hedgerow.records import Record
    from tests.cli_process import Answers
    from tests.functions.doctor.room import Room

R = TypeVar("R", bound="Record")
TICK = "hedgerow-sync-tick-pro"


async def test_a_paused_schedule(healthy: Room) -> None:
    await healthy.schedules.pause(TICK)

    finding = await healthy.only()

    assert (finding.code, finding.subject) == ("schedule.paused", TICK)
    assert finding.command == f"hedgerow schedules resume {TICK}"
    assert finding.since is None, "its last call is not when it was paused"
    await healthy.schedules.resume(TICK)
    assert (await healthy.look()).exit_code == 0


async def test_a_schedule_that_fails_and_one_that_is_late(healthy: Room) -> None:
    now = healthy.stage.clock()
    late = now - timedelta(hours=3)
    await note_call(healthy.stage.store, TICK, now, 503, None)
    await note_call(healthy.stage.store, "hedgerow-alerts-tick", late, 200, None)

    failing, tardy = (await healthy.look()).of("problem")

    assert (failing.code, failing.subject, failing.since) == ("schedule.failing", TICK, now)
    assert "HTTP 503" in failing.what
    assert (tardy.code, tardy.since) == ("schedule.late", cron.next_after("* * * * *", late))


class Jobs(LocalSchedules):
    """Without one of two jobs that call the same target, and with another that was never called."""

    async def list(self) -> tuple[Job, ...]:
        new = "hedgerow-sync-tick-scale"
        there = (job for job in await super().list() if job.name != TICK)
        return tuple(replace(job, last_at=None, last_status=None) if job.name == new else job for job in there)


async def test_a_job_that_was_deleted_beside_one_that_calls_the_same_target(healthy: Room) -> None:
    prefix = healthy.stage.app.settings.schedule_prefix
    report = await healthy.look(schedules=lambda: Jobs(healthy.stage.store, planned(prefix), healthy.stage.clock))

    missing, never = [each for each in report.findings if each.severity != "ok"]
    assert (missing.code, missing.subject) == ("schedule.missing", TICK)
    assert (never.code, never.severity) == ("schedule.never_called", "warning")
    assert "hedgerow-sync-tick-scale" in never.what


@pytest.mark.parametrize(
    ("code", "told"),
    [("wrong_region", "schedule.unreachable"), ("quota", "schedule.unreachable"), ("no_rights", "unknown")],
)
async def test_schedules_that_cannot_be_seen_are_a_problem_unless_our_account_may_not(
    healthy: Room, code: str, told: str
) -> None:
    def refused() -> Schedules:
        raise MisconfiguredError("No region is set.", code=code, hint="Set HEDGEROW_REGION.")

    finding = await healthy.only(schedules=refused)

    assert (finding.code, finding.subject, finding.command) == (told, "schedules", "Set HEDGEROW_REGION.")


async def test_a_message_that_waits_for_long(healthy: Room) -> None:
    await healthy.stage.queue.publish(RunEnded(connection_id="con_1", run_id="run_1"))
    assert (await healthy.look()).exit_code == 0
    with sqlite3.connect(healthy.folder / "queue.db") as file:
        file.execute(
            "UPDATE messages SET failures = 4, published_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-20 minutes')"
        )
    file.close()

    finding = await healthy.only()

    assert (finding.code, finding.subject) == ("queue.stuck", "run-ended")
    assert "failed 4 of 10 times" in finding.what
    assert finding.since is not None


async def test_files_that_others_may_read(healthy: Room) -> None:
    (healthy.folder / "sealing.key").chmod(0o644)

    finding = await healthy.only()

    assert (finding.code, finding.command) == ("store.open_to_others", f"chmod 600 {healthy.folder}/sealing.key")


async def test_a_lost_sealing_key_is_told_and_not_replaced(healthy: Room) -> None:
    await healthy.stage.tenant()
    (healthy.folder / "sealing.key").unlink()

    report = await visit(healthy.stage.app.settings, Terminal(url="http://127.0.0.1:1"))

    assert [each.code for each in report.findings] == ["vault.key_missing"]
    assert {"store", "vault", "connections"} <= set(report.skipped)
    assert not (healthy.folder / "sealing.key").exists()


async def test_a_folder_without_an_installation_stays_empty(tmp_path: Path) -> None:
    report = await visit(Settings(data=tmp_path / "none"), Terminal(url="http://127.0.0.1:1"))

    assert report.exit_code == 3
    assert not (tmp_path / "none").exists()


async def test_what_a_newer_release_wrote(healthy: Room) -> None:
    await healthy.stage.connection(await healthy.stage.tenant())
    with sqlite3.connect(healthy.folder / "store.db") as file:
        file.execute("UPDATE connections SET body = '{\"_schema\":99,' || substr(body, 2)")
    file.close()

    report = await healthy.look()

    assert "records.newer" in {each.code for each in report.of("problem")}
    assert all("Traceback" not in each.what for each in report.findings)


async def test_a_server_that_is_away_not_ready_or_knows_another_key(healthy: Room, answers: Answers) -> None:
    down = await healthy.only(url="http://127.0.0.1:1")
    assert (down.code, down.command) == ("server.down", f"hedgerow dev --port 1 --data {healthy.folder}")
    assert (await healthy.only(url="http://[")).code == "server.down"

    answers.say("GET", "/v1/tenants", {"code": "unauthorized"}, status=401)
    refused = await healthy.only()
    assert refused.code == "server.key_refused"
    assert "--data DIR" in refused.command  # The key in the folder was the one that was refused.
    said = await healthy.only(variables=("HEDGEROW_ADMIN_KEY",))
    assert said.command == f'export HEDGEROW_ADMIN_KEY="$(cat {healthy.folder}/admin.key)"'
    assert healthy.case.admin_key not in str(refused)
    assert (await healthy.look(admin_key="")).exit_code == 0

    answers.say("GET", "/ready", {"code": "not_ready"}, status=503)
    unready, untried = [each for each in (await healthy.look(admin_key="")).findings if each.code != "ok"]
    assert (unready.code, untried.subject) == ("server.not_ready", "same installation")
    answers.say("GET", "/health", {"code": "not_found"}, status=404)
    assert (await healthy.only()).code == "server.down"


@pytest.mark.parametrize(("step", "how"), [(timedelta(minutes=5), "ahead of"), (timedelta(minutes=-2), "behind")])
async def test_a_clock_that_is_off(healthy: Room, step: timedelta, how: str) -> None:
    healthy.stage.clock.forward(step)

    finding = await healthy.only()

    assert (finding.code, finding.subject) == ("clock.skewed", "HEDGEROW_URL")
    assert f"{how} HEDGEROW_URL's" in finding.what


async def test_googles_clock_is_asked_where_google_is_used(healthy: Room) -> None:
    long_ago = b"HTTP/1.1 404 Not Found\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n"
    async with answering(long_ago) as google:
        finding = await healthy.only(google=f"http://127.0.0.1:{google.port}/")

    assert (finding.code, finding.subject) == ("clock.skewed", "Google")


class Ailing(CrashingStore):
    """Hangs on one kind of record, and fails on another in a way nobody foresaw."""

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        if kind is Channel:
            await asyncio.sleep(3600)
        if kind is Connection and not where:
            raise RuntimeError("hdg_abcdefghij is not what was expected")
        return await super().find(kind, *where, limit=limit, cursor=cursor)


async def test_an_area_that_hangs_or_breaks_is_unknown_and_stops_no_other(healthy: Room) -> None:
    await healthy.schedules.pause(TICK)
    app = replace(healthy.stage.app, store=Ailing(healthy.stage.store, Fuse()))

    report = await diagnose(replace(healthy.case, app=app), patience=4)

    unknown = {each.subject: each.what for each in report.of("unknown")}
    assert set(unknown) == {"connections", "telling people", "indexes"}
    assert unknown["telling people"] == "No answer within 4 s."
    assert unknown["connections"] == "RuntimeError: hdg_… is not what was expected"
    assert [each.code for each in report.of("problem")] == ["schedule.paused"]


def test_settings_that_cannot_be_meant() -> None:
    for changed, subject in (
        ({"store": "firestore"}, {"HEDGEROW_PROJECT", "HEDGEROW_QUEUE", "HEDGEROW_SEALING_KEY"}),
        ({"vault": "secret_manager"}, {"HEDGEROW_PROJECT"}),
        ({"public_url": "hedgerow.example.com"}, {"HEDGEROW_PUBLIC_URL"}),
        ({"project": "p"}, {"HEDGEROW_PROJECT"}),
        ({}, set()),
    ):
        contradictions = area.contradictions(Settings().model_copy(update=changed))
        assert {each.subject for each in contradictions} == subject


async def test_variables_and_who_may_call(healthy: Room) -> None:
    variables = ("HEDGEROW_DATA", "HEDGEROW_TOPIC_PREFX", "HEDGEROW_XYZZY", "HEDGEROW_URL")
    near, far = (await healthy.look(variables=variables)).of("warning")
    assert (near.code, near.subject) == ("settings.unknown_variable", "HEDGEROW_TOPIC_PREFX")
    assert "HEDGEROW_TOPIC_PREFIX is meant" in near.what
    assert (far.subject, far.command) == ("HEDGEROW_XYZZY", "unset HEDGEROW_XYZZY")

    app = healthy.stage.app
    for changed, code in (
        ({"identity": "claims"}, "settings.identity"),
        ({"tiers_file": healthy.folder / "none.json"}, "tiers.invalid"),
        ({"operator_webhook": SecretStr("nonsense")}, "operator.webhook"),
    ):
        wrong = replace(app, settings=app.settings.model_copy(update=changed))
        report = await healthy.look(app=wrong)
        assert [each.code for each in report.findings if each.severity != "ok"] == [code]
        assert "nonsense" not in str(report)


def test_no_report_shows_a_key(healthy: Room) -> None:
    case = replace(healthy.case, admin_key="hdg_secret")
    assert "hdg_secret" not in repr(case)
