"""What the services answer, word for word over real HTTP, and what each answer means for the channel."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import pytest

from hedgerow.addresses import AddressRefusedError
from hedgerow.channels import sending
from hedgerow.errors import OutboundError
from tests.loopback import answering, http
from tests.stage import NOW, staged
from tests.unit.channels.notices import DROP
from tests.unit.channels.service import ARRIVED, KINDS, SECRET, of, speaking, told

LOGIN_PAGE = http(b"<html><form>Sign in</form></html>", "200 OK", "Content-Type: text/html")


async def refused(kind: str, *answers: bytes) -> OutboundError:
    """The error that these answers make of a bare message."""
    async with speaking(*answers) as (app, _, url):
        with pytest.raises(OutboundError) as caught:
            await sending.send(app, of(kind, url), replace(DROP, chart_url=None, links=()), None)
    said = caught.value
    assert SECRET not in f"{said!r} {said.detail} {said.hint} {said.__cause__!r} {said.__context__!r}"
    assert said.transient == (said.code in {"channel_busy", "channel_unreachable"})
    return said


@pytest.mark.parametrize("kind", KINDS)
async def test_a_first_message_arrives_once_and_can_be_referred_to(kind: str) -> None:
    async with speaking(ARRIVED[kind]) as (app, service, url):
        reference = await sending.send(app, of(kind, url), DROP, None)
    (asked,) = service.asked
    assert asked.method == "POST"
    assert reference
    assert "7.8" in asked.body.decode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", [LOGIN_PAGE, http(b"x" * 100_000), told([1]), told({"error": "x"})])
async def test_a_200_that_is_not_the_services_own_is_no_arrival(kind: str, answer: bytes) -> None:
    if kind == "webhook":
        async with speaking(answer) as (app, _, url):
            assert await sending.send(app, of(kind, url), DROP, None)
        return
    said = await refused(kind, answer)
    assert said.code == ("channel_refused" if kind == "bot" and b'"x"' in answer else "channel_unreachable")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bot"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("404 Not Found", "channel_gone"),
        ("410 Gone", "channel_gone"),
        ("400 Bad Request", "channel_refused"),
        ("413 Payload Too Large", "channel_refused"),
        ("302 Found", "channel_refused"),
        ("429 Too Many Requests", "channel_busy"),
        ("408 Request Timeout", "channel_unreachable"),
        ("500 Internal Server Error", "channel_unreachable"),
        ("503 Service Unavailable", "channel_unreachable"),
    ],
)
async def test_a_status_says_what_will_help(kind: str, status: str, code: str) -> None:
    said = await refused(kind, http(b"no /" + SECRET.encode(), status, "Location: https://login.example/"))
    assert said.code == code
    assert said.status == int(status[:3])


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("no_service", "404 Not Found", "channel_gone"),
        ("no_service", "400 Bad Request", "channel_gone"),
        ("channel_is_archived", "410 Gone", "channel_gone"),
        ("action_prohibited", "403 Forbidden", "channel_gone"),
        ("invalid_payload", "400 Bad Request", "channel_refused"),
        ("invalid_blocks", "400 Bad Request", "channel_refused"),
        ("rollup_error", "500 Internal Server Error", "channel_unreachable"),
    ],
)
async def test_slacks_webhook_says_it_in_a_word(word: str, status: str, code: str) -> None:
    said = await refused("slack", http(word.encode(), status))
    assert said.code == code
    assert word in said.detail


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("token_revoked", "channel_gone"),
        ("account_inactive", "channel_gone"),
        ("not_in_channel", "channel_gone"),
        ("channel_not_found", "channel_gone"),
        ("is_archived", "channel_gone"),
        ("ratelimited", "channel_busy"),
        ("internal_error", "channel_unreachable"),
        ("invalid_blocks", "channel_refused"),
        ("msg_too_long", "channel_refused"),
        ("something_new", "channel_refused"),
        (f"{SECRET} is not known", "channel_unreachable"),
    ],
)
async def test_slacks_api_says_no_under_200(word: str, code: str) -> None:
    assert (await refused("bot", told({"ok": False, "error": word}))).code == code


async def test_a_wrong_slack_api_is_not_the_channels_fault() -> None:
    assert (await refused("bot", http(b"nothing here", "404 Not Found"))).code == "channel_refused"


async def test_discord_tells_a_deleted_webhook_by_its_token_too() -> None:
    said = await refused("discord", told({"message": "Invalid Webhook Token", "code": 50027}, "401 Unauthorized"))
    assert said.code == "channel_gone"
    assert "50027" in said.detail


async def test_an_old_teams_connector_hides_a_429_under_200() -> None:
    text = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x."
    assert (await refused("teams", http(text))).code == "channel_busy"
    assert (await refused("teams", http(text.replace(b"429", b"413")))).code == "channel_unreachable"


async def test_a_switched_off_workflow_is_gone() -> None:
    error = {"error": {"code": "WorkflowTriggerIsNotEnabled", "message": f"… {SECRET} …"}}
    assert (await refused("teams", told(error, "400 Bad Request"))).code == "channel_gone"


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("30", 30.0),
        ("1.5", 1.5),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("999999999", 86_400.0),
        ("soon", None),
        ("nan", None),
        ("", None),
    ],
)
async def test_retry_after_is_obeyed_in_every_form(header: str, wait: float | None) -> None:
    for kind in KINDS:
        said = await refused(
            kind, told({"ok": False, "error": "ratelimited"}, "429 Too Many", f"Retry-After: {header}")
        )
        assert (said.code, said.retry_after) == ("channel_busy", wait)


async def test_discords_own_retry_after_is_the_finer_one() -> None:
    said = await refused("discord", told({"retry_after": 0.317, "global": False}, "429 Too Many", "Retry-After: 1"))
    assert said.retry_after == 0.317


async def test_a_chart_that_slack_cannot_fetch_does_not_silence_the_sentence() -> None:
    async with speaking(http(b"invalid_blocks", "400 Bad Request"), http(b"ok")) as (app, service, url):
        await sending.send(app, of("slack", url), DROP, None)
    tried = [[block["type"] for block in asked.form["blocks"]] for asked in service.asked]
    assert tried == [["header", "section", "image", "actions"], ["header", "section", "actions"]]


async def test_a_message_refused_in_every_form_is_refused_and_a_webhooks_is_tried_once() -> None:
    for kind, times in (("slack", 3), ("webhook", 1)):
        async with speaking(http(b"invalid_blocks", "400 Bad Request")) as (app, service, url):
            with pytest.raises(OutboundError) as caught:
                await sending.send(app, of(kind, url), DROP, None)
        assert caught.value.code == "channel_refused"
        assert len(service.asked) == times


@pytest.mark.parametrize("kind", KINDS)
async def test_a_private_address_is_refused_and_nothing_is_sent(kind: str) -> None:
    async with answering(ARRIVED[kind]) as loopback, staged() as stage:
        base = f"http://127.0.0.1:{loopback.port}"
        app = replace(stage.app, settings=stage.app.settings.model_copy(update={"slack_api": base}))
        with pytest.raises(AddressRefusedError) as caught:
            await sending.send(app, of(kind, f"{base}/{SECRET}"), DROP, None)
        assert loopback.seen == []
    assert SECRET not in str(caught.value)
    assert not caught.value.transient


async def test_nobody_listening_and_a_broken_line_are_worth_another_try() -> None:
    async with speaking(http(b"ok", length=100)) as (app, service, url):
        with pytest.raises(OutboundError) as broken:
            await sending.send(app, of("slack", url), DROP, None)
    async with staged([f"127.0.0.1:{service.port}"]) as stage:
        with pytest.raises(OutboundError) as closed:
            await sending.send(stage.app, of("slack", url), DROP, None)
    for said in (broken.value, closed.value):
        assert (said.code, said.transient) == ("channel_unreachable", True)
        assert SECRET not in said.detail


async def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    caplog.set_level(logging.INFO)
    async with speaking(ARRIVED["slack"]) as (app, service, url):
        await sending.send(app, of("slack", url), DROP, None)
    assert len(service.asked) == 1
    assert SECRET not in caplog.text
