"""The metric catalogue as the API shows it. Pure."""

from __future__ import annotations

from pydantic import BaseModel, Field

from hedgerow.catalogue import METRICS, Unit, definition


class CatalogEntry(BaseModel):
    """One metric; a name with `<…>` is the pattern of many series."""

    name: str
    description: str
    unit: Unit
    definition: str = Field(description="What exactly is counted, with the settings that are part of it.")


class CatalogPage(BaseModel):
    """The whole catalogue; it fits one page."""

    items: list[CatalogEntry]
    next_cursor: None = None


def catalog(new_users_days: int) -> CatalogPage:
    """Every metric, in the catalogue's order; measures are alert rules' own, and shown with them."""
    return CatalogPage(
        items=[
            CatalogEntry(
                name=metric.name,
                description=metric.description,
                unit=metric.unit,
                definition=definition(metric, new_users_days),
            )
            for metric in METRICS
            if metric.family != "measure"
        ]
    )
