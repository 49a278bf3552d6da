"""Which installation was looked at: named, the server's own, whole; and what may be said where little may be seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from hedgerow import wiring
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.visiting import Terminal, address_in, case_of, visit
from hedgerow.errors import HedgerowError, MisconfiguredError
from hedgerow.settings import Settings
from tests.crash import CrashingStore, Fuse
from tests.functions.doctor.room import served

if TYPE_CHECKING:
    from pathlib import Path

    from hedgerow.ports import Change, Committed
    from tests.cli_process import Answers
    from tests.functions.doctor.room import Room


async def test_the_report_names_the_folder_and_the_server(healthy: Room) -> None:
    report = await healthy.look()

    assert report.looked_at == f"the folder {healthy.folder}; its server {healthy.case.url}"
    cloud = {"store": "firestore", "project": "p", "database": "eu"}
    app = replace(healthy.stage.app, settings=healthy.stage.app.settings.model_copy(update=cloud))
    report = await healthy.look(app=app, capture_url="http://127.0.0.1:1")
    assert report.looked_at == f"project p, database eu; its server {healthy.case.url}, capture http://127.0.0.1:1"


async def test_a_server_that_knows_other_tenants_is_another_installation(healthy: Room, answers: Answers) -> None:
    tenant = await healthy.stage.tenant()
    for shown in ([], [{"id": "ten_elsewhere"}]):
        answers.say("GET", "/v1/tenants", {"items": shown})
        report = await diagnose(healthy.case)
        (finding,) = report.of("problem")
        assert (finding.code, finding.subject) == ("server.other_installation", healthy.case.url)

    answers.say("GET", "/v1/tenants", {"items": [{"id": tenant.id}]})
    assert (await diagnose(healthy.case)).exit_code == 0
    answers.say("GET", "/v1/tenants", "no JSON")
    assert [each.subject for each in (await diagnose(healthy.case)).of("unknown")] == ["same installation"]


async def test_a_folder_that_no_server_holds_is_not_the_servers(tmp_path: Path, answers: Answers) -> None:
    for path in ("/health", "/ready"):
        answers.say("GET", path, {})
    app = wiring.build(Settings(data=tmp_path))
    case = case_of(app, Terminal(url=answers.url))
    codes = {each.code for each in (await diagnose(case)).of("problem")}
    assert codes == {"server.other_installation"}

    with served(tmp_path, answers.url):
        assert address_in(tmp_path) == answers.url
        own = case_of(app, Terminal())
        assert (own.url, own.admin_key) == (answers.url, "")
        unknown = {each.subject for each in (await diagnose(own)).of("unknown")}
        assert unknown == {"same installation"}, "without a key nothing was compared"
        (tmp_path / "admin.key").write_text("hdg_admin_of_this_folder")
        assert case_of(app, Terminal()).admin_key == "hdg_admin_of_this_folder"
    assert address_in(tmp_path) == ""
    await wiring.close(app)


async def test_a_project_beside_a_folder_is_told_even_where_there_is_no_folder(healthy: Room, tmp_path: Path) -> None:
    report = await visit(Settings(data=tmp_path / "none", project="p"), Terminal(url="http://127.0.0.1:1"))

    assert [each.code for each in report.findings] == ["settings.contradiction", "store.unreachable"]
    assert report.exit_code == 3


@pytest.mark.parametrize("spoilt", ["all", "a page"])
async def test_a_damaged_store_is_not_reached_and_leads_to_the_page(healthy: Room, spoilt: str) -> None:
    await healthy.stage.connection(await healthy.stage.tenant())
    await healthy.stage.store.close()
    for end in ("-wal", "-shm"):
        (healthy.folder / f"store.db{end}").unlink(missing_ok=True)
    file = healthy.folder / "store.db"
    whole = file.read_bytes()
    file.write_bytes(b"x" * len(whole) if spoilt == "all" else whole[:4096] + b"\xff" * (len(whole) - 4096))

    report = await visit(healthy.stage.app.settings, Terminal(url="http://127.0.0.1:1"))

    first = report.findings[0]
    assert (first.code, report.exit_code) == ("store.unreachable", 3)
    assert "damaged" in first.what
    assert "docs/operations/restore.md" in first.command
    assert "DatabaseError" not in str(report)


async def test_a_damaged_queue_leads_to_the_page_and_stops_no_other_area(healthy: Room) -> None:
    await healthy.stage.queue.close()
    (healthy.folder / "queue.db").write_bytes(b"x" * 8192)
    (healthy.folder / "queue.db").chmod(0o600)

    report = await visit(healthy.stage.app.settings, Terminal(url=healthy.case.url))

    (finding,) = report.of("problem")
    assert finding.code == "queue.unreachable"
    assert "docs/operations/restore.md" in finding.command


def test_no_key_is_made_beside_secrets_that_it_would_not_open(tmp_path: Path) -> None:
    import asyncio

    async def keep(secret: str | None) -> None:
        app = wiring.build(Settings(data=tmp_path))
        if secret:
            await app.vault.write("con_1", SecretStr(secret))
        else:
            await app.store.count(type_of_secrets())
        await wiring.close(app)

    asyncio.run(keep(None))
    key = tmp_path / "sealing.key"
    key.unlink()
    asyncio.run(keep("phx_secret"))  # A store without secrets may have a new key.
    key.unlink()
    with pytest.raises(HedgerowError) as refused:
        wiring.build(Settings(data=tmp_path))
    assert refused.value.code == "sealing_key_missing"
    assert str(key) in refused.value.hint
    assert not key.exists()


def type_of_secrets() -> Any:
    from hedgerow.sealed_secrets import SealedSecret

    return SealedSecret


class ReadOnly(CrashingStore):
    """Firestore before an account that may read and not write."""

    async def commit(self, *changes: Change) -> Committed:
        raise MisconfiguredError("It lacks datastore.entities.create.", code="no_rights", hint="terraform apply")


async def test_without_the_right_to_write_everything_else_is_looked_at(healthy: Room) -> None:
    await healthy.schedules.pause("hedgerow-alerts-tick")
    app = replace(healthy.stage.app, store=ReadOnly(healthy.stage.store, Fuse()))

    report = await healthy.look(app=app)

    found = [(each.code, each.severity) for each in report.findings if each.severity != "ok"]
    assert found == [("schedule.paused", "problem"), ("store.read_only", "warning")]
    assert report.skipped == ()


async def test_capture_has_an_address_of_its_own_in_the_cloud(healthy: Room, answers: Answers) -> None:
    cloud = {"store": "firestore", "queue": "pubsub", "project": "p", "vault": "secret_manager"}
    app = replace(healthy.stage.app, settings=healthy.stage.app.settings.model_copy(update=cloud))

    async def found(**changed: object) -> dict[str, Any]:
        report = await healthy.look(app=app, **changed)
        return {each.code: each for each in report.findings if each.subject.startswith(("http", "HEDGEROW_CAPTURE"))}

    assert set(await found(capture_url="")) == {"unknown"}
    assert set(await found(capture_url="http://127.0.0.1:1")) == {"capture.down"}
    assert set(await found(capture_url=healthy.case.url)) == set()
    down = await found(url="http://127.0.0.1:1", capture_url=healthy.case.url)
    assert set(down) == {"server.down"}
    assert "SDK" not in down["server.down"].what
    # Behind one load balancer /health is capture's: only a call of /v1 meets the API.
    answers.say("GET", "/v1/tenants", {"code": "crashed"}, status=502)
    assert set(await found(capture_url=healthy.case.url)) == {"server.not_ready"}


async def test_in_the_cloud_nobody_told_is_a_warning(healthy: Room) -> None:
    app = replace(healthy.stage.app, settings=healthy.stage.app.settings.model_copy(update={"store": "firestore"}))
    assert "operator.untold" in {each.code for each in (await healthy.look(app=app)).of("warning")}

    by_terraform = [each.subject for each in (await healthy.look(app=app, tells=frozenset())).of("warning")]
    assert {"alert_emails", "HEDGEROW_OPERATOR_WEBHOOK"} <= set(by_terraform)
    report = await healthy.look(app=app, tells=frozenset({"alerts", "operator_webhook"}))
    assert "operator.untold" not in {each.code for each in report.findings}
    told = app.settings.model_copy(update={"operator_webhook": SecretStr("https://hooks.example.com/x")})
    report = await healthy.look(app=replace(app, settings=told))
    assert "operator.untold" not in {each.code for each in report.findings}


async def test_a_key_that_could_not_be_tried_was_not_refused(healthy: Room) -> None:
    report = await healthy.look(admin_key="hdg_é\N{SNOWMAN}")

    assert not report.of("problem")
    assert "the admin key" in {each.subject for each in report.of("unknown")}
