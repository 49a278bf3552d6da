"""Capture v0: /batch, /e, /capture, /track, /engage, /i/v0/e — tolerant, plain text, 200 for anything.

An unknown token is answered like a known one; its events are stored nowhere.
"""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from local.posthog import recordings
from local.posthog.capture_shapes import Batch, CaptureError, distinct_id_of, read_batch, read_event
from local.posthog.encodings import DecodeError, TooLargeError, decode
from local.posthog.installation import Installation

MEGABYTE = 1024 * 1024
_LEGACY = ("/e", "/capture", "/track", "/engage")
PATHS = ("/i/v0/e", *_LEGACY, "/batch", "/s", "/i/v0/ai/batch")


async def capture(request: Request, installation: Installation) -> Response:
    """Take a v0 request in; the batch is stored before the answer."""
    if request.method == "OPTIONS":
        return JSONResponse({"status": 1})
    try:
        await _take(request, installation)
    except DecodeError as fault:
        return PlainTextResponse(str(fault), 400)
    except TooLargeError as fault:
        return PlainTextResponse(str(fault), 413)
    except CaptureError as fault:
        return PlainTextResponse(fault.text, fault.status)
    if request.query_params.get("beacon") == "1":
        return Response(status_code=204)
    return JSONResponse({"status": 1})


async def _take(request: Request, installation: Installation) -> None:
    path = request.url.path.rstrip("/")
    body = await request.body()
    limit = 20 if path in ("/batch", "/i/v0/ai/batch") else 25 if path == "/s" else 2
    if len(body) > limit * MEGABYTE:
        raise TooLargeError(f"maximum event size exceeded: the body is over {limit} MB")
    text = decode(
        body,
        query_text=request.query_params.get("data"),
        content_type=request.headers.get("content-type", ""),
        hint=request.query_params.get("compression") or request.headers.get("content-encoding", ""),
        is_legacy_path=path in _LEGACY,
    )
    fills_name = path == "/engage"
    batch = read_batch(text, _sent_at(request), fills_name=fills_name)
    now = installation.clock.now()
    address = client_address(request)
    if path == "/s":
        _take_recording(batch, installation)
        return
    events = [
        arrival
        for event in batch.events
        if (arrival := read_event(event, batch, now, fills_name=fills_name, address=address))
    ]
    await installation.take_in(batch.token, events)


def _take_recording(batch: Batch, installation: Installation) -> None:
    recorded = [recordings.read(event, distinct_id_of(event)) for event in batch.events]
    project = installation.directory.by_token(batch.token)
    if project is not None:
        installation.recordings.take_in(project.id, recorded)


def client_address(request: Request) -> str | None:
    """Where a request came from: the first address a proxy named, else the peer."""
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    if forwarded:
        return forwarded
    return request.client.host if request.client else None


def _sent_at(request: Request) -> datetime | None:
    text = request.query_params.get("_", "")
    if not text.isdigit() or len(text) > 14:
        return None
    at = datetime.fromtimestamp(int(text) / 1000, UTC)
    return at if at.year > 2020 else None
