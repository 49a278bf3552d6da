"""A back end that uses PostHog's Python SDK: runs one act against a host and says on its last line what it sent and heard.

Run as a process of its own, as an application would be; the act and its options come as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

SPACE = uuid.UUID("5d1e0000-0000-4000-8000-000000000000")
FLAGS = ("new-checkout", "half", "variants", "by-plan", "nobodys")


def main() -> None:
    asked = json.loads(sys.argv[1])
    if asked.get("skew_seconds"):
        _turn_the_clock(asked["skew_seconds"])
    said = ACTS[asked["act"]](asked)
    sys.stdout.write(json.dumps(said, default=str) + "\n")


def client(asked: dict[str, Any], **more: Any) -> Any:
    """The SDK as `asked`, failing loudly on its own errors."""
    from posthog import Posthog

    options = {"flush_interval": 0.2, **asked.get("options", {}), **more}
    return Posthog(asked["token"], host=asked["host"], **options)


def everything(asked: dict[str, Any]) -> dict[str, Any]:
    """One of each call, with ids of our own, so that two runs differ in nothing but their clocks."""
    named = {f"step-{n}": str(uuid.uuid5(SPACE, str(n))) for n in range(20)}
    ids = iter(named.values())
    at = datetime.now(UTC)
    own: dict[str, str] = {}

    def mine(age: float = 0.0) -> dict[str, Any]:
        when = at - timedelta(seconds=age)
        event = next(ids)
        own[event] = when.isoformat()
        return {"uuid": event, "timestamp": when}

    posthog = client(asked)
    odd = {
        "text": 'ü😀\u2028"\\',
        "nan": float("nan"),
        "nested": {"deep": [1, None, True, {"a": 1.5}]},
        "at": at.date(),
    }
    posthog.capture(
        "order placed", distinct_id="shopper-1", properties={"amount": 12.5, **odd} | {"at": "x"}, **mine(90)
    )
    posthog.capture(
        "plan chosen",
        distinct_id="shopper-1",
        properties={"$set": {"plan": "pro"}, "$set_once": {"first_plan": "pro"}},
        **mine(60),
    )
    posthog.capture("looked", properties={"$current_url": "https://shop.test/"}, **mine(50))
    posthog.capture("team made", distinct_id="shopper-1", groups={"company": "acme"}, **mine(40))
    posthog.capture("long ago", distinct_id="shopper-2", **mine(86_400 * 40))
    posthog.set(distinct_id="shopper-1", properties={"email": "one@shop.test", "seats": 3}, **mine(30))
    posthog.set_once(distinct_id="shopper-1", properties={"email": "other@shop.test", "born": "1990-01-01"}, **mine(29))
    posthog.group_identify("company", "acme", {"size": 40}, distinct_id="shopper-1", **mine(28))
    posthog.alias("shopper-1-anonymous", "shopper-1", **mine(27))
    posthog.capture(
        "$ai_generation", distinct_id="shopper-1", properties={"$ai_model": "m", "$ai_input": ["hi"]}, **mine(26)
    )
    try:
        raise ValueError("the card was declined")
    except ValueError as error:
        posthog.capture_exception(error, distinct_id="shopper-1", properties={"order": 7}, **mine(20))
    flags = {key: posthog.get_feature_flag(key, "shopper-1", person_properties={"plan": "pro"}) for key in FLAGS}
    heard: dict[str, Any] = {
        "flags": flags,
        "all": posthog.get_all_flags("shopper-2", groups={"company": "acme"}),
        "payload": posthog.get_feature_flag_payload("variants", "shopper-1"),
    }
    posthog.shutdown()
    old = client(asked, historical_migration=True)
    old.capture("imported", distinct_id="shopper-3", **mine(86_400 * 400))
    old.shutdown()
    # Large ones have a lane of their own, and it knows v0 only.
    large = client(asked, enable_full_ai_capture=True)
    large.capture_ai("$ai_span", distinct_id="shopper-1", properties={"$ai_input": "x" * 2_000}, **mine(2))
    large.shutdown()
    return {"own": own, "heard": heard}


def local_evaluation(asked: dict[str, Any]) -> dict[str, Any]:
    """Flags decided in this process from definitions fetched with a personal key, and a remote config payload."""
    posthog = client(asked, personal_api_key=asked["personal_api_key"], poll_interval=1)
    posthog.load_feature_flags()
    heard = {
        person: {
            key: posthog.get_feature_flag(
                key,
                person,
                person_properties={"plan": "pro"},
                only_evaluate_locally=True,
                send_feature_flag_events=False,
            )
            for key in FLAGS
        }
        for person in ("shopper-1", "shopper-2", "shopper-3", "shopper-4")
    }
    payload = posthog.get_remote_config_payload("settings")
    time.sleep(asked.get("stay_seconds", 0))
    posthog.shutdown()
    return {"own": {}, "heard": {"local": heard, "remote_config": payload}}


def burst(asked: dict[str, Any]) -> dict[str, Any]:
    """`count` events over `seconds`, each at its own time, every second one exempt from skew correction."""
    failed: list[str] = []

    def fail(_error: Exception, batch: list[dict[str, Any]]) -> None:
        failed.extend(event["uuid"] for event in batch)

    posthog = client(asked, on_error=fail)
    own: dict[str, str] = {}
    pause = asked.get("seconds", 0) / asked["count"]
    for number in range(asked["count"]):
        when = datetime.now(UTC)
        event = str(uuid.uuid4())
        own[event] = when.isoformat()
        properties: dict[str, Any] = {"number": number} | ({"$ignore_sent_at": True} if number % 2 else {})
        took = posthog.capture(
            asked["name"], distinct_id=f"shopper-{number % 7}", uuid=event, timestamp=when, properties=properties
        )
        # In sync mode that is the SDK's last word on it, after its own attempts.
        if took is None:
            failed.append(event)
        time.sleep(pause)
    posthog.flush(timeout_seconds=50)
    posthog.shutdown()
    return {"own": own, "heard": {"failed": failed}}


def _turn_the_clock(seconds: float) -> None:
    """The whole process lives in another time: a machine whose clock is wrong."""
    import datetime as dt

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Shifted:
            return super().now(tz) + timedelta(seconds=seconds)

    vars(dt)["datetime"] = globals()["datetime"] = Shifted


ACTS = {"everything": everything, "local_evaluation": local_evaluation, "burst": burst}

if __name__ == "__main__":
    main()
