"""Signed pages: a look changes nothing, a press acts once however often, and every refusal says what to do."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import DAY, Series
from functions.alerts.pages import charts, links
from functions.alerts.pages.doing import snoozed_until
from functions.alerts.records import AlertRule
from hedgerow import months
from hedgerow.errors import InvalidError
from hedgerow.models import Connection, MetricMonth
from hedgerow.ports import Delete, Swap
from tests.functions.alerts.pages_stage import opened
from tests.stage import NOW

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


async def test_a_look_shows_the_incident_and_changes_nothing() -> None:
    async with opened() as it:
        before = await it.now()
        purposes: tuple[links.Purpose, ...] = ("acknowledge", "snooze", "useful", "useless", "incident")
        for purpose in purposes:
            for method in ("GET", "HEAD", "GET"):
                answer = await it.client.request(method, await it.path(purpose))
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith("text/html")
                if method == "GET":
                    assert "DAU 12, usually 80 to 120" in answer.text
                    assert answer.text.count("<button") == (purpose != "incident")
        assert await it.now() == before


async def test_pages_are_kept_by_nobody_and_run_nothing() -> None:
    async with opened() as it:
        headers = (await it.client.get(await it.path("acknowledge"))).headers
        assert headers["cache-control"] == "no-store"
        assert "noindex" in headers["x-robots-tag"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]


async def test_acknowledging_twice_is_acknowledging() -> None:
    async with opened() as it:
        path = await it.path("acknowledge")
        for _ in range(3):
            answer = await it.client.post(path)
            assert answer.status_code == 200
            assert "Acknowledged" in answer.text
        after = await it.now()
        assert (after.acknowledged_at, after.acknowledged_by) == (NOW, "Slack #ops")
        assert [step.kind for step in after.timeline].count("acknowledged") == 1


async def test_an_acknowledged_incident_says_by_whom_and_offers_nothing() -> None:
    async with opened() as it:
        await it.client.post(await it.path("acknowledge"))
        for path in (await it.path("acknowledge"), await it.path("acknowledge", "Discord")):
            shown = (await it.client.get(path)).text
            assert "<button" not in shown
            assert "Acknowledged by Slack #ops, Fri 20 Nov 2026, 16:30 Europe/Berlin: nothing is left to do." in shown
        again = (await it.client.post(await it.path("acknowledge", "Discord"))).text
        assert "Acknowledged already, by Slack #ops." in again
        assert (await it.now()).acknowledged_by == "Slack #ops"


async def test_a_keys_id_is_no_name() -> None:
    async with opened() as it:
        taken = it.incident.model_copy(update={"acknowledged_at": NOW, "acknowledged_by": f"key_{'0a' * 12}"})
        await it.stage.store.commit(Swap(taken))
        shown = (await it.client.get(await it.path("incident"))).text
        assert "acknowledged by somebody by API" in shown
        assert "key_" not in shown


@pytest.mark.parametrize(
    ("choice", "until"),
    [
        ("1h", NOW + timedelta(hours=1)),
        ("4h", NOW + timedelta(hours=4)),
        ("1d", NOW + timedelta(days=1)),
        ("morning", datetime(2026, 11, 21, 8, tzinfo=UTC)),
    ],
)
async def test_a_snooze_ends_when_it_was_chosen_to(choice: str, until: datetime) -> None:
    async with opened() as it:
        path = await it.path("snooze")
        for _ in range(2):
            assert (await it.client.post(path, data={"for": choice})).status_code == 200
        after = await it.now()
        assert after.snoozed_until == until
        assert [step.kind for step in after.timeline].count("snoozed") == 1


def test_the_morning_is_nine_oclock_also_when_the_clocks_change() -> None:
    eve = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert snoozed_until("morning", eve, "Europe/Berlin").astimezone(UTC) == datetime(2026, 3, 29, 7, tzinfo=UTC)
    with pytest.raises(InvalidError):
        snoozed_until("forever", eve, "UTC")


@pytest.mark.parametrize("form", [{}, {"for": "forever"}])
async def test_a_snooze_without_its_choice_is_refused(form: dict[str, str]) -> None:
    async with opened() as it:
        answer = await it.client.post(await it.path("snooze"), data=form)
        assert answer.status_code == 422
        assert "1 hour" in answer.text
        assert (await it.now()).snoozed_until is None


async def test_the_last_word_on_its_use_counts_once() -> None:
    async with opened() as it:
        purposes: tuple[links.Purpose, ...] = ("useful", "useless", "useless")
        for purpose in purposes:
            answer = await it.client.post(await it.path(purpose))
            assert answer.status_code == 200
        rule = await it.stage.store.get(AlertRule, "rule_1")
        assert rule is not None
        assert (rule.useful, rule.useless) == (0, 1)


async def test_a_resolved_incident_has_no_button_left_but_can_be_rated() -> None:
    async with opened("resolved") as it:
        shown = await it.client.get(await it.path("acknowledge"))
        assert "<button" not in shown.text
        assert "nothing is left to do" in shown.text
        late = await it.client.post(await it.path("acknowledge"))
        assert late.status_code == 409
        assert (await it.now()).acknowledged_at is None
        assert (await it.client.post(await it.path("useful"))).status_code == 200


async def test_a_link_that_shows_does_nothing_when_pressed() -> None:
    async with opened() as it:
        before = await it.now()
        answer = await it.client.post(await it.path("incident"))
        assert answer.status_code == 405
        assert await it.now() == before


async def test_expired_altered_and_strange_links_say_what_to_do() -> None:
    async with opened() as it:
        path = await it.path("acknowledge")
        chart = await it.path("chart")
        strange = chart.replace("/charts/", "/pages/").removesuffix(".png")
        it.stage.clock.forward(timedelta(days=3))
        for wrong in (
            path[:-2],
            path[:-1] + ("A" if path[-1] != "A" else "B"),
            strange,
            "/v1/pages/x",
            "/v1/pages/x/y",
        ):
            answer = await it.client.get(wrong)
            assert answer.status_code == 404
            assert "message" in answer.text
        it.stage.clock.forward(timedelta(days=5))
        for method in ("GET", "POST"):
            answer = await it.client.request(method, path)
            assert answer.status_code == 410
            assert "newest message" in answer.text
        assert (await it.client.get(chart)).status_code == 410
        assert (await it.now()).acknowledged_at is None


async def test_a_program_hears_a_problem_document() -> None:
    async with opened() as it:
        answer = await it.client.get("/v1/pages/x", headers={"Accept": "application/json"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "link_altered"
        assert answer.headers["cache-control"] == "no-store"


async def test_an_incident_that_is_gone_is_missing() -> None:
    async with opened() as it:
        url = await links.sign(it.stage.app, "incident", "inc_of_nobody", NOW + timedelta(days=1))
        answer = await it.client.get(url.removeprefix("https://alerts.test"))
        assert answer.status_code == 404


async def test_a_form_that_is_no_form_is_refused_by_its_size() -> None:
    async with opened() as it:
        answer = await it.client.post(await it.path("snooze"), content=b"x" * 5_000)
        assert answer.status_code == 413


async def test_names_are_text_on_the_page() -> None:
    async with opened(sentence=EVIL) as it:
        text = (await it.client.get(await it.path("acknowledge"))).text
        assert "<script" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text


async def test_a_chart_is_a_picture_that_may_be_kept_and_asked_for_again() -> None:
    async with opened() as it:
        path = await it.path("chart", "")
        light = await it.client.get(path)
        assert (light.status_code, light.headers["content-type"]) == (200, "image/png")
        assert light.headers["cache-control"] == "public, max-age=60"
        assert Image.open(io.BytesIO(light.content)).size == (800, 450)
        assert (await it.client.head(path)).status_code == 200
        again = await it.client.get(path, headers={"If-None-Match": light.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        dark = await it.client.get(path + "?theme=dark")
        assert dark.content != light.content
        assert (await it.client.post(path)).status_code == 405


async def test_a_chart_holds_the_incidents_line_and_range() -> None:
    async with opened() as it:
        seen = Image.open(io.BytesIO((await it.client.get(await it.path("chart", ""))).content)).convert("RGB")
        colours = {seen.getpixel((x, y)) for x in range(130, 770, 2) for y in range(125, 388, 2)}

        def has(wanted: tuple[int, int, int]) -> bool:
            return any(
                isinstance(each, tuple) and all(abs(a - b) < 14 for a, b in zip(each, wanted, strict=True))
                for each in colours
            )

        assert has((0x0B, 0x5C, 0x9E)), "the line"
        assert has((0xCD, 0xE1, 0xF4)), "the usual range"
        assert has((0xFB, 0xDF, 0xE3)), "the incident"


def near(picture: Image.Image, wanted: tuple[int, int, int], box: tuple[int, int, int, int]) -> bool:
    """Is there this colour, or nearly, in a part of the picture?"""
    part = picture.crop(box)
    pixels = [part.getpixel((x, y)) for x in range(part.width) for y in range(part.height)]
    return any(
        isinstance(each, tuple) and all(abs(a - b) < 14 for a, b in zip(each, wanted, strict=True)) for each in pixels
    )


async def test_a_resolved_chart_does_not_plunge_to_the_day_under_way() -> None:
    async with opened("resolved") as it:
        connection = await it.stage.store.get(Connection, it.incident.connection_id)
        assert connection is not None
        await it.stage.store.commit(Delete(MetricMonth, months.record_id(connection.id, "2026-11")))
        days = {("posthog_dau", NOW.date() - timedelta(days=back)): 100.0 for back in range(1, 20)}
        await it.stage.points(connection, {**days, ("posthog_dau", NOW.date()): 1.0})
        answer = await it.client.get(await it.path("chart", ""))
        picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
        assert not near(picture, (0x0B, 0x5C, 0x9E), (740, 250, 799, 392)), "the line ends where days are over"
        assert near(picture, (0x0B, 0x5C, 0x9E), (740, 120, 799, 250))


async def test_a_chart_keeps_the_threshold_its_incident_was_told_with() -> None:
    async with opened("resolved") as it:
        told = it.incident.model_copy(update={"low": 80.0, "bucket": int(it.incident.since.timestamp())})
        await it.stage.store.commit(Swap(told))
        before = (await it.client.get(await it.path("chart", ""))).content
        rule = await it.stage.store.get(AlertRule, "rule_1")
        assert rule is not None
        await it.stage.store.commit(Swap(rule.model_copy(update={"condition": Threshold(below=5)})))
        assert (await it.client.get(await it.path("chart", ""))).content == before


async def test_the_chart_of_a_rule_that_went_says_so() -> None:
    async with opened() as it:
        gone = it.incident.model_copy(update={"id": "inc_2", "rule_id": "rule_gone", "version": 0})
        await it.stage.add(gone)
        url = await links.sign(it.stage.app, "chart", "inc_2", NOW + timedelta(days=1))
        answer = await it.client.get(url.removeprefix("https://alerts.test"))
        assert answer.status_code == 200
        assert Image.open(io.BytesIO(answer.content)).size == (800, 450)
        begun = Series(gone.rule_name, DAY, (), (), int(it.stage.clock().timestamp()))
        assert answer.content == charts.png(begun, gone, None, nothing="The rule was removed")
        assert answer.content != charts.png(begun, gone, None), "there were points, and nobody can say which"
