"""A webhook of the user's own: the happening as JSON, signed by Standard Webhooks.

The id is the notice's key, so that a doubled one is known. Nothing is cut and nothing of
the answer is read but its status.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from hedgerow.channels import posting
from hedgerow.channels.fitting import Form
from hedgerow.channels.notice import Notice, Reference
from hedgerow.channels.wording import identity

if TYPE_CHECKING:
    from hedgerow.app import App

NAME = "The webhook"


class WebhookSettings(BaseModel):
    """`secrets` (`whsec_…`) each sign, so that one can replace another without a gap; none leaves it unsigned."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    kind: Literal["webhook"] = "webhook"
    url: SecretStr
    secrets: tuple[SecretStr, ...] = ()


def render(notice: Notice, earlier: Reference | None) -> Form:
    """`type`, `timestamp`, `data`: the body of the happening, or what a person would be told where it has none."""
    told = {
        "mood": notice.mood,
        "severity": notice.severity,
        "title": notice.title,
        "facts": [{"label": label, "value": value} for label, value in notice.facts],
        "links": [{"label": link.label, "url": link.url} for link in notice.links],
        "chart_url": notice.chart_url,
    }
    return {
        "type": notice.kind or f"notice.{notice.mood}",
        "timestamp": notice.at,
        "data": notice.body or told,
    }


async def send(app: App, settings: WebhookSettings, notice: Notice, earlier: Reference | None) -> Reference:
    """Post it; any 2xx is an arrival. The reference is its `key`. `OutboundError`."""
    body = written(render(notice, earlier))
    answer = await posting.post(
        app, NAME, settings.url.get_secret_value(), body.encode(), _signed(app, settings, notice, body)
    )
    if not 200 <= answer.status < 300:
        raise posting.refusal(NAME, answer)
    return {"key": identity(notice.key)}


def written(form: Form) -> str:
    """The JSON that is signed: instants in ISO 8601, NaN and infinities as null."""
    from pydantic_core import to_jsonable_python

    # ASCII, because half a surrogate pair has no UTF-8.
    return json.dumps(to_jsonable_python(form, inf_nan_mode="null"), separators=(",", ":"))


def _signed(app: App, settings: WebhookSettings, notice: Notice, body: str) -> dict[str, str]:
    from standardwebhooks import Webhook

    id, at = identity(notice.key), app.now().astimezone(UTC)
    headers = {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp()))}
    signatures = [Webhook(secret.get_secret_value()).sign(id, at, body) for secret in settings.secrets]
    return {**headers, "webhook-signature": " ".join(signatures)} if signatures else headers
