"""PostHog's last good answers at rest: public configuration and flag definitions, so that they outlive a restart during an outage.

Definitions hold a project's targeting rules: their question contains the hash of the key that
asked, so that nobody else's question finds them.
"""

from __future__ import annotations

from pydantic import Field

from hedgerow.records import Index, Instant, Record, derived_id

MOST_BODY_BYTES = 700_000


class LastAnswer(Record):
    """The last good answer to one question. Its id is `answer_id(question)`."""

    collection = "last_answers"
    indexes = (Index("kept_at"), Index("connection_id"))

    connection_id: str = Field(default="", description="Whose project was asked; empty where that was not told.")
    question: str = Field(description="SHA-256 of everything that may change the answer, in hexadecimal digits.")
    kept_at: Instant = Field(description="When PostHog gave or confirmed it.")
    headers: dict[str, str] = Field(description="Those of the answer, without a content encoding.")
    vary: dict[str, str] = Field(default_factory=dict, description="Request headers the answer depends on.")
    body: bytes = Field(description="gzip of the body.")
    digest: str = Field(description="SHA-256 of the body: unchanged answers are not written again.")


def answer_id(question: str) -> str:
    """The id of the answer to a question."""
    return derived_id("ans", question)
