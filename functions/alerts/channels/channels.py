"""Channels made, listed, changed and removed, and which one a tenant's rules use when they name none.

Names are unique in a tenant: whoever makes or renames one swaps the tenant along.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from functions.alerts.channels import keeping, places
from functions.alerts.records import Channel
from hedgerow.app import App
from hedgerow.channels import recognising
from hedgerow.channels.notice import ChannelKind
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import ConflictError, InvalidError, MissingError, StateConflictError
from hedgerow.foreign import Shown
from hedgerow.models import Tenant
from hedgerow.ports import Change, Page, Swap, Where
from hedgerow.records import new_id

MOST_CHANNELS = 50
_TRIES = 5


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ChannelWanted(_Form):
    """A channel to be made: an address, or a Slack bot's token with its channel. `secret` signs a webhook; else one is made."""

    name: Shown = Field(min_length=1, max_length=80)
    kind: ChannelKind | None = Field(default=None, description="Left out: by the address.")
    url: SecretStr | None = Field(default=None, max_length=2_000)
    token: SecretStr | None = Field(default=None, max_length=200)
    slack_channel: Shown | None = Field(default=None, min_length=1, max_length=100)
    secret: SecretStr | None = Field(default=None, max_length=200)
    weekly_budget: int | None = Field(default=None, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.url is None) == (self.token is None):
            raise ValueError("needs `url`, or a Slack bot's `token` and `slack_channel`, and not both")
        if (self.token is None) != (self.slack_channel is None):
            raise ValueError("needs `token` and `slack_channel` together")
        if self.token is not None and self.kind not in (None, "slack"):
            raise ValueError("has a `token`, which only Slack takes")
        return self


class ChannelChange(_Form):
    """What is to change; a new address, or `enabled`, switches it on. `weekly_budget` null: no budget."""

    name: Shown | None = Field(default=None, min_length=1, max_length=80)
    kind: ChannelKind | None = None
    url: SecretStr | None = Field(default=None, max_length=2_000)
    token: SecretStr | None = Field(default=None, max_length=200)
    slack_channel: Shown | None = Field(default=None, min_length=1, max_length=100)
    weekly_budget: int | None = Field(default=None, ge=1, le=10_000)
    enabled: bool | None = None
    rotate_secret: bool = Field(default=False, description="A new signing secret; the old one signs too for a day.")


async def channel_of(app: App, tenant_id: str, id: str) -> Channel:
    """The tenant's own channel; `MissingError` for anybody else's and for none."""
    channel = await app.store.get(Channel, id)
    if channel is None or channel.tenant_id != tenant_id:
        raise MissingError("There is no such channel.", hint="Check the id; GET /v1/channels lists yours.")
    return channel


async def listed(app: App, tenant_id: str, limit: int, cursor: str | None) -> Page[Channel]:
    """A page of the tenant's channels, by name."""
    return await app.store.find(Channel, Where("tenant_id", "==", tenant_id), limit=limit, cursor=cursor)


async def create(app: App, tenant_id: str, wanted: ChannelWanted) -> tuple[Channel, SecretStr | None]:
    """A channel; with the signing secret, to be shown once, where one was made for it."""
    made = None
    if wanted.url is not None:
        kind = wanted.kind or recognising.kind_of(wanted.url.get_secret_value())
        if kind != "webhook" and wanted.secret is not None:
            raise InvalidError("`secret` signs webhooks only.", members={"field": "secret"})
        if kind == "webhook" and wanted.secret is None:
            made = keeping.new_signing_secret()
        secret = wanted.secret or made
        settings = places.at_address(kind, wanted.url, *(() if secret is None else (secret,)))
    else:
        settings = SlackSettings(token=wanted.token, slack_channel=wanted.slack_channel or "")
    keeping.checked(app, settings)
    id = new_id("chn")

    async def make(reference: str) -> Channel:
        await _is_free(app, tenant_id, wanted.name)
        return Channel(
            id=id,
            tenant_id=tenant_id,
            name=wanted.name,
            kind=settings.kind,
            secret_ref=reference,
            shown=recognising.shown(settings),
            slack_channel=wanted.slack_channel,
            weekly_budget=wanted.weekly_budget,
            created_at=app.now(),
        )

    return await keeping.keep_new(app, tenant_id, id, settings, make), made


async def change(app: App, channel: Channel, wanted: ChannelChange) -> tuple[Channel, SecretStr | None]:
    """The channel as changed; with a new signing secret, to be shown once, where it was rotated."""
    given, secret = wanted.model_fields_set, None
    settings = await _settings(app, channel, wanted)
    if wanted.name is not None and wanted.name != channel.name:
        channel = await _rename(app, channel, wanted.name)
    fields: dict[str, object] = {}
    if "weekly_budget" in given:
        fields["weekly_budget"] = wanted.weekly_budget
    if settings is not None:
        slack_channel = settings.slack_channel or None if isinstance(settings, SlackSettings) else None
        fields |= {"kind": settings.kind, "shown": recognising.shown(settings), "slack_channel": slack_channel}
    if settings is not None or wanted.enabled:
        fields |= {"disabled_at": None, "trouble": None}
    if wanted.enabled is False:
        fields |= {"disabled_at": channel.disabled_at or app.now(), "trouble": channel.trouble or keeping.SWITCHED_OFF}
    if settings is not None:
        channel = await keeping.rekey(app, channel, settings, fields)
    elif fields:
        channel = await keeping.swap(app, channel, fields)
    if wanted.rotate_secret:
        channel, secret = await keeping.rotate(app, channel)
    return channel, secret


