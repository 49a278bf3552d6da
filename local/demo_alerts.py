"""The demo's act about alerts: a planted drop fires, is told in the chat of this machine, acknowledged by its link, resolved.

The drop is a shop till that went offline: its checkouts of an hour are missing, and come late.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from local.stage import StepError

if TYPE_CHECKING:
    from local.stage import Stage

EVENT = "checkout.completed"
DAYS = 28
AN_HOUR = 60
LEFT = 2
RULE = {
    "name": "Checkouts per hour",
    "series": {"kind": "event", "event": EVENT, "grain": "hour"},
    "condition": {"kind": "anomaly", "direction": "drop"},
    "severity": "critical",
}
LONGEST_WAIT = 60.0
HOUR = timedelta(hours=1)
_ACKNOWLEDGE = re.compile(r"\[Acknowledge[^\]]*\]\((http[^)\s]+)\)")


def plant(file: Path, now: datetime) -> int:
    """Add four weeks of checkouts to a file of events, as many as usual but for the last whole hour."""
    dice = random.Random(5)  # noqa: S311 - the same demo each time
    last = _last_hour(now)
    count = 0
    with file.open("a", encoding="utf-8") as lines:
        for back in range(DAYS * 24, -1, -1):
            begin = last - back * HOUR
            for at in _instants(dice, begin, LEFT if back == 0 else round(dice.gauss(AN_HOUR, 5))):
                lines.write(json.dumps(_event(at)) + "\n")
                count += 1
    return count


def tell(stage: Stage, posthog: dict[str, str]) -> None:
    """The act, on a connection that stands."""
    url = stage.variables["HEDGEROW_URL"]
    _say(
        "\n── A chat to be told in: a stand-in for Discord, which refuses what Discord refuses. Its address is a secret."
    )
    with_chat = {"HEDGEROW_CHANNEL_URL": f"{url}/inbox/services/discord/api/webhooks/1234567890/demo-token"}
    stage.variables |= with_chat
    stage.run("channels", "add", "team", "--kind", "discord", "--default")
    del stage.variables["HEDGEROW_CHANNEL_URL"]
    stage.run("channels", "test", "team")
    _say(
        f"\n── A rule over an event by the hour. Saving it says what it would have done; {DAYS} days are fetched for it."
    )
    rule = stage.folder / "rule.json"
    rule.write_text(json.dumps(RULE), encoding="utf-8")
    stage.run("alerts", "add", "--file", str(rule))
    message = _wait(lambda: _told(url, "Checkouts per hour"), "The drop was not told in chat.")
    _say(f"\n── In the chat at {url}/inbox:")
    _say(f"  {message['body']['content']}")
    stage.run("incidents")
    _acknowledge(stage, message)
    _catch_up(stage, posthog)
    stage.run("sync")
    _wait(lambda: _is_resolved(stage), "The incident was not resolved.")
    edited = _wait(lambda: _edited(url, str(message["id"])), "The message was not edited.")
    _say("\n── The same message in the chat, edited in place:")
    _say(f"  {edited['body']['content']}")
    stage.run("incidents", "--all")
    stage.run("alerts")


def _acknowledge(stage: Stage, message: dict[str, Any]) -> None:
    link = _ACKNOWLEDGE.search(json.dumps(message["body"], ensure_ascii=False))
    if link is None:
        raise StepError("The message has no link to acknowledge by.")
    _say("\n── Somebody acknowledges by the link. Looking at it changes nothing; its button acts.")
    for method in ("GET", "POST"):
        answer = httpx.request(method, link[1], timeout=30, trust_env=False, follow_redirects=True)
        answer.raise_for_status()
        state = "acknowledged" if _incident(stage)["acknowledged_at"] else "open"
        _say(f"{method} {link[1].partition('/v1/')[0]}/v1/pages/… → {answer.status_code}, the incident is {state}")
    if state != "acknowledged":
        raise StepError("The link did not acknowledge.")


def _catch_up(stage: Stage, posthog: dict[str, str]) -> None:
    begin = datetime.fromisoformat(str(_incident(stage)["since"]))
    _say(f"\n── The till is online again and sends what it kept of {begin:%H:%M} to {begin + HOUR:%H:%M} UTC.")
    missing = [_event(at) for at in _instants(random.Random(6), begin, AN_HOUR - LEFT)]  # noqa: S311
    body = {"api_key": posthog["project_token"], "batch": missing}
    answer = httpx.post(f"{stage.variables['HEDGEROW_URL']}/batch/", json=body, timeout=30, trust_env=False)
    if answer.status_code != 200:
        raise StepError(f"Hedgerow answered the late events with {answer.status_code}.")


def _incident(stage: Stage) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(stage.read("incidents", "--all", "--json", shown=False))["items"]
    if not found:
        raise StepError("There is no incident.")
    return found[0]


def _is_resolved(stage: Stage) -> dict[str, Any] | None:
    found = _incident(stage)
    return found if found["state"] == "resolved" else None


def _told(url: str, words: str) -> dict[str, Any] | None:
    return next((each for each in _messages(url) if words in json.dumps(each["body"], ensure_ascii=False)), None)


def _edited(url: str, id: str) -> dict[str, Any] | None:
    found = next((each for each in _messages(url) if each["id"] == id), None)
    return found if found is not None and "esolved" in json.dumps(found["body"]) else None


def _messages(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/inbox/messages", timeout=30, trust_env=False).json()["messages"]
    return found


def _wait(look: Any, otherwise: str) -> dict[str, Any]:
    until = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < until:
        found: dict[str, Any] | None = look()
        if found is not None:
            return found
        time.sleep(0.25)
    raise StepError(otherwise)


def _last_hour(now: datetime) -> datetime:
    """The begin of the newest hour that is over."""
    return now.replace(minute=0, second=0, microsecond=0) - HOUR


def _instants(dice: random.Random, begin: datetime, number: int) -> list[datetime]:
    return sorted(begin + timedelta(seconds=dice.randrange(3_600)) for _ in range(number))


def _event(at: datetime) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid4()),
        "event": EVENT,
        "distinct_id": f"till_{at.second % 4}",
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "properties": {"amount_minor": 1_900, "currency": "EUR"},
    }


def _say(line: str) -> None:
    print(line, flush=True)
