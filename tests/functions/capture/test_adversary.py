"""What an adversary found: each of these once cost a stranger's events, counts or seconds."""

from __future__ import annotations

import gzip
import json
import time
from uuid import uuid4

from functions.capture.accept import ingesting
from functions.capture.main import outbox
from tests.functions.capture.operation_stage import shop
from tests.stage import NOW


def _event(name: str, **more: object) -> dict[str, object]:
    made: dict[str, object] = {"event": name, "distinct_id": "d", "uuid": str(uuid4()), "timestamp": NOW.isoformat()}
    return {**made, "properties": {}, **more}


async def test_a_token_that_is_no_text_harms_no_counts() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        for strange in ("x" * 250 + "\\ud800", "\\ud800", "ü" * 4):
            body = f'{{"api_key": "{strange}", "batch": [{{"event": "a", "distinct_id": "d"}}]}}'
            assert (await here.client.post("/batch/", content=body.encode())).status_code == 401
        sent = {"api_key": here.posthog.project_token, "batch": [_event("kept")]}
        assert (await here.client.post("/batch/", json=sent)).status_code == 200
        await here.host.counts.flush()
        counted = (await client.get(f"/v1/connections/{here.connection.id}/counts")).json()
    assert sum(hour["accepted"] for hour in counted["items"]) == 1


async def test_blanks_do_not_hold_the_loop() -> None:
    async with shop() as here:
        text = f'{{"api_key": "{here.posthog.project_token}", "batch": [{{{{{{{{{{}}]{" " * 200_000}sx'
        began = time.perf_counter()
        answer = await here.client.post("/batch/", content=text.encode())
        took = time.perf_counter() - began
    assert answer.status_code == 200
    assert took < 2.0


async def test_more_events_than_anybody_sends_are_refused_as_too_large() -> None:
    async with shop() as here:
        zeros = ",".join("0" * (ingesting.MOST_EVENTS + 1))
        for batch in (zeros, ",".join(["{}"] * (ingesting.MOST_BRACKETS + 1))):
            body = f'{{"api_key": "{here.posthog.project_token}", "batch": [{batch}]}}'
            answer = await here.client.post("/batch/", content=gzip.compress(body.encode(), 1))
            assert (answer.status_code, answer.text[:27]) == (413, "maximum event size exceeded")


async def test_depth_hidden_by_brackets_in_strings_kills_only_its_event() -> None:
    async with shop() as here:
        deep = '["]",' * 400 + "1" + ',"["]' * 400
        good, bad = json.dumps(_event("good")), json.dumps(_event("deep"))[:-1].replace('"properties": {}', "")
        text = f'{{"api_key": "{here.posthog.project_token}", "batch": [{good}, {bad}"properties": {{"x": {deep}}}}}]}}'
        answer = await here.client.post("/batch/", content=text.encode())
        arrived = [each.name for each in await here.arrived()]
    assert (answer.status_code, arrived) == (200, ["good"])


async def test_a_uuid_spelt_in_capitals_is_one() -> None:
    async with shop() as here:
        batch = [_event("good"), _event("loud", uuid=f"URN:UUID:{uuid4()}".upper())]
        sent = {"api_key": here.posthog.project_token, "batch": batch}
        answer = await here.client.post("/batch/", json=sent)
        arrived = sorted(each.name for each in await here.arrived())
    assert (answer.status_code, arrived) == (200, ["good", "loud"])


async def test_a_long_header_of_the_client_does_not_go_on() -> None:
    async with shop() as here:
        sent = {"api_key": here.posthog.project_token, "batch": [_event("good")]}
        headers = {"User-Agent": "x" * 9_000, "X-Forwarded-For": "1.2.3.4, " * 1_000}
        answer = await here.client.post("/batch/", json=sent, headers=headers)
        arrived = [each.name for each in await here.arrived()]
    assert (answer.status_code, arrived) == (200, ["good"])


async def test_half_a_character_is_refused_on_the_api() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        con = f"/v1/connections/{here.connection.id}"
        json_type = {"Content-Type": "application/json"}
        guards = await client.patch(f"{con}/guards", content=b'{"privacy": {"exempt": ["\\ud800"]}}', headers=json_type)
        checked = await client.post(f"{con}/catalog/check", content=b'[{"event": "\\uD800"}]', headers=json_type)
    assert (guards.status_code, checked.status_code) == (422, 422)
    assert guards.json()["code"] == "invalid"