async def remove(app: App, channel: Channel) -> None:
    """Remove it with its secret. Rules that name it tell the tenant's default channel from then on."""
    for _ in range(_TRIES):
        tenant = await app.store.get(Tenant, channel.tenant_id)
        is_default = tenant is not None and tenant.default_channel_id == channel.id
        further: list[Change] = []
        if tenant is not None and is_default:
            further = [Swap(tenant.model_copy(update={"default_channel_id": None}))]
        try:
            await keeping.remove(app, channel, *further)
        except ConflictError:
            continue
        return
    raise keeping.busy()


async def tenant_of(app: App, tenant_id: str) -> Tenant:
    """The tenant, open; `MissingError`."""
    tenant = await app.store.get(Tenant, tenant_id)
    if tenant is None or tenant.closing_since is not None:
        raise MissingError("There is no such tenant.", hint="Check the id; `GET /v1/tenants` lists them.")
    return tenant


async def set_default(app: App, tenant_id: str, wanted: str | None) -> Channel | None:
    """Make a channel, by id or name, the one that rules without channels tell; None: no default."""
    for _ in range(_TRIES):
        tenant = await tenant_of(app, tenant_id)
        channel = await _named(app, tenant_id, wanted) if wanted is not None else None
        id = channel.id if channel is not None else None
        if tenant.default_channel_id == id:
            return channel
        # The channel is swapped along: one that is removed at this moment must not become the default.
        guard: list[Change] = [Swap(channel)] if channel is not None else []
        try:
            await app.store.commit(Swap(tenant.model_copy(update={"default_channel_id": id})), *guard)
        except ConflictError:
            continue
        return channel
    raise keeping.busy()


async def default_of(app: App, tenant_id: str) -> Channel | None:
    """The tenant's default channel."""
    tenant = await tenant_of(app, tenant_id)
    if tenant.default_channel_id is None:
        return None
    return await app.store.get(Channel, tenant.default_channel_id)


async def _named(app: App, tenant_id: str, wanted: str) -> Channel:
    if wanted.startswith("chn_"):
        return await channel_of(app, tenant_id, wanted)
    page = await app.store.find(Channel, Where("tenant_id", "==", tenant_id), Where("name", "==", wanted), limit=1)
    if not page.items:
        raise MissingError("There is no such channel.", hint="Check the name; GET /v1/channels lists yours.")
    return page.items[0]


async def _rename(app: App, channel: Channel, name: str) -> Channel:
    for _ in range(_TRIES):
        guard = await keeping.guards(app, channel.tenant_id)
        current = await channel_of(app, channel.tenant_id, channel.id)
        await _is_free(app, channel.tenant_id, name, room=False)
        renamed = current.model_copy(update={"name": name})
        try:
            return (await app.store.commit(*guard, Swap(renamed))).of(renamed)
        except ConflictError:
            continue
    raise keeping.busy()


async def _is_free(app: App, tenant_id: str, name: str, *, room: bool = True) -> None:
    """Refuse a name that is taken, and a channel too many."""
    page = await app.store.find(Channel, Where("tenant_id", "==", tenant_id), limit=MOST_CHANNELS)
    if any(one.name == name for one in page.items):
        raise StateConflictError(
            "A channel of this name exists.",
            code="channel_exists",
            hint="Choose another name, or change that one: `hedgerow channels change`, or PATCH /v1/channels/{id}.",
        )
    if room and len(page.items) >= MOST_CHANNELS:
        hint = "Remove one with DELETE /v1/channels/{id}."
        raise StateConflictError(f"There are {MOST_CHANNELS} channels.", code="too_many_channels", hint=hint)


async def _settings(app: App, channel: Channel, wanted: ChannelChange) -> ChannelSettings | None:
    """The settings with what was given; None when nothing about them changes."""
    if wanted.url is not None and (wanted.token is not None or wanted.slack_channel is not None):
        raise InvalidError("Give `url`, or `token` and `slack_channel`, not both.", members={"field": "url"})
    if wanted.url is not None:
        known = recognising.kind_of(wanted.url.get_secret_value())
        # An address that names no service is the channel's own kind behind a proxy, rather than another kind.
        kind = wanted.kind or (channel.kind if known == "webhook" else known)
        return keeping.checked(app, places.at_address(kind, wanted.url, *await _secrets(app, channel, kind)))
    if wanted.kind not in (None, channel.kind if wanted.token is None else "slack"):
        hint = "Give the new service's `url` with it, or make a new channel."
        raise InvalidError(
            "`kind` says another service than the address does, and changes nothing by itself.",
            hint=hint,
            members={"field": "kind"},
        )
    if wanted.token is None and wanted.slack_channel is None:
        return None
    old = None if wanted.token is not None else (await places.opened(app, channel)).settings
    token = wanted.token or (old.token if isinstance(old, SlackSettings) else None)
    slack_channel = wanted.slack_channel or channel.slack_channel
    if token is None or not slack_channel:
        raise InvalidError("`token` and `slack_channel` belong together.", members={"field": "token"})
    return keeping.checked(app, SlackSettings(token=token, slack_channel=slack_channel))


async def _secrets(app: App, channel: Channel, kind: ChannelKind) -> tuple[SecretStr, ...]:
    """What signs a webhook goes on signing it at another address."""
    if kind != "webhook":
        return ()
    if channel.kind != "webhook":
        hint = "Make a new channel for the webhook: its signing secret is shown then."
        raise InvalidError("A chat's channel cannot become a webhook.", hint=hint, members={"field": "url"})
    old = (await places.opened(app, channel)).settings
    return old.secrets if isinstance(old, WebhookSettings) else ()
