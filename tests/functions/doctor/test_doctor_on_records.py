"""Every fault that records tell of, made for real: named with its code, since when, and a command."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from functions.alerts.records import Channel, Notification, Webhook
from hedgerow.cli.operations.dead import redelivering
from hedgerow.dead_letters import DeadMessage
from hedgerow.deliveries import Delivery, DeliveryState
from hedgerow.drafts import SecretDraft
from hedgerow.errors import SecretGoneError
from hedgerow.messages import RunEnded
from hedgerow.models import Capability, Connection, SyncProgress, SyncRun, Trouble
from hedgerow.ports import Swap
from hedgerow.records import new_id
from tests.crash import Crash, Fuse, armed

if TYPE_CHECKING:
    from datetime import datetime

    from tests.functions.doctor.room import Room

REFUSED = Trouble(code="key_refused", detail="PostHog refuses the key.", hint="Make a new key.")
MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


async def connected(room: Room, **update: object) -> Connection:
    connection = await room.stage.connection(await room.stage.tenant())
    if update:
        changed = connection.model_copy(update=update)
        connection = (await room.stage.store.commit(Swap(changed))).of(changed)
    return connection


def ago(room: Room, span: timedelta) -> datetime:
    return room.stage.clock() - span


async def test_a_healthy_installation_has_nothing_but_fine_areas(healthy: Room) -> None:
    await connected(healthy)
    report = await healthy.look()

    assert [each for each in report.findings if each.code != "ok"] == []
    assert report.exit_code == 0
    assert len(report.findings) == 15


async def test_a_connection_due_for_long(healthy: Room) -> None:
    since = ago(healthy, 40 * MINUTES)
    connection = await connected(healthy, due_at=since)

    finding = await healthy.only()

    assert (finding.code, finding.severity, finding.since) == ("connection.stuck", "problem", since)
    assert connection.id in finding.what
    assert "hedgerow tick pro" in finding.command


async def test_a_refused_key(healthy: Room) -> None:
    since = ago(healthy, 3 * HOURS)
    connection = await connected(healthy, state="needs_attention", state_since=since, trouble=REFUSED)

    finding = await healthy.only()

    assert (finding.code, finding.since) == ("connection.needs_attention", since)
    assert "PostHog refuses the key." in finding.what
    assert finding.command == f"Make a new key. Then: hedgerow connections rotate {connection.id}"


@pytest.mark.parametrize(
    ("last", "failures", "code"), [(20 * MINUTES, 2, "connection.failing"), (10 * HOURS, 0, "connection.stale")]
)
async def test_syncs_that_fail_or_stay_away(healthy: Room, last: timedelta, failures: int, code: str) -> None:
    since = ago(healthy, last)
    connection = await connected(healthy, progress=SyncProgress(last_success_at=since, failures=failures))

    finding = await healthy.only()

    assert (finding.code, finding.subject, finding.since) == (code, connection.id, since)


async def test_a_capability_that_was_lost(healthy: Room) -> None:
    lost = Capability(
        name="query", ok=False, required=True, code="scope", detail="No scope query:read.", hint="Add it."
    )
    await connected(healthy, capabilities=(lost,))

    finding = await healthy.only()

    assert (finding.code, finding.command) == ("connection.capability_lost", "Add it.")


async def test_what_never_ended(healthy: Room) -> None:
    since = ago(healthy, 5 * HOURS)
    connection = await connected(healthy, state="disconnecting", state_since=since)
    closing = await healthy.stage.tenant()
    await healthy.stage.store.commit(Swap(closing.model_copy(update={"closing_since": since})))
    await healthy.stage.add(SecretDraft(id=new_id("draft"), connection_id="con_never", due_at=since))
    today = since.date()
    for state in ("running", "pending"):
        await healthy.stage.add(
            SyncRun(
                id=f"run_{state}",
                connection_id=connection.id,
                tenant_id=connection.tenant_id,
                kind="scheduled",
                state=state,
                from_day=today,
                to_day=today,
                created_at=since,
                due_at=since,
            )
        )

    report = await healthy.look()

    found = [(each.code, each.subject, each.since) for each in report.of("problem")]
    assert found == [
        ("connection.disconnecting", connection.id, since),
        ("draft.left", "drafts", since),
        ("run.stuck", "pending", since),
        ("run.stuck", "running", since),
        ("tenant.closing", closing.id, since),
    ]
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("state", "code"), [("pending", "outbox.waiting"), ("held", "outbox.held"), ("dead", "outbox.dead")]
)
async def test_what_lies_in_the_outbox(healthy: Room, state: DeliveryState, code: str) -> None:
    since = ago(healthy, 2 * HOURS)
    connection = await connected(healthy)
    await healthy.stage.add(delivery(connection, state, since))
    await healthy.stage.add(delivery(connection, "delivered", since))

    finding = await healthy.only()

    assert (finding.code, finding.subject, finding.since) == (code, connection.id, since)
    assert connection.id in finding.command


def delivery(connection: Connection, state: DeliveryState, at: datetime) -> Delivery:
    return Delivery(
        id=new_id("dlv"),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        state=state,
        accepted_at=at,
        hour=at.replace(minute=0, second=0, microsecond=0),
        due_at=at if state == "pending" else None,
        shard=0,
        count=1,
        size=10,
    )


async def test_who_is_not_told(healthy: Room) -> None:
    at = ago(healthy, 2 * HOURS)
    for id, state in (("ntf_1", "pending"), ("ntf_2", "dead")):
        due = at if state == "pending" else None
        common = {"tenant_id": "ten_1", "channel_id": "chn_1", "subject_id": "inc_1", "kind": "opened"}
        note = Notification.model_validate({**common, "id": id, "state": state, "created_at": at, "due_at": due})
        await healthy.stage.add(note.model_copy(update={"trouble": REFUSED}))
    secret = {"secret_ref": "r", "shown": "hooks.example.com", "created_at": at, "tenant_id": "ten_1"}
    broken = {**secret, "disabled_at": at, "trouble": REFUSED}
    await healthy.stage.add(Channel.model_validate({**broken, "id": "chn_1", "name": "ops", "kind": "slack"}))
    await healthy.stage.add(Channel.model_validate({**secret, "id": "chn_2", "name": "fine", "kind": "slack"}))
    await healthy.stage.add(Webhook.model_validate({**broken, "id": "hook_1"}))

    report = await healthy.look()

    found = [(each.code, each.subject, each.since) for each in report.findings if each.code != "ok"]
    assert found == [
        ("notification.stuck", "ntf_1", at),
        ("channel.broken", "chn_1", at),
        ("notification.failed", "chn_1", at),
        ("webhook.off", "hook_1", at),
    ]


@pytest.mark.parametrize(
    ("code", "command"),
    [
        ("channel_gone", "hedgerow channels change chn_1 --address: a new one, which switches it on again"),
        ("channel_refused", "hedgerow channels enable chn_1"),
    ],
)
async def test_a_channel_that_is_gone_wants_another_address(healthy: Room, code: str, command: str) -> None:
    at = ago(healthy, HOURS)
    trouble = Trouble(code=code, detail="Discord answered 404.", hint="Send a test.")
    channel = {"id": "chn_1", "name": "ops", "kind": "discord", "secret_ref": "r", "shown": "discord.com"}
    more = {"tenant_id": "ten_1", "created_at": at, "disabled_at": at, "trouble": trouble}
    await healthy.stage.add(Channel.model_validate({**channel, **more}))
    assert (await healthy.only()).command == command


async def test_a_poisoned_message_and_a_redelivery_that_was_broken_off(healthy: Room) -> None:
    message = RunEnded(connection_id="con_1", run_id="run_1")
    for id in ("dead_1", "dead_2"):
        dead = DeadMessage(
            id=id,
            topic=message.topic,
            body=message.model_dump_json(),
            reason="Delivered 10 times.",
            at=ago(healthy, HOURS),
            is_whole=True,
        )
        await healthy.stage.add(dead)
    finding = await healthy.only()
    assert (finding.code, finding.subject, finding.since) == ("dead.messages", "run-ended", ago(healthy, HOURS))
    assert finding.what.startswith("2 dead messages")
    assert "hedgerow dead redeliver --topic run-ended" in finding.command

    with pytest.raises(Crash):
        await redelivering.redeliver(armed(healthy.stage.app, Fuse(3)), ["dead_2"])
    await redelivering.redeliver(healthy.stage.app, ["dead_1"])

    finding = await healthy.only()
    assert (finding.code, finding.command) == ("dead.half_redelivered", "hedgerow dead redeliver dead_2")


async def test_what_cannot_be_read_is_shown_and_dropped_not_redelivered(healthy: Room) -> None:
    whole = RunEnded(connection_id="con_1", run_id="run_1").model_dump_json()
    for id, body in (("dead_1", whole), ("dead_2", "{")):
        dead = DeadMessage(id=id, topic="run-ended", body=body, reason="it died", at=ago(healthy, HOURS), is_whole=True)
        await healthy.stage.add(dead)

    commands = sorted(each.command for each in (await healthy.look()).of("problem"))

    assert commands == [
        "hedgerow dead list --topic run-ended; mend the cause, then hedgerow dead redeliver --topic run-ended",
        "hedgerow dead show dead_2; then hedgerow dead drop dead_2, or redeliver it with --body FILE",
    ]


async def test_a_secret_destroyed_under_us_and_met_by_a_sync(healthy: Room) -> None:
    connection = await connected(healthy)
    await healthy.stage.app.vault.destroy(connection.id)

    finding = await healthy.only()

    assert (finding.code, finding.subject) == ("vault.secret_gone", connection.id)
    assert finding.command == f"hedgerow connections rotate {connection.id}"
    await healthy.stage.store.commit(Swap(connection.model_copy(update={"state": "needs_attention"})))
    report = await healthy.look()
    assert {each.code for each in report.of("problem")} == {"vault.secret_gone", "connection.needs_attention"}
    assert {each.tenant for each in report.of("problem")} == {connection.tenant_id}
    assert all(connection.tenant_id in each.what for each in report.of("problem"))


async def test_a_channel_that_takes_messages_again_is_not_told_of(healthy: Room) -> None:
    at = ago(healthy, 2 * HOURS)
    common = {"tenant_id": "ten_1", "channel_id": "chn_1", "kind": "opened"}
    for id, state, after in (("ntf_1", "sent", 0), ("ntf_2", "dead", 1), ("ntf_3", "sent", 2)):
        note = {**common, "id": id, "subject_id": id, "state": state, "created_at": at + after * MINUTES}
        if id == "ntf_3":
            assert [each.code for each in (await healthy.look()).of("warning")] == ["notification.failed"]
        await healthy.stage.add(Notification.model_validate(note))

    assert (await healthy.look()).of("warning") == ()


async def test_one_of_anything_is_said_in_the_singular(healthy: Room) -> None:
    connection = await connected(healthy)
    at = ago(healthy, HOURS)
    whose = {"tenant_id": connection.tenant_id, "created_at": at}
    channel = Channel(id="chn_1", name="ops", kind="slack", secret_ref="chn_1.1", shown="hooks.test", **whose)
    channel = await healthy.stage.add(channel)
    fine = " ".join(each.what for each in (await healthy.look(variables=("HEDGEROW_DATA",))).findings)
    for said in ("1 connection looked", "1 channel and 0 webhooks", "1 secret of", "1 HEDGEROW_ variable,"):
        assert said in fine

    progress = connection.progress.model_copy(update={"failures": 1})
    await healthy.stage.store.commit(Swap(connection.model_copy(update={"progress": progress})))
    await healthy.stage.add(
        Notification(id="ntf_1", channel_id="chn_1", kind="digest", subject_id="d", due_at=at, **whose)
    )
    given_up = Notification(id="ntf_2", channel_id="chn_1", kind="digest", subject_id="e", state="dead", **whose)
    await healthy.stage.add(given_up)
    await healthy.stage.add(DeadMessage(id="dead_1", topic="run-ended", body="{", reason="not JSON", at=at))
    what = {each.code: each.what for each in (await healthy.look()).findings if each.code != "ok"}
    assert ": 1 failed sync since its last success." in what["connection.failing"]
    assert what["notification.stuck"] == "1 notification due and not sent."
    assert what["notification.failed"] == f"1 notification of the last day given up, of {connection.tenant_id}."
    assert what["dead.messages"].startswith("1 dead message that cannot be published again as it is;")


async def test_what_gives_the_key_again_is_named_once(healthy: Room) -> None:
    gone = Trouble(code="secret_gone", detail="The vault holds nothing.", hint=SecretGoneError.hint)
    connection = await connected(healthy, state="needs_attention", trouble=gone)
    assert (await healthy.only()).command == f"hedgerow connections rotate {connection.id}"
