"""What the family's answers say. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict, Field

from hedgerow import days, tiers
from hedgerow.app import App
from hedgerow.models import Connection, ConnectionState, PurgeReceipt
from hedgerow.records import Instant


class DisconnectAsked(BaseModel):
    """How to disconnect; an empty body keeps history as the tier says and lets traffic pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purge: bool = Field(default=False, strict=True, description="Remove everything that was stored, against a receipt.")
    refuse_traffic: bool = Field(
        default=False, strict=True, description="Do not pass on what the project's apps still send here."
    )


class Receipt(BaseModel):
    """What a purge removed, collection by collection, and what counting again found."""

    id: str
    complete: bool = Field(description="False while the purge is under way.")
    at: Instant
    removed: dict[str, int]
    remaining: dict[str, int] = Field(description="Counted again after the removal: every number is 0.")
    secret_destroyed: bool


class Disconnection(BaseModel):
    """How far a disconnection has come."""

    id: str
    state: ConnectionState
    purge: bool
    refuse_traffic: bool
    history_kept_until: date | None = Field(
        description="The last day on which the newest stored day can be read; null when the tier keeps history for good, or when it is purged."
    )
    traffic_last_hour: int = Field(
        description="Events that still came in for the project's token, kept or passed straight through. "
        "Counted by the hour of the clock: this hour so far and the whole hour before it."
    )
    receipt: Receipt | None


class TenantEnding(BaseModel):
    """How far the deletion of a tenant has come."""

    id: str
    state: str = Field(description="`closing` while connections are being purged, then `deleted`.")
    receipt: Receipt | None


def receipt_form(receipt: PurgeReceipt | None) -> Receipt | None:
    """A receipt as the API shows it."""
    return Receipt.model_validate(receipt.model_dump(), from_attributes=False) if receipt else None


def disconnection_form(
    app: App, id: str, connection: Connection | None, receipt: PurgeReceipt | None, traffic: int
) -> Disconnection:
    """A disconnection as the API shows it; without a connection it was purged."""
    return Disconnection(
        id=id,
        state=connection.state if connection else "disconnected",
        purge=connection.disconnect_purge if connection else True,
        refuse_traffic=connection.refuse_traffic if connection else True,
        history_kept_until=_kept_until(app, connection) if connection else None,
        traffic_last_hour=traffic,
        receipt=receipt_form(receipt),
    )


def _kept_until(app: App, connection: Connection) -> date | None:
    kept = tiers.load(app.settings.tiers_file)[connection.tier].kept_days
    if kept is None or connection.disconnect_purge or connection.state not in ("disconnecting", "disconnected"):
        return None
    return days.today(connection.state_since, connection.timezone) + timedelta(days=kept)
