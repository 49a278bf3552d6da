"""Tenants and keys, and everything the family refuses: roles, other tenants' ids, bad input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.connect.main import connect
from hedgerow import tiers
from hedgerow.models import ApiKey, Connection, Tenant
from hedgerow.ports import Swap
from tests.functions.connect.room import US, Room
from tests.stage import ADMIN_KEY

if TYPE_CHECKING:
    import httpx

    from hedgerow.models import Role


async def made(operator: httpx.AsyncClient, tier: str = "pro") -> dict[str, Any]:
    answer = await operator.post("/v1/tenants", json={"name": "Acme", "tier": tier})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_tenant_comes_with_a_key_that_works_and_is_kept_hashed(room: Room) -> None:
    async with room.operator() as operator:
        tenant = await made(operator)
        assert (tenant["name"], tenant["tier"], tenant["activity_tracking"]) == ("Acme", "pro", True)
        assert (await operator.get(f"/v1/tenants/{tenant['id']}")).json() == {
            name: value for name, value in tenant.items() if name != "api_key"
        }
        listed = (await operator.get(f"/v1/tenants/{tenant['id']}/keys")).json()["items"]
    assert [(one["label"], one["role"], one["last_used_at"]) for one in listed] == [("first key", "write", None)]
    kept = await room.stage.store.get(ApiKey, listed[0]["id"])
    assert kept is not None
    assert tenant["api_key"].rsplit("_", 1)[-1] not in kept.model_dump_json()
    async with room.stage.calling(connect, tenant["api_key"]) as client:
        assert (await client.get("/v1/connections")).json() == {"first": None, "items": [], "next_cursor": None}


async def test_a_key_is_seen_in_use_and_gone_when_revoked(room: Room) -> None:
    async with room.operator() as operator:
        tenant = await made(operator)
        key = (await operator.post(f"/v1/tenants/{tenant['id']}/keys", json={"label": "charts", "role": "read"})).json()
        other = await made(operator)
        async with room.stage.calling(connect, key["api_key"]) as client:
            assert (await client.get("/v1/connections")).status_code == 200
            listed = (await operator.get(f"/v1/tenants/{tenant['id']}/keys")).json()["items"]
            assert next(one for one in listed if one["id"] == key["id"])["last_used_at"] is not None
            assert (await operator.delete(f"/v1/tenants/{other['id']}/keys/{key['id']}")).status_code == 404
            assert (await client.get("/v1/connections")).status_code == 200
            assert (await operator.delete(f"/v1/tenants/{tenant['id']}/keys/{key['id']}")).status_code == 204
            assert (await operator.delete(f"/v1/tenants/{tenant['id']}/keys/{key['id']}")).status_code == 404
            revoked = await client.get("/v1/connections")
    assert (revoked.status_code, revoked.json()["code"]) == (401, "key_unknown")


async def test_a_tier_and_the_switch_take_effect_on_every_connection_at_once(room: Room) -> None:
    second = room.us.add_project("Other")
    async with room.operator() as operator, room.tenant("starter") as (tenant, client):
        ids = [
            (await client.post("/v1/connections", json=room.keys(project_id=project))).json()["id"]
            for project in (room.us.project_id, second.id)
        ]
        for change, is_due in (
            ({"tier": "scale"}, True),
            ({"activity_tracking": False}, False),
            ({"activity_tracking": True}, True),
            ({"tier": "basic"}, False),
        ):
            answer = await operator.patch(f"/v1/tenants/{tenant.id}", json=change)
            assert answer.status_code == 200
            assert answer.json() | change == answer.json()
            for id in ids:
                stored = await room.stage.store.get(Connection, id)
                assert stored is not None
                assert stored.tier == answer.json()["tier"]
                assert stored.activity_tracking == answer.json()["activity_tracking"]
                assert stored.due_at == tiers.next_due(stored, tiers.load(), room.stage.clock())
                assert (stored.due_at is not None) is is_due
        assert (await client.get(f"/v1/connections/{ids[0]}")).json()["diagnosis"]["code"] == "first_sync_pending"
        await operator.patch(f"/v1/tenants/{tenant.id}", json={"activity_tracking": False})
        seen = (await client.get("/v1/connections")).json()["items"]
    assert [one["diagnosis"]["code"] for one in seen] == ["activity_tracking_off"] * 2


async def test_a_tenant_that_is_being_deleted_gets_nothing_new(room: Room) -> None:
    tenant = await room.stage.tenant()
    key = await room.stage.key(tenant)
    current = await room.stage.store.get(Tenant, tenant.id)
    assert current is not None
    await room.stage.store.commit(Swap(current.model_copy(update={"closing_since": room.stage.clock()})))
    async with room.operator() as operator:
        for call in (
            operator.patch(f"/v1/tenants/{tenant.id}", json={"tier": "scale"}),
            operator.post(f"/v1/tenants/{tenant.id}/keys", json={"label": "late", "role": "write"}),
        ):
            assert (await call).json()["code"] == "tenant_closing"
    async with room.stage.calling(connect, key) as client:
        assert (await client.post("/v1/connections", json=room.keys())).status_code == 404


async def test_lists_go_page_by_page(room: Room) -> None:
    async with room.operator() as operator:
        for _ in range(5):
            await made(operator)
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = (
                await operator.get("/v1/tenants", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            ).json()
            assert len(page["items"]) <= 2
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 5
        for bad in ({"limit": 0}, {"limit": 1001}, {"limit": "ten"}, {"cursor": "broken"}):
            assert (await operator.get("/v1/tenants", params=bad)).status_code == 422


ADMIN_CALLS = [
    ("POST", "/v1/tenants", {"name": "Acme", "tier": "pro"}),
    ("GET", "/v1/tenants", None),
    ("GET", "/v1/tenants/{tenant}", None),
    ("PATCH", "/v1/tenants/{tenant}", {"tier": "pro"}),
    ("GET", "/v1/tenants/{tenant}/keys", None),
    ("POST", "/v1/tenants/{tenant}/keys", {"label": "x", "role": "read"}),
    ("DELETE", "/v1/tenants/{tenant}/keys/key_x", None),
]
CONNECTION_CALLS = [
    ("GET", "/v1/connections/{connection}", None),
    ("PATCH", "/v1/connections/{connection}", {"name": "Mine now"}),
    ("POST", "/v1/connections/{connection}/pause", None),
    ("POST", "/v1/connections/{connection}/resume", None),
]
TENANT_CALLS = [
    ("GET", "/v1/connections", None),
    ("POST", "/v1/connections", {"host": US, "project_token": "phc_0123456789abcdef"}),
    ("POST", "/v1/connections/test", {"host": US, "project_token": "phc_0123456789abcdef"}),
    *CONNECTION_CALLS,
]


@pytest.mark.parametrize(("method", "path", "body"), CONNECTION_CALLS)
async def test_another_tenants_connection_and_none_get_the_same_answer(
    room: Room, method: str, path: str, body: object
) -> None:
    async with room.tenant() as (_, owner), room.tenant() as (_, stranger):
        id = (await owner.post("/v1/connections", json=room.keys())).json()["id"]
        theirs = await stranger.request(method, path.format(connection=id), json=body)
        none = await stranger.request(method, path.format(connection="con_" + "0" * 24), json=body)
        odd = await stranger.request(method, path.format(connection="con_%00%2e%2e"), json=body)
        kept = (await owner.get(f"/v1/connections/{id}")).json()
    assert theirs.status_code == none.status_code == odd.status_code == 404
    assert theirs.content == none.content == odd.content
    assert (kept["name"], kept["state"]) == ("Local project", "connected")


@pytest.mark.parametrize(("method", "path", "body"), [*ADMIN_CALLS, *TENANT_CALLS])
async def test_every_call_needs_a_key_and_the_role_for_it(room: Room, method: str, path: str, body: object) -> None:
    tenant = await room.stage.tenant()
    url = path.format(tenant=tenant.id, connection="con_" + "0" * 24)
    is_admins = (method, path, body) in ADMIN_CALLS
    for key in (None, "nonsense", "hdg_" + "0" * 24 + "_" + "x" * 43):
        async with room.stage.calling(connect, key) as client:
            answer = await client.request(method, url, json=body)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    roles: list[Role] = ["read", "write", "capture"]
    for role in roles:
        async with room.stage.calling(connect, await room.stage.key(tenant, role)) as client:
            answer = await client.request(method, url, json=body)
        may = not is_admins and (role == "write" or (role == "read" and method == "GET"))
        assert (answer.status_code == 403) is not may, (role, answer.text)
    async with room.stage.calling(connect, ADMIN_KEY) as client:
        answer = await client.request(method, url, json=body)
    assert (answer.status_code == 403) is not is_admins


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/connections/test", {"project_token": "phc_0123456789abcdef"}),
        ("/v1/connections/test", {"host": US}),
        ("/v1/connections/test", {"host": 5, "project_token": "phc_0123456789abcdef"}),
        ("/v1/connections/test", {"host": "", "project_token": "phc_0123456789abcdef"}),
        ("/v1/connections/test", {"host": "ftp://x", "project_token": "phc_0123456789abcdef"}),
        ("/v1/connections/test", {"host": "https://me:secret@x", "project_token": "phc_0123456789abcdef"}),
        ("/v1/connections/test", {"host": US, "project_token": ""}),
        ("/v1/connections/test", {"host": US, "project_token": 5}),
        ("/v1/connections/test", {"host": "https://\ud800.com", "project_token": "phc_0123456789abcdef"}),
        ("/v1/connections", {"host": US, "project_token": "phc_0123456789abcdef", "name": "\ud800"}),
        ("/v1/connections/test", {"host": US, "project_token": "phc_0123456789abcdef", "project_id": "12a"}),
        ("/v1/connections/test", {"host": US, "project_token": "phc_0123456789abcdef", "project_id": -1}),
        ("/v1/connections/test", {"host": US, "project_token": "phc_0123456789abcdef", "project_id": True}),
        ("/v1/connections/test", {"host": US, "project_token": "phc_0123456789abcdef", "project_id": 1.5}),
        ("/v1/connections/test", {"host": US, "project_token": "phc_0123456789abcdef", "apikey": "x"}),
        ("/v1/connections", {"host": US, "project_token": "phc_0123456789abcdef", "name": "a\nb"}),
        ("/v1/connections", {"host": US, "project_token": "phc_0123456789abcdef", "name": "x" * 201}),
        ("/v1/connections", {"host": US, "project_token": "phc_0123456789abcdef", "name": "  "}),
        ("/v1/connections", []),
        ("/v1/connections", "text"),
    ],
)
async def test_wrong_fields_are_422_and_no_key_comes_back(room: Room, path: str, body: object) -> None:
    async with room.tenant() as (_, client):
        answer = await client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"code", "detail", "hint"}
    assert "phc_0123456789abcdef" not in answer.text
    assert "secret" not in answer.text
    assert room.posthogs.asked("us") == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "", "tier": "pro"}, 422),
        ({"name": "Acme", "tier": "gold"}, 422),
        ({"name": "Acme"}, 422),
        ({"name": "Acme", "tier": "pro", "role": "admin"}, 422),
        ({"name": "a\u2028b", "tier": "pro"}, 422),
    ],
)
async def test_wrong_tenants_are_refused(room: Room, body: object, status: int) -> None:
    async with room.operator() as operator:
        assert (await operator.post("/v1/tenants", json=body)).status_code == status
        tenant = await made(operator)
        for change in ({"tier": None}, {"activity_tracking": "off"}, {"name": "New"}, {"activity_tracking": 0}):
            assert (await operator.patch(f"/v1/tenants/{tenant['id']}", json=change)).status_code == 422
        for key in ({"label": "x"}, {"label": "x", "role": "admin"}, {"label": "\x07", "role": "read"}):
            assert (await operator.post(f"/v1/tenants/{tenant['id']}/keys", json=key)).status_code == 422
        for path in ("/v1/tenants/ten_none", "/v1/tenants/ten_none/keys"):
            assert (await operator.get(path)).status_code == 404
        assert (await operator.patch("/v1/tenants/ten_none", json={"tier": "pro"})).status_code == 404


async def test_what_is_no_json_is_400_and_what_is_too_large_413(room: Room) -> None:
    async with room.tenant() as (_, client):
        headers = {"content-type": "application/json"}
        for broken in (b"{", b'{"host": NaN', b"\xff\xfe", b'{"a":' * 50_000):
            answer = await client.post("/v1/connections", content=broken, headers=headers)
            assert answer.status_code == 400, answer.text
            assert answer.json()["code"] == "malformed"
        large = b'{"host": "' + b"x" * 1_048_576 + b'"}'
        assert (await client.post("/v1/connections", content=large, headers=headers)).status_code == 413


async def test_a_call_that_is_none_is_a_problem_too(room: Room) -> None:
    async with room.tenant() as (_, client):
        assert (await client.put("/v1/connections")).status_code == 405
        answer = await client.get("/v1/connectionz")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_list_of_connections_says_first_that_nobody_would_be_told(room: Room) -> None:
    async with room.tenant() as (tenant, client):
        await room.stage.connection(tenant)
        first = (await client.get("/v1/connections")).json()["first"]
        assert first["code"] == "nobody_told"
        assert "channels add" in first["hint"]
        await room.stage.store.commit(Swap(tenant.model_copy(update={"default_channel_id": "chn_1"})))
        assert (await client.get("/v1/connections")).json()["first"] is None
