"""A Teams channel behind a Workflows webhook: 202 for what its trigger can read; the card is judged afterwards.

A flow answers before it posts: a card that Teams cannot show fails out of the sender's
sight, and is kept here with its reason. A message over the size that Teams documents is
refused at once, so that its sender can see it.
https://learn.microsoft.com/connectors/teams and https://adaptivecards.io/explorer
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.chat.faults import FaultKind
from local.chat.keeping import Body, Posted
from local.chat.slack_blocks import is_web_address
from local.chat.taking import Desk, json_object

MOST_BYTES = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"
VERSIONS = frozenset(["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"])
MOST_ACTIONS = 6
ELEMENTS = frozenset(
    [
        "TextBlock",
        "Image",
        "FactSet",
        "Container",
        "ColumnSet",
        "Column",
        "ActionSet",
        "RichTextBlock",
        "ImageSet",
        "Table",
        "TableRow",
        "TableCell",
        "Media",
    ]
)
ACTIONS = frozenset(["Action.OpenUrl", "Action.ShowCard", "Action.ToggleVisibility", "Action.Submit", "Action.Execute"])
NESTED = ("items", "columns", "rows", "cells")


@dataclass(frozen=True, slots=True)
class Teams:
    """The stand-in. A flow is there from its first use on, with the `sig` it was first used with."""

    desk: Desk

    def routes(self, base: str) -> list[Route]:
        """Its address below `base`."""
        return [Route(f"{base}/workflows/{{flow}}/triggers/manual/paths/invoke", self.invoke, methods=["POST"])]

    async def invoke(self, request: Request) -> Response:
        """Start the flow: 202 and no body."""
        flow = request.path_params["flow"]

        async def work(body: bytes) -> Response:
            signature = request.query_params.get("sig", "")
            if not signature or not self.desk.kept.admits("teams", flow, signature):
                return _unauthorised()
            if len(body) > MOST_BYTES:
                return _error(
                    413, "RequestEntityTooLarge", f"The message is {len(body)} bytes; the most is {MOST_BYTES}."
                )
            if not request.headers.get("content-type", "").startswith("application/json"):
                return _error(400, "TriggerInputSchemaMismatch", "Invalid type. Expected Object but got String.")
            said = json_object(body)
            if said is None:
                return _error(400, "InvalidRequestContent", "The input content could not be read as JSON.")
            if not isinstance(said.get("attachments"), list):
                return _error(
                    400, "TriggerInputSchemaMismatch", "Required properties are missing from object: attachments."
                )
            now = self.desk.kept.now()
            id = str(self.desk.kept.number())
            failed = "; ".join(complaints(said))[:500]
            self.desk.kept.keep(Posted("teams", flow, id, said, now, author="Workflows", failed=failed))
            return Response(status_code=202)

        return await self.desk.take(request, "teams", flow, _words, work)


def complaints(said: Body) -> Iterator[str]:
    """Why Teams would not show a message; nothing when it would."""
    attachments = said.get("attachments")
    if said.get("type") != "message":
        yield "type must be message"
    if not isinstance(attachments, list) or not attachments:
        yield "attachments is empty"
        return
    for attachment in attachments:
        content = attachment.get("content") if isinstance(attachment, dict) else None
        if not isinstance(attachment, dict) or attachment.get("contentType") != CARD:
            yield f"contentType must be {CARD}"
        elif not isinstance(content, dict):
            yield "content is no card"
        else:
            yield from _card(content)


def _card(card: Mapping[str, JsonValue]) -> Iterator[str]:
    if card.get("type") != "AdaptiveCard":
        yield "Property 'type' must be 'AdaptiveCard'"
    if card.get("version") not in VERSIONS:
        yield f"version {card.get('version')} is not supported"
    body, actions = card.get("body"), card.get("actions")
    if not body and not actions:
        yield "the card is empty"
    yield from _elements(body)
    yield from _actions(actions)


def _elements(elements: JsonValue) -> Iterator[str]:
    for element in elements if isinstance(elements, list) else []:
        if not isinstance(element, dict):
            yield "an element is no object"
            continue
        kind = element.get("type")
        # Rows, cells and columns may leave their type out: where they stand says it.
        if kind is not None and kind not in ELEMENTS:
            yield f"element type {kind} is unknown"
        if kind == "TextBlock" and not isinstance(element.get("text"), str):
            yield "a TextBlock has no text"
        if kind == "Image" and not is_web_address(str(element.get("url", ""))):
            yield "an Image's url is no web address"
        if kind == "FactSet":
            yield from _facts(element.get("facts"))
        for name in NESTED:
            yield from _elements(element.get(name))
        yield from _actions(element.get("actions"))


def _facts(facts: JsonValue) -> Iterator[str]:
    if not isinstance(facts, list) or not facts:
        yield "a FactSet has no facts"
        return
    for fact in facts:
        if (
            not isinstance(fact, dict)
            or not isinstance(fact.get("title"), str)
            or not isinstance(fact.get("value"), str)
        ):
            yield "a fact needs a title and a value"


def _actions(actions: JsonValue) -> Iterator[str]:
    found = actions if isinstance(actions, list) else []
    if len(found) > MOST_ACTIONS:
        yield f"more than {MOST_ACTIONS} actions"
    for action in found:
        kind = action.get("type") if isinstance(action, dict) else None
        if not isinstance(action, dict) or kind not in ACTIONS:
            yield f"action type {kind} is unknown"
        elif kind == "Action.OpenUrl" and not is_web_address(str(action.get("url", ""))):
            yield "an action's url is no web address"


def _unauthorised() -> Response:
    words = "The request must be authenticated only by Shared Access scheme."
    return _error(401, "DirectApiAuthorizationRequired", words)


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _words(kind: FaultKind, seconds: float) -> Response:
    if kind == "429":
        answer = _error(429, "WorkflowRunActionRateLimited", "The flow was started too often; try again later.")
        answer.headers["Retry-After"] = str(max(1, round(seconds)))
        return answer
    if kind == "410":
        return _error(404, "WorkflowNotFound", "The workflow could not be found.")
    return (
        _unauthorised()
        if kind == "revoked"
        else _error(500, "InternalServerError", "Encountered internal server error.")
    )
