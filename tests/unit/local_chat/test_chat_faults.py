"""A bad hour on command, in each service's words; and what is kept stays bounded."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from local.chat import ChatServices
from local.chat.faults import Fault, FaultKind
from local.chat.keeping import MOST_MESSAGES, ServiceName

ADDRESSES: dict[ServiceName, tuple[str, dict[str, object]]] = {
    "slack": ("/inbox/services/slack/T1/B1/xyz", {"text": "x"}),
    "discord": ("/inbox/services/discord/api/webhooks/1/tok?wait=true", {"content": "x"}),
    "teams": (
        "/inbox/services/teams/workflows/f/triggers/manual/paths/invoke?sig=s",
        {"type": "message", "attachments": []},
    ),
    "google-chat": ("/inbox/services/google-chat/v1/spaces/S/messages?key=k&token=t", {"text": "x"}),
    "webhook": ("/inbox/services/webhook/shop", {"type": "x"}),
}
FAULTS: list[tuple[ServiceName, FaultKind, int, str]] = [
    ("slack", "429", 429, "rate_limited"),
    ("slack", "500", 500, "rollup_error"),
    ("slack", "410", 410, "channel_is_archived"),
    ("slack", "revoked", 403, "invalid_token"),
    ("discord", "429", 429, '"retry_after":7.0'),
    ("discord", "500", 500, "Internal Server Error"),
    ("discord", "410", 404, '"code":10015'),
    ("discord", "revoked", 401, '"code":50027'),
    ("teams", "429", 429, "RateLimited"),
    ("teams", "410", 404, "WorkflowNotFound"),
    ("teams", "revoked", 401, "DirectApiAuthorizationRequired"),
    ("google-chat", "429", 429, "RESOURCE_EXHAUSTED"),
    ("google-chat", "500", 500, "INTERNAL"),
    ("google-chat", "410", 404, "NOT_FOUND"),
    ("google-chat", "revoked", 401, "UNAUTHENTICATED"),
    ("webhook", "410", 410, "410"),
]


def client_of(services: ChatServices) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=services), base_url="http://chat.test")


@pytest.mark.parametrize(("service", "kind", "status", "words"), FAULTS)
async def test_a_fault_is_met_as_often_as_asked_and_in_the_services_words(
    service: ServiceName, kind: FaultKind, status: int, words: str
) -> None:
    services = ChatServices()
    address, body = ADDRESSES[service]
    async with client_of(services) as client:
        set_up = {"kind": kind, "times": 2, "seconds": 7}
        assert (await client.post(f"/inbox/services/{service}/faults", json=set_up)).status_code == 201
        for _ in range(2):
            answer = await client.post(address, json=body)
            assert answer.status_code == status
            assert words in answer.text
            assert answer.headers.get("retry-after") == ("7" if kind == "429" else None)
        assert services.kept.messages == []
        assert (await client.post(address, json=body)).is_success


@pytest.mark.parametrize(("kind", "error"), [("410", "is_archived"), ("revoked", "token_revoked")])
async def test_slacks_api_hides_its_faults_behind_200(kind: FaultKind, error: str) -> None:
    services = ChatServices()
    services.faults.set("slack", Fault(kind=kind, room="C1"))
    async with client_of(services) as client:
        for channel, expected in (("C2", None), ("C1", error), ("C1", None)):
            body = {"channel": channel, "text": "x"}
            headers = {"Authorization": "Bearer xoxb-1-1"}
            answer = await client.post("/inbox/services/slack/api/chat.postMessage", json=body, headers=headers)
            assert (answer.status_code, answer.json().get("error")) == (200, expected)


async def test_a_lost_answer_is_kept_all_the_same() -> None:
    services = ChatServices()
    services.faults.set("webhook", Fault(kind="lost"))
    async with client_of(services) as client:
        assert (await client.post(ADDRESSES["webhook"][0], json={"a": 1})).status_code == 502
    assert len(services.kept.messages) == 1


async def test_a_hanging_service_keeps_nothing() -> None:
    services = ChatServices()
    services.faults.set("webhook", Fault(kind="hang"))
    async with client_of(services) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.post(ADDRESSES["webhook"][0], json={"a": 1})
        assert services.kept.messages == []
        assert (await client.post(ADDRESSES["webhook"][0], json={"a": 1})).status_code == 204


async def test_faults_are_cleared_and_wrong_ones_refused() -> None:
    services = ChatServices()
    async with client_of(services) as client:
        await client.post("/inbox/services/webhook/faults", json={"kind": "500", "times": 99})
        await client.delete("/inbox/services/webhook/faults")
        assert (await client.post(ADDRESSES["webhook"][0], json={})).status_code == 204
        assert (await client.post("/inbox/services/webhook/faults", json={"kind": "rain"})).status_code == 422
        assert (await client.post("/inbox/services/fax/faults", json={"kind": "500"})).status_code == 404


async def test_what_is_kept_is_bounded_and_can_be_asked_for() -> None:
    services = ChatServices()
    async with client_of(services) as client:
        for number in range(MOST_MESSAGES + 5):
            await client.post(ADDRESSES["slack"][0], json={"text": str(number)})
        kept = (await client.get("/inbox/messages?service=slack&room=T1/B1")).json()["messages"]
        assert [kept[0]["body"]["text"], len(kept)] == ["5", MOST_MESSAGES]
        assert (await client.get("/inbox/messages?service=discord")).json() == {"messages": []}
        assert (await client.delete("/inbox/messages")).status_code == 204
        assert services.kept.messages == []
