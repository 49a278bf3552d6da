"""Which record says whose a project token is."""

from __future__ import annotations

from hedgerow.records import derived_id


def claim_id(project_token: str) -> str:
    """The id of the `TokenClaim` of a project token."""
    return derived_id("tok", project_token)
