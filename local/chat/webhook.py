"""A product's own webhook: takes JSON and checks its Standard Webhooks signature against the secrets it was given.

https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.chat.faults import FaultKind
from local.chat.keeping import Body, Posted
from local.chat.taking import Desk, json_object

TOLERANCE = timedelta(minutes=5)
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Secrets(BaseModel):
    """What a webhook verifies with, `whsec_…`: any of them, so that one can follow another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secrets: tuple[str, ...] = Field(max_length=10)


@dataclass(frozen=True, slots=True)
class Webhook:
    """The stand-in. Without secrets it takes everything and says that nothing was checked."""

    desk: Desk
    secrets: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def routes(self, base: str) -> list[Route]:
        """Its addresses below `base`."""
        return [
            Route(f"{base}/{{name}}/secrets", self.know, methods=["PUT"]),
            Route(f"{base}/{{name}}", self.take, methods=["POST"]),
        ]

    async def know(self, request: Request) -> Response:
        """Verify with these from now on."""
        try:
            given = Secrets.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"error": 'send {"secrets": ["whsec_…"]}'}, 422)
        self.secrets[request.path_params["name"]] = given.secrets
        return Response(status_code=204)

    async def take(self, request: Request) -> Response:
        """Take a message; 401 when its signature is not one of ours, 400 when it is no JSON."""
        name = request.path_params["name"]

        async def work(body: bytes) -> Response:
            headers = {each: request.headers[each] for each in HEADERS if each in request.headers}
            known = self.secrets.get(name, ())
            wrong = _wrong_signature(known, headers, body, self.desk.kept.now()) if known else ""
            if wrong:
                return JSONResponse({"error": wrong}, 401)
            said = json_object(body)
            if said is None:
                return JSONResponse({"error": "the body is no JSON object"}, 400)
            self._keep(name, said, headers, is_checked=bool(known))
            return Response(status_code=204)

        return await self.desk.take(request, "webhook", name, _words, work)

    def _keep(self, name: str, said: Body, headers: dict[str, str], *, is_checked: bool) -> None:
        id = headers.get("webhook-id", "")
        earlier = self.desk.kept.find("webhook", name, id) if id else None
        if earlier is not None:
            earlier.repeats += 1
            return
        note = "signature verified" if is_checked else "signature not checked" if len(headers) == 3 else "not signed"
        kind = said.get("type")
        message = Posted("webhook", name, id or str(self.desk.kept.number()), said, self.desk.kept.now(), note=note)
        message.author = kind if isinstance(kind, str) else ""
        message.headers = headers
        self.desk.kept.keep(message)


def _wrong_signature(secrets: tuple[str, ...], headers: dict[str, str], body: bytes, now: datetime) -> str:
    """What is wrong with a signature, by this server's own clock; "" when one of the secrets made it."""
    from standardwebhooks.webhooks import Webhook as Verifier

    if len(headers) < len(HEADERS):
        return "missing required headers"
    try:
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        text = body.decode()
    except (ValueError, OverflowError, OSError):
        return "invalid signature headers"
    if abs(now - at) > TOLERANCE:
        return "message timestamp too old" if at < now else "message timestamp too new"
    given = [each.partition(",")[2] for each in headers["webhook-signature"].split(" ") if each.startswith("v1,")]
    for secret in secrets:
        expected = Verifier(secret).sign(headers["webhook-id"], at, text).partition(",")[2]
        if any(_same(expected, each) for each in given):
            return ""
    return "no matching signature found"


def _same(expected: str, given: str) -> bool:
    try:
        return hmac.compare_digest(base64.b64decode(expected), base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError):
        return False


def _words(kind: FaultKind, seconds: float) -> Response:
    status = {"429": 429, "410": 410, "revoked": 401}.get(kind, 500)
    body = cast("dict[str, JsonValue]", {"error": kind})
    return JSONResponse(body, status, {"Retry-After": str(max(1, round(seconds)))} if status == 429 else {})
