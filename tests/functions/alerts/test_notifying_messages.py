"""What arrives in a channel: one message a happening, in order, grouped, within quiet hours and budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from functions.alerts.channels import channels
from functions.alerts.channels.channels import ChannelChange
from functions.alerts.notifying import planning
from functions.alerts.notifying.gathering import thread_id
from functions.alerts.records import Thread
from functions.alerts.spec import Policy, QuietHours
from hedgerow.ports import Swap
from tests.functions.alerts.notifying_room import NotifyingRoom, notifying_room


@pytest.fixture
async def room() -> AsyncIterator[NotifyingRoom]:
    async with notifying_room() as built:
        yield built


async def test_an_opening_is_told_once_however_often_it_is_asked_for(room: NotifyingRoom) -> None:
    incident = await room.opened(await room.rule(await room.channel()))
    (id,) = await room.ids(incident)
    await room.notify(id, id)
    await room.drain()
    await room.later(timedelta(minutes=10))
    assert len(room.receiver.bodies) == 1
    assert "5 active users" in room.receiver.texts[0]
    (told,) = await room.told()
    assert (told.state, told.attempts, told.due_at, told.claimed_by) == ("sent", 1, None, None)
    assert [step.kind for step in (await room.incident(incident.id)).timeline] == ["opened", "notified"]


async def test_the_tenants_default_channel_is_told_where_a_rule_names_none(room: NotifyingRoom) -> None:
    channel = await room.channel()
    await channels.set_default(room.app, room.tenant.id, "ops")
    incident = await room.opened(await room.rule())
    assert incident.channels == (channel.id,)


async def test_nobody_is_told_where_there_is_no_channel(room: NotifyingRoom) -> None:
    incident = await room.opened(await room.rule())
    assert incident.channels == ()
    await room.drain()
    assert room.receiver.bodies == []


async def test_a_channel_that_is_off_is_not_planned_for_while_another_works(room: NotifyingRoom) -> None:
    off, default = await room.channel("off"), await room.channel("default")
    await channels.change(room.app, off, ChannelChange(enabled=False))
    rule = await room.rule(off)
    incident = await room.opened(rule)
    assert incident.channels == (off.id,)  # Nothing works: its timeline will say that nobody was told.
    await room.drain()
    assert (await room.incident(incident.id)).timeline[-1].kind == "not_notified"
    await channels.set_default(room.app, room.tenant.id, default.id)
    assert (await room.opened(rule)).channels == (default.id,)


async def test_planning_a_step_again_adds_nothing(room: NotifyingRoom) -> None:
    rule = await room.rule(await room.channel())
    incident = await room.opened(rule)
    assert await planning.plan(room.app, rule, incident, 0, "opened", room.now()) == []


async def test_a_resolution_follows_its_opening(room: NotifyingRoom) -> None:
    rule = await room.rule(channel := await room.channel())
    incident = await room.opened(rule)
    await room.drain()
    await room.step(rule, incident.id, "resolved")
    await room.later(timedelta(hours=1))
    assert len(room.receiver.texts) == 2
    assert "Resolved" in room.receiver.texts[1]
    assert await room.app.store.get(Thread, thread_id(incident.id, channel.id)) is not None


async def test_an_incident_that_is_over_before_it_was_told_is_one_message_that_says_both(room: NotifyingRoom) -> None:
    rule = await room.rule(await room.channel())
    incident = await room.opened(rule)
    (resolved,) = await room.step(rule, incident.id, "resolved")
    await room.notify(resolved)  # The later one comes first.
    await room.drain()
    assert len(room.receiver.texts) == 1
    assert "5 active users" in room.receiver.texts[0]
    assert "over by now" in room.receiver.texts[0]
    assert sorted(one.state for one in await room.told()) == ["folded", "sent"]


async def test_a_resolution_without_an_opening_in_the_channel_is_never_told(room: NotifyingRoom) -> None:
    rule = await room.rule(await room.channel())
    incident = await room.opened(rule)
    (opening,) = await room.told()
    dead = opening.model_copy(update={"state": "dead", "due_at": None})
    await room.app.store.commit(Swap(dead))
    await room.step(rule, incident.id, "resolved")
    await room.later(timedelta(hours=1))
    assert room.receiver.bodies == []


async def test_openings_of_one_evaluation_are_one_message(room: NotifyingRoom) -> None:
    channel = await room.channel()
    rules = [await room.rule(channel, name=f"Rule of {name}") for name in ("sign-ups", "orders", "errors")]
    incidents = [await room.opened(rule) for rule in rules]
    await room.drain()
    assert len(room.receiver.bodies) == 1
    assert "3 alert rules fired together on Shop" in room.receiver.texts[0]
    assert all(rule.name in str(room.receiver.bodies[0]) for rule in rules)
    assert sorted(one.state for one in await room.told()) == ["folded", "folded", "sent"]
    threads = [await room.app.store.get(Thread, thread_id(one.id, channel.id)) for one in incidents]
    assert {len(thread.incident_ids) for thread in threads if thread is not None} == {3}

    await room.step(rules[1], incidents[1].id, "resolved")
    await room.later(timedelta(minutes=5))
    assert "2 of the 3 incidents" in room.receiver.texts[1]
    for rule, incident in ((rules[0], incidents[0]), (rules[2], incidents[2])):
        await room.step(rule, incident.id, "resolved")
    await room.later(timedelta(minutes=5))
    assert len(room.receiver.texts) == 3
    assert "All 3 incidents" in room.receiver.texts[2]


async def test_other_channels_and_connections_keep_their_own_messages(room: NotifyingRoom) -> None:
    first, second = await room.channel("first"), await room.channel("second")
    await room.opened(await room.rule(first))
    await room.opened(await room.rule(second))
    await room.drain()
    assert len(room.receiver.bodies) == 2


async def test_quiet_hours_put_a_warning_off_and_let_a_critical_one_through(room: NotifyingRoom) -> None:
    room.stage.clock.at = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    channel = await room.channel()
    policy = Policy(quiet_hours=QuietHours(begin="22:00", end="07:00", zone="Europe/Berlin"))
    await room.opened(await room.rule(channel, policy=policy))
    await room.drain()
    assert room.receiver.bodies == []
    await room.opened(await room.rule(channel, policy=policy, severity="critical", name="Critical"))
    await room.drain()
    assert len(room.receiver.texts) == 1
    assert "Critical" in room.receiver.texts[0]
    room.stage.clock.at = datetime(2026, 11, 21, 5, 59, tzinfo=UTC)
    await room.drain()
    assert len(room.receiver.texts) == 1
    room.stage.clock.at = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    await room.drain()
    assert len(room.receiver.texts) == 2


async def test_while_a_rule_is_snoozed_nothing_begins_and_what_stands_is_mended(room: NotifyingRoom) -> None:
    rule = await room.rule(await room.channel())
    incident = await room.opened(rule)
    await room.drain()
    snoozed = rule.model_copy(update={"snoozed_until": room.now() + timedelta(days=1)})
    assert await planning.plan(room.app, snoozed, incident, 5, "worse", room.now()) == []
    assert await planning.plan(room.app, snoozed, incident, 5, "opened", room.now()) == []
    assert len(await planning.plan(room.app, snoozed, incident, 5, "resolved", room.now())) == 1


async def test_above_the_budget_comes_one_digest_a_day_that_names_what_to_delete(room: NotifyingRoom) -> None:
    channel = await room.channel(weekly_budget=2)
    noisy = await room.rule(channel, name="Noisy", useless=3)
    good = await room.rule(channel, name="Good", useful=5)
    for rule in (good, good, noisy, good, noisy):
        newest = await room.opened(rule)
        await room.later(timedelta(minutes=20))
    assert len(room.receiver.texts) == 2
    held = (await room.incident(newest.id)).timeline[-1]
    said = "ops had its 2 messages of a week: told in the digest of Sat 21 Nov, 09:00 (UTC)."
    assert (held.kind, held.sentence) == ("held", said)
    await room.later(timedelta(days=1))
    assert len(room.receiver.texts) == 3
    digest = str(room.receiver.bodies[2])
    assert "3 incidents were not told one by one" in room.receiver.texts[2]
    assert digest.index("Noisy") < digest.index("Good")
    assert "Delete or change" in digest
    await room.later(timedelta(days=1))
    assert len(room.receiver.texts) == 3
    critical = await room.rule(channel, name="Critical", severity="critical")
    await room.opened(critical)
    await room.drain()
    assert len(room.receiver.texts) == 4


async def test_a_channel_that_was_deleted_is_no_end_of_telling(room: NotifyingRoom) -> None:
    gone, other = await room.channel("gone"), await room.channel("other")
    await channels.set_default(room.app, room.tenant.id, other.id)
    rule = await room.rule(gone)
    await room.opened(rule)
    await channels.remove(room.app, gone)
    await room.drain()
    assert len(room.receiver.bodies) == 1
    assert (await room.opened(rule)).channels == (other.id,)


async def test_links_are_signed_and_there_are_none_without_an_address(room: NotifyingRoom) -> None:
    channel = await room.channel()
    await room.opened(await room.rule(channel))
    await room.drain()
    assert "/v1/pages/" not in str(room.receiver.bodies[0])
    assert "https://us.posthog.com/project/1" in str(room.receiver.bodies[0])
    settings = room.app.settings.model_copy(update={"public_url": "https://hedgerow.example"})
    incident = await room.opened(await room.rule(channel))
    await room.notify(*await room.ids(incident), app=replace(room.app, settings=settings))
    said = str(room.receiver.bodies[1])
    assert "https://hedgerow.example/v1/pages/" in said
    assert "https://hedgerow.example/v1/charts/" in said


async def test_the_operator_is_told_of_health_and_of_nothing_else(room: NotifyingRoom) -> None:
    settings = room.app.settings.model_copy(update={"operator_webhook": SecretStr(room.receiver.url)})
    room.stage.app = replace(room.app, settings=settings)
    assert (await room.opened(await room.rule())).channels == ()
    incident = await room.opened(await room.rule(template="health"))
    assert incident.channels == (planning.OPERATOR,)
    await room.drain()
    assert room.receiver.texts == ["incident.opened"]
