"""The incidents: how each begins, what the doctor must find, and what mends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from hedgerow import wiring
from hedgerow.app import App
from hedgerow.messages import Message, SyncRequested
from hedgerow.settings import Settings
from local.drills.room import Room, act, say
from local.stage import StepError

PERSONAL_KEY = "HEDGEROW_POSTHOG_PERSONAL_API_KEY"
CHANNEL_URL = "HEDGEROW_CHANNEL_URL"
TICK = "hedgerow-sync-tick-scale"


@dataclass(frozen=True, slots=True)
class Drill:
    """One incident: what it is in a line, how it is played, and the page that says what to do."""

    what: str
    play: Callable[[Room], None]
    runbook: str


class Foreign(Message):
    """What somebody else's program sends to a topic of ours."""

    topic = SyncRequested.topic

    words: str

    @property
    def key(self) -> str:
        """Its words."""
        return self.words


def posthog_down(room: Room) -> None:
    """Events wait and arrive; syncs fail and catch up."""
    act("PostHog goes away. A product goes on sending events.")
    room.switch_posthog(off=True)
    taken = room.capture(50)
    room.stage.run("sync", exits=1)
    room.sees("connection.failing")
    room.stage.run("outbox")
    act("Nothing has to be done. PostHog comes back:")
    room.switch_posthog(off=False)
    room.until(lambda: _is_empty(room), "The outbox did not drain.")
    room.stage.run("outbox")
    room.stage.run("event", taken)
    room.stage.run("sync")
    room.is_well_again("connection.failing")


def key_refused(room: Room) -> None:
    """A customer revoked the key."""
    act("Somebody revokes the personal API key in PostHog.")
    _control_delete(room, "keys", {"revoke": room.posthog["personal_api_key"]})
    room.stage.run("sync", exits=1)
    room.sees("connection.needs_attention")
    act(f"The customer makes a new key; it is in {PERSONAL_KEY}, else rotate would ask for it.")
    made = room.control("keys", {"project_id": int(room.posthog["project_id"]), "label": "new"})
    room.stage.variables[PERSONAL_KEY] = str(made["personal_api_key"])
    room.stage.run("connections", "rotate", room.connection)
    room.stage.run("sync")
    room.is_well_again("connection.needs_attention")


def secret_destroyed(room: Room) -> None:
    """The credential is destroyed under us."""
    act("Somebody destroys the credential in the vault.")
    _on_the_folder(room, lambda app: app.vault.destroy(room.connection))
    room.sees("vault.secret_gone")
    room.stage.run("sync", exits=1)
    room.sees("connection.needs_attention")
    act(f"The customer gives the key again; it is in {PERSONAL_KEY}, else rotate would ask for it.")
    room.stage.run("connections", "rotate", room.connection)
    room.stage.run("sync")
    room.is_well_again("vault.secret_gone", "connection.needs_attention")


def poisoned_message(room: Room) -> None:
    """A message nobody can read."""
    act("Something publishes to our topic what is no message of ours.")
    _on_the_folder(room, lambda app: app.queue.publish(Foreign(words="hello")))
    room.sees("dead.messages")
    listed = json.loads(room.stage.read("dead", "list", "--json", shown=False))["items"]
    if len(listed) != 1:
        raise StepError(f"{len(listed)} messages are dead instead of one.")
    room.stage.run("dead", "list")
    room.stage.run("dead", "show", listed[0]["id"])
    act("It was never ours: away with it. The work beside it was never held up.")
    room.stage.run("dead", "drop", listed[0]["id"], "--yes")
    room.is_well_again("dead.messages")


def schedule_paused(room: Room) -> None:
    """A schedule was paused and forgotten."""
    act("Somebody pauses the tick of tier scale, and goes home.")
    room.stage.run("schedules", "pause", TICK)
    room.sees("schedule.paused")
    act("The doctor says which command goes on.")
    room.stage.run("schedules", "resume", TICK)
    room.stage.run("schedules", "run", TICK)
    room.stage.run("schedules", "list")
    room.is_well_again("schedule.paused")


def server_killed(room: Room) -> None:
    """A kill with events in hand."""
    act("PostHog is down, 200 events are in the outbox, and the server is killed.")
    room.switch_posthog(off=True)
    taken = room.capture(200)
    room.kill_hedgerow()
    room.sees("server.down")
    act("It is started again on the same folder, and PostHog comes back.")
    room.restart_hedgerow()
    room.switch_posthog(off=False)
    room.until(lambda: _is_empty(room), "The outbox did not drain.")
    room.stage.run("outbox")
    room.stage.run("event", taken)
    room.is_well_again("server.down")


