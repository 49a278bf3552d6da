"""What a push brings: the message, what travels with it, and, of a dead letter, where it died.

Owns how Pub/Sub's envelope is read, and the attributes it gives a message that it gives up.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

DEAD_TOPIC = "dead"
"""Where every subscription sends what it gives up; `bury_message` keeps each as a record."""
MOST_ATTEMPTS = 10
"""Failed deliveries before a subscription gives a message up: the same in Terraform, here and on the emulator."""

_SOURCE = "CloudPubSubDeadLetterSource"
SUBSCRIPTION, PROJECT = f"{_SOURCE}Subscription", f"{_SOURCE}SubscriptionProject"
DELIVERIES, PUBLISHED = f"{_SOURCE}DeliveryCount", f"{_SOURCE}TopicPublishTime"


@dataclass(frozen=True, slots=True)
class Push:
    """One message as it was pushed. Instants are texts in RFC 3339, empty where none came."""

    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_id: str = ""
    published_at: str = ""
    subscription: str = ""


def unwrap(body: bytes) -> Push:
    """The push of an envelope; `ValueError` when it is none, or holds half of a character, which no store can keep."""
    try:
        # As bytes, the parser would take another encoding, or half of a character, for text.
        envelope = json.loads(body.decode())
        if b"\\ud" in body.lower():
            json.dumps(envelope, ensure_ascii=False).encode()
        message = envelope["message"]
        return Push(
            data=base64.b64decode(message.get("data", ""), validate=True),
            attributes={str(name): str(value) for name, value in (message.get("attributes") or {}).items()},
            message_id=str(message.get("messageId", "")),
            published_at=str(message.get("publishTime", "")),
            subscription=str(envelope.get("subscription", "")),
        )
    except (KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise ValueError("not a push envelope") from error


def dead_letter_attributes(subscription: str, deliveries: int, published_at: str) -> dict[str, str]:
    """What Pub/Sub adds to a message it gives up; `subscription` is a name, or a path that ends in one."""
    project, _, name = subscription.rpartition("/subscriptions/")
    return {
        SUBSCRIPTION: name,
        PROJECT: project.removeprefix("projects/"),
        DELIVERIES: str(deliveries),
        PUBLISHED: published_at,
    }
