"""Pub/Sub's topics and push subscriptions on Google's emulator, made for one local server.

A subscription left by an earlier server keeps its messages and is pointed to the new address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from hedgerow import messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hedgerow.settings import Settings

PUT_OR_THERE = frozenset({200, 409})


async def subscribe(emulator: str, settings: Settings, endpoints: Mapping[str, str]) -> None:
    """Make every topic of ours, and a push subscription for each entry of `endpoints` (topic -> URL).

    Raises `httpx.HTTPError` when the emulator does not answer as one.
    """
    async with httpx.AsyncClient(base_url=f"http://{emulator}/v1/", trust_env=False, timeout=30) as client:
        project = f"projects/{settings.project}"
        for kind in messages.Message.__subclasses__():
            await _put(client, f"{project}/topics/{settings.topic_prefix}{kind.topic}", {})
        for topic, url in endpoints.items():
            name = f"{settings.topic_prefix}{topic}"
            push = {"pushConfig": {"pushEndpoint": url}}
            subscription = {"topic": f"{project}/topics/{name}", "ackDeadlineSeconds": 600, **push}
            if not await _put(client, f"{project}/subscriptions/{name}", subscription):
                moved = await client.post(f"{project}/subscriptions/{name}:modifyPushConfig", json=push)
                moved.raise_for_status()


async def _put(client: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> bool:
    """True when it was made, False when it was there."""
    answer = await client.put(path, json=dict(body))
    if answer.status_code not in PUT_OR_THERE:
        answer.raise_for_status()
    return answer.status_code == 200
