"""The channels API: where people are told, tried with a test, and the tenant's default one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from functions.alerts.channels import channels
from functions.alerts.channels.channels import ChannelChange, ChannelWanted
from functions.alerts.channels.comparing import AddressGiven, Compared, is_same
from functions.alerts.channels.trying import Tried, try_it
from functions.alerts.records import ALL, Channel
from hedgerow.app import App
from hedgerow.channels.notice import ChannelKind
from hedgerow.entrypoint import app_of, needs
from hedgerow.errors import MissingError
from hedgerow.keys import Caller
from hedgerow.models import Role, Trouble


def needs_or_admin(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: a tenant's key whose role covers `role`, or the operator's."""

    async def dependency(request: Request) -> Caller:
        caller: Caller = request.scope["hedgerow.caller"]
        return caller if caller.role == "admin" else await needs(role)(request)

    return dependency


MINE = "mine"
router = APIRouter()
Current = Annotated[App, Depends(app_of)]
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
ReaderOrAdmin = Annotated[Caller, Depends(needs_or_admin("read"))]
WriterOrAdmin = Annotated[Caller, Depends(needs_or_admin("write"))]


class ChannelView(BaseModel):
    """A channel. Of its address only the host is ever shown."""

    id: str
    name: str
    kind: ChannelKind
    shown: str
    slack_channel: str | None
    weekly_budget: int | None
    enabled: bool
    disabled_at: datetime | None
    trouble: Trouble | None = Field(description="Why it was switched off.")
    created_at: datetime


class ChannelKept(ChannelView):
    """A channel just made or changed. `secret` signs a webhook and is shown this once."""

    secret: str | None = None


class ChannelPage(BaseModel):
    """Channels, by name."""

    items: list[ChannelView]
    next_cursor: str | None


class DefaultWanted(BaseModel):
    """A channel's id or name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = Field(min_length=1, max_length=80)


class DefaultView(BaseModel):
    """Where a tenant's rules tell that name no channel; null: nowhere."""

    channel: ChannelView | None


def channel_view(channel: Channel) -> ChannelView:
    """What the API shows of a channel."""
    shown = set(ChannelView.model_fields) & set(Channel.model_fields)
    return ChannelView(enabled=channel.disabled_at is None, **{name: getattr(channel, name) for name in shown})


@router.post("/v1/channels", status_code=201)
async def create_channel(wanted: ChannelWanted, caller: Writer, app: Current) -> ChannelKept:
    """A place to tell people: an incoming webhook's address, or a Slack bot's token and channel."""
    channel, secret = await channels.create(app, caller.tenant_id, wanted)
    return ChannelKept(
        **channel_view(channel).model_dump(), secret=secret.get_secret_value() if secret is not None else None
    )


@router.get("/v1/channels")
async def list_channels(
    caller: Reader, app: Current, limit: Annotated[int, Query(ge=1, le=1000)] = 100, cursor: str | None = None
) -> ChannelPage:
    """The tenant's channels."""
    page = await channels.listed(app, caller.tenant_id, limit, cursor)
    return ChannelPage(items=[channel_view(one) for one in page.items], next_cursor=page.next_cursor)


@router.get("/v1/channels/{channel_id}")
async def get_channel(channel_id: str, caller: Reader, app: Current) -> ChannelView:
    """One channel."""
    return channel_view(await channels.channel_of(app, caller.tenant_id, channel_id))


@router.patch("/v1/channels/{channel_id}")
async def change_channel(channel_id: str, wanted: ChannelChange, caller: Writer, app: Current) -> ChannelKept:
    """Another name, address or budget; on or off; a new signing secret."""
    channel = await channels.channel_of(app, caller.tenant_id, channel_id)
    channel, secret = await channels.change(app, channel, wanted)
    return ChannelKept(
        **channel_view(channel).model_dump(), secret=secret.get_secret_value() if secret is not None else None
    )


@router.delete("/v1/channels/{channel_id}", status_code=204)
async def remove_channel(channel_id: str, caller: Writer, app: Current) -> Response:
    """Remove it and its secret."""
    await channels.remove(app, await channels.channel_of(app, caller.tenant_id, channel_id))
    return Response(status_code=204)


@router.post("/v1/channels/{channel_id}/test")
async def test_channel(channel_id: str, caller: Writer, app: Current) -> Tried:
    """Send a test message now; what the service said, within 15 s."""
    return await try_it(app, await channels.channel_of(app, caller.tenant_id, channel_id))


@router.post("/v1/channels/{channel_id}/same")
async def compare_channel(channel_id: str, given: AddressGiven, caller: Writer, app: Current) -> Compared:
    """Whether it has this address or token already, so that a file that names the secret can be held to it."""
    channel = await channels.channel_of(app, caller.tenant_id, channel_id)
    return Compared(same=await is_same(app, channel, given))


@router.get("/v1/tenants/{tenant_id}/default-channel")
async def get_default_channel(tenant_id: str, caller: ReaderOrAdmin, app: Current) -> DefaultView:
    """Where rules without channels tell."""
    channel = await channels.default_of(app, _own(caller, tenant_id))
    return DefaultView(channel=channel_view(channel) if channel is not None else None)


@router.put("/v1/tenants/{tenant_id}/default-channel")
async def set_default_channel(
    tenant_id: str, wanted: DefaultWanted, caller: WriterOrAdmin, app: Current
) -> DefaultView:
    """Make a channel of the tenant its default."""
    channel = await channels.set_default(app, _own(caller, tenant_id), wanted.channel)
    return DefaultView(channel=channel_view(channel) if channel is not None else None)


@router.delete("/v1/tenants/{tenant_id}/default-channel", status_code=204)
async def remove_default_channel(tenant_id: str, caller: WriterOrAdmin, app: Current) -> Response:
    """Have none: rules without channels then tell nobody."""
    await channels.set_default(app, _own(caller, tenant_id), None)
    return Response(status_code=204)


def whose(caller: Caller) -> str:
    """The tenant whose things a caller sees; `all` for the operator."""
    return ALL if caller.role == "admin" else caller.tenant_id


def _own(caller: Caller, tenant_id: str) -> str:
    """A tenant may say `mine` for its own id. Another tenant is answered as none is."""
    if caller.role != "admin" and tenant_id == MINE:
        return caller.tenant_id
    if caller.role != "admin" and caller.tenant_id != tenant_id:
        raise MissingError("There is no such tenant.", hint="Check the id; `GET /v1/tenants` lists them.")
    return tenant_id
