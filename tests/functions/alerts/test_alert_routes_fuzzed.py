"""Whatever is sent to the alert routes, by whom it may, they answer in words and never with a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from functions.alerts.main import alerts
from functions.alerts.records import Incident
from tests.stage import Stage, staged

EXTREME: tuple[object, ...] = (
    0,
    -1,
    0.5,
    1e15,
    1e308,
    -1e308,
    5e-324,
    2**63,
    10**30,
    "inf",
    "nan",
    "1e999",
    "",
    None,
    True,
    [],
    {},
)
INSTANTS = ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-11-20", "2026-11-20T15:30:00Z", "x")
TEXTS = ("a", "", "\x00", "a\nb", "\u202eb", "\ud800", "x" * 500, "event:a:b", "Europe/Berlin", "{zone}")
CONDITIONS = ("threshold", "change", "anomaly", "no_data", "new_value", "stale_flag", "none")
SERIES = ("metric", "event", "ratio", "difference", "sync", "backlog", "flag", "none")
URLS = ("https://example.com/a", "https://hooks.slack.com/services/T/B/x", "http://127.0.0.1/", "https://[::1", "x", "")

numbers = some.one_of(some.sampled_from(EXTREME), some.floats(allow_nan=False), some.integers(-1_000, 1_000))
texts = some.one_of(some.sampled_from(TEXTS), some.text(max_size=20))
anything = some.one_of(numbers, texts, some.sampled_from(INSTANTS))


def form(**fields: some.SearchStrategy[object]) -> some.SearchStrategy[dict[str, object]]:
    """Some of these fields."""
    return some.fixed_dictionaries({}, optional=fields)


conditions = some.builds(
    lambda kind, rest: {"kind": kind} | rest,
    some.sampled_from(CONDITIONS),
    some.dictionaries(
        some.sampled_from(
            ("above", "below", "percent", "absolute", "periods", "sensitivity", "minimum", "days", "buckets")
        ),
        numbers,
        max_size=2,
    ),
)
plain = form(
    kind=some.sampled_from(SERIES), name=texts, event=texts, by=texts, math=texts, grain=texts, minimum=numbers
)
series = some.one_of(
    plain,
    some.builds(lambda of, to: {"kind": "ratio", "of": of, "to": [to]}, plain, plain),
    some.sampled_from(({"kind": "metric", "name": "posthog_dau"}, {"kind": "event", "event": "a", "grain": "hour"})),
)
policies = form(fire_after=numbers, out_of=numbers, cooldown_minutes=numbers, quiet_hours=form(begin=texts, zone=texts))
points = some.one_of(
    some.lists(some.tuples(some.one_of(numbers, some.sampled_from(INSTANTS)), numbers), max_size=5),
    some.builds(
        lambda begin, values: [[begin + 3_600 * place, value] for place, value in enumerate(values)],
        some.integers(0, 10**9),
        some.lists(some.floats(-1e100, 1e100) | some.just(0), min_size=30, max_size=80),
    ),
)
templates = some.builds(
    lambda template, setting, value: {"template": template, "set": {setting: value}},
    some.sampled_from(("dau_drop", "stale_flag", "capture_backlog", "payment_failure_rate", "none")),
    some.sampled_from(("days", "minutes", "percent", "sensitivity", "by", "minimum")),
    anything,
)
rules = some.one_of(
    templates, form(name=texts, series=series, condition=conditions, policy=policies, channels=anything)
)
channels = form(
    name=texts, url=some.sampled_from(URLS), kind=texts, token=texts, slack_channel=texts, weekly_budget=numbers
)
cursors = some.one_of(
    texts, some.sampled_from(("WyJ4Il0", "eyJhIjoxfQ", "====", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwieCJd"))
)

calls = some.one_of(
    some.tuples(some.just("POST"), some.just("/v1/connections/CONNECTION/rules"), rules),
    some.tuples(some.just("PUT"), some.just("/v1/connections/CONNECTION/rules/RULE"), rules),
    some.tuples(some.just("POST"), some.just("/v1/connections/CONNECTION/rules/RULE/snooze"), form(minutes=numbers)),
    some.tuples(some.just("POST"), some.just("/v1/channels"), channels),
    some.tuples(some.just("PATCH"), some.just("/v1/channels/CHANNEL"), channels),
    some.tuples(some.just("PUT"), some.just("/v1/tenants/mine/default-channel"), form(channel=texts)),
    some.tuples(some.just("POST"), some.just("/v1/webhooks"), form(url=some.sampled_from(URLS), kinds=anything)),
    some.tuples(some.just("POST"), some.just("/v1/webhooks/WEBHOOK/replay"), form(since=anything, cursor=cursors)),
    some.tuples(some.just("POST"), some.just("/v1/incidents/inc_1/snooze"), form(until=anything, minutes=numbers)),
    some.tuples(some.just("POST"), some.just("/v1/incidents/inc_1/rate"), form(useful=anything)),
    some.tuples(
        some.just("POST"),
        some.just("/v1/alerts/backtest"),
        some.builds(
            lambda found, condition, rest: {"points": found, "condition": condition} | rest,
            points,
            conditions,
            form(policy=policies, to=anything, nearby=some.booleans(), labels=some.just([[*INSTANTS[:2]]])),
        ),
    ),
    some.tuples(
        some.just("POST"),
        some.just("/v1/alerts/backtest"),
        some.builds(
            lambda asked, condition: {"connection": "CONNECTION", "series": asked, "condition": condition},
            series,
            conditions,
        ),
    ),
    some.tuples(
        some.just("GET"),
        some.sampled_from(
            ("/v1/incidents", "/v1/activity", "/v1/channels", "/v1/webhooks", "/v1/connections/CONNECTION/rules")
        ),
        form(cursor=cursors, limit=anything, state=texts, rule=texts),
    ),
)


class Room:
    """A stage with a thing of each kind, on a loop of its own, as hypothesis calls what is not async."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.exit = staged()
        self.stage: Stage = self.loop.run_until_complete(self.exit.__aenter__())
        self.names = self.loop.run_until_complete(self._fill())

    async def _fill(self) -> dict[str, str]:
        tenant = await self.stage.tenant("scale")
        connection = await self.stage.connection(tenant)
        self.key, now = await self.stage.key(tenant), self.stage.clock()
        await self.stage.add(
            Incident(
                id="inc_1",
                tenant_id=tenant.id,
                connection_id=connection.id,
                rule_id="rule_1",
                rule_name="DAU",
                connection_name="Shop",
                severity="warning",
                since=now,
                opened_at=now,
                sentence="DAU 3",
            )
        )
        async with self.stage.calling(alerts, self.key) as client:
            hook = {"name": "hook", "url": "https://example.com/hook"}
            channel = await client.post("/v1/channels", json=hook)
            webhook = await client.post("/v1/webhooks", json={"url": hook["url"]})
            rule = await client.post(f"/v1/connections/{connection.id}/rules", json={"template": "dau_drop"})
        made = {"CHANNEL": channel, "WEBHOOK": webhook, "RULE": rule}
        return {"CONNECTION": connection.id, **{name: answer.json()["id"] for name, answer in made.items()}}

    def ask(self, method: str, path: str, fields: dict[str, object]) -> httpx.Response:
        return self.loop.run_until_complete(self._ask(method, path, fields))

    async def _ask(self, method: str, path: str, fields: dict[str, object]) -> httpx.Response:
        for name, id in self.names.items():
            path = path.replace(name, id)
        if fields.get("connection") == "CONNECTION":
            fields = fields | {"connection": self.names["CONNECTION"]}
        async with self.stage.calling(alerts, self.key) as client:
            if method == "GET":
                query = {
                    name: json.dumps(value) if not isinstance(value, str) else value for name, value in fields.items()
                }
                return await client.get(
                    path, params={name: value.encode("utf-8", "replace") for name, value in query.items()}
                )
            return await client.request(method, path, content=json.dumps(fields).encode())

    def close(self) -> None:
        self.loop.run_until_complete(self.exit.__aexit__(None, None, None))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@contextmanager