def chat_gone(room: Room) -> None:
    """A chat's webhook was removed."""
    services = f"{room.url}/inbox/services/discord"
    room.stage.variables[CHANNEL_URL] = f"{services}/api/webhooks/1234567890/drill-token"
    room.stage.run("channels", "add", "team", "--kind", "discord", "--default")
    act(
        "Somebody removes the webhook in the chat. That night a credential is gone, a sync fails: its message meets that."
    )
    _fault(f"{services}/faults", {"kind": "410", "times": 1_000})
    _on_the_folder(room, lambda app: app.vault.destroy(room.connection))
    room.stage.run("sync", exits=1)
    room.sees("channel.broken")
    act("The customer gives the key again.")
    room.stage.run("connections", "rotate", room.connection)
    room.stage.run("sync")
    act(f"And makes a new webhook in the chat; its address is in {CHANNEL_URL}, else the command would ask for it.")
    httpx.delete(f"{services}/faults", timeout=30, trust_env=False).raise_for_status()
    room.stage.variables[CHANNEL_URL] = f"{services}/api/webhooks/1234567891/another-token"
    room.stage.run("channels", "change", "team", "--address")
    room.stage.run("channels", "test", "team")
    room.is_well_again("channel.broken")
    say("\nThe warning goes after a day: that one message was given up, and nobody sends it again.")


def lost_disk(room: Room) -> None:
    """Everything is gone but an export and the sealing key."""
    exported = room.stage.folder / "export"
    act("An export was made last night; the sealing key lies in a safe.")
    room.stage.run("export-data", str(exported))
    key = (room.data / "sealing.key").read_bytes()
    before = room.stage.read("metrics", "--json", shown=False)
    act("The disk dies.")
    room.kill_hedgerow()
    room.data.rename(room.stage.folder / "gone")
    act("A new one: the key, then the import, then the server.")
    room.data.mkdir(mode=0o700)
    (room.data / "sealing.key").write_bytes(key)
    (room.data / "sealing.key").chmod(0o600)
    room.stage.run("import-data", str(exported))
    room.restart_hedgerow()
    if room.stage.read("metrics", "--json", shown=False) != before:
        raise StepError("The numbers are not what they were.")
    say("\nEvery number is as it was, and the key in the vault still opens PostHog:")
    room.stage.run("sync")
    room.is_well_again("server.down")


DRILLS: dict[str, Drill] = {
    "posthog-down": Drill("PostHog does not answer for a while", posthog_down, "alert-outbox-age.md"),
    "key-refused": Drill("a customer's PostHog key is revoked", key_refused, "alert-sync-success.md"),
    "secret-destroyed": Drill("a credential is destroyed under us", secret_destroyed, "alert-sync-success.md"),
    "poisoned-message": Drill("a message on the queue cannot be read", poisoned_message, "alert-dead-letters.md"),
    "schedule-paused": Drill("a schedule was paused and forgotten", schedule_paused, "alert-oldest-due.md"),
    "server-killed": Drill("the server is killed with events in hand", server_killed, "alert-capture-down.md"),
    "chat-gone": Drill("a chat's webhook was removed", chat_gone, "alert-notifications.md"),
    "lost-disk": Drill("the data is lost; an export and the key are left", lost_disk, "restore.md"),
}


def _is_empty(room: Room) -> bool:
    waiting = json.loads(room.stage.read("outbox", "--json", shown=False))
    return not any(each["state"] == "pending" for each in waiting["items"])


def _control_delete(room: Room, verb: str, body: dict[str, object]) -> None:
    url = f"{room.posthog['host']}/_local/{verb}"
    httpx.request("DELETE", url, json=body, timeout=30, trust_env=False).raise_for_status()


def _fault(url: str, body: dict[str, object]) -> None:
    httpx.post(url, json=body, timeout=30, trust_env=False).raise_for_status()


def _on_the_folder(room: Room, work: Callable[[App], Awaitable[None]]) -> None:
    """Do something behind the server's back, on the folder it keeps everything in."""

    async def do() -> None:
        app = wiring.build(Settings(data=room.data))
        try:
            await work(app)
        finally:
            await wiring.close(app)

    asyncio.run(do())
