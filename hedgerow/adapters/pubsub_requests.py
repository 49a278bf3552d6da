"""What one request of Pub/Sub's takes: messages of a topic, encoded, in as few chunks as its limits allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hedgerow import traces
from hedgerow.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hedgerow.messages import Message

REQUEST_MESSAGES = 1000
REQUEST_BYTES = 9_000_000
"""Pub/Sub takes 1,000 messages and 10 MB in one request; the rest of the 10 is for framing."""


def chunks(messages: list[Message]) -> Iterator[list[Any]]:
    """The messages encoded, a request's worth at a time; `TooLargeError` for one that no request takes."""
    from google.pubsub_v1.types import PubsubMessage

    chunk: list[Any] = []
    size = 0
    travelling = traces.attributes()
    for message in messages:
        attributes = {"key": message.key, **travelling}
        encoded = PubsubMessage.pb()(data=message.model_dump_json().encode(), attributes=attributes)
        bytes_more = encoded.ByteSize() + 8
        if bytes_more > REQUEST_BYTES:
            raise TooLargeError(f"Pub/Sub carries 10 MB in a message; {message.topic} {message.key} is larger.")
        if chunk and (len(chunk) == REQUEST_MESSAGES or size + bytes_more > REQUEST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(encoded)
        size += bytes_more
    if chunk:
        yield chunk