def room() -> Iterator[Room]:
    built = Room()
    try:
        yield built
    finally:
        built.close()


def test_nothing_that_is_sent_ends_in_a_500() -> None:
    with room() as built:

        @settings(
            max_examples=800,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(calls)
        def ask(call: tuple[str, str, dict[str, object]]) -> None:
            answer = built.ask(*call)
            assert answer.status_code != 500, (call, answer.text)

        ask()


@pytest.mark.parametrize(
    "call",
    [
        ("POST", "/v1/connections/CONNECTION/rules", {"template": "stale_flag", "set": {"days": "inf"}}),
        ("POST", "/v1/incidents/inc_1/snooze", {"until": INSTANTS[0]}),
        ("POST", "/v1/incidents/inc_1/snooze", {"until": INSTANTS[1]}),
        ("POST", "/v1/webhooks/WEBHOOK/replay", {"since": INSTANTS[0]}),
        (
            "POST",
            "/v1/alerts/backtest",
            {
                "points": [[3_600 * hour, 0] for hour in range(60)],
                "condition": {"kind": "change", "percent": 1e308},
                "nearby": True,
            },
        ),
    ],
    ids=["setting", "late", "early", "replay", "percent"],
)
def test_what_once_ended_in_a_500_is_refused_in_words(call: tuple[str, str, dict[str, object]]) -> None:
    with room() as built:
        answer = built.ask(*call)
    assert (answer.status_code, bool(answer.json()["detail"])) == (422, True)
