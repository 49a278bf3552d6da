"""What a log line looks like to Cloud Logging."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog

from hedgerow import logs
from hedgerow.traces import begun, going_on

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{ID}-{SPAN}-01"


class Page:
    """Lines as they are written."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        self.log: Any = structlog.wrap_logger(structlog.PrintLogger(self.file), processors=logs.processors())

    @property
    def text(self) -> str:
        return self.file.getvalue()

    @property
    def line(self) -> dict[str, Any]:
        """The only line there is."""
        (line,) = self.text.splitlines()
        fields: dict[str, Any] = json.loads(line)
        return fields


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.mark.parametrize(
    ("method", "severity"),
    [
        ("debug", "DEBUG"),
        ("info", "INFO"),
        ("warn", "WARNING"),
        ("warning", "WARNING"),
        ("error", "ERROR"),
        ("critical", "CRITICAL"),
        ("fatal", "CRITICAL"),
    ],
)
def test_every_level_has_its_severity(page: Page, method: str, severity: str) -> None:
    getattr(page.log, method)("thing.happened", number=1)
    line = page.line
    assert (line["severity"], line["message"], line["event"], line["number"]) == (
        severity,
        "thing.happened",
        "thing.happened",
        1,
    )


def test_a_line_names_its_trace(page: Page) -> None:
    with begun({"traceparent": PARENT}, "acme"), logs.bound(tenant_id="ten_1", run_id=None, key=""):
        page.log.info("thing.happened")
    line = page.line
    assert line["logging.googleapis.com/trace"] == f"projects/acme/traces/{ID}"
    assert line["logging.googleapis.com/spanId"] == SPAN
    assert line["logging.googleapis.com/trace_sampled"] is True
    assert line["tenant_id"] == "ten_1"
    assert not {"run_id", "key", "request_trace_id"} & line.keys()


def test_a_line_of_kept_work_names_the_request_too(page: Page) -> None:
    with begun({"traceparent": f"00-{'1' * 32}-{SPAN}-00"}), going_on(PARENT):
        page.log.info("thing.happened")
    assert (page.line["logging.googleapis.com/trace"], page.line["request_trace_id"]) == (ID, "1" * 32)


def test_what_was_bound_ends_with_its_block(page: Page) -> None:
    with logs.bound(target="a"):
        with logs.bound(run_id="run_1"):
            logs.bind(connection_id="con_1")
        page.log.info("thing.happened")
    assert page.line["target"] == "a"
    assert not {"run_id", "connection_id"} & page.line.keys()


def test_a_crash_is_one_line_that_error_reporting_takes(page: Page) -> None:
    try:
        raise RuntimeError("phx_abcdefghij\nover two lines")
    except RuntimeError:
        page.log.exception("target.crashed")
    line = page.line
    assert (line["severity"], line["@type"]) == ("ERROR", logs.REPORTED)
    assert line["stack_trace"].startswith("Traceback (most recent call last):\n")
    assert line["stack_trace"].endswith("RuntimeError: phx_…\nover two lines")
    assert "abcdefghij" not in page.text


def test_nothing_shaped_like_a_key_or_a_token_gets_out(page: Page) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJlbWFpbCI6ImEifQ.c2ln"
    page.log.info("thing.happened", detail=f"sent {token}", more=[{"inner": "hdg_abcdefgh"}], cut=token[:-5])
    assert "eyJlbWFpbCI" not in page.text
    assert "abcdefgh" not in page.text
    assert page.line["detail"] == "sent eyJ…"


def test_a_line_that_is_too_long_is_cut_and_says_so(page: Page) -> None:
    with begun({"traceparent": PARENT}):
        page.log.info("thing.happened", detail="é" * 200_000 + "end", items=list(range(60_000)), short="kept")
    line = page.line
    assert len(page.text.encode()) <= logs.MOST_BYTES
    assert sorted(line["cut"]) == ["detail", "items"]
    assert (line["severity"], line["message"], line["short"]) == ("WARNING", "thing.happened", "kept")
    assert "200003 characters" in line["detail"]
    assert line["detail"].endswith("end")
    assert line["logging.googleapis.com/trace"] == ID


def test_hundreds_of_long_fields_leave_the_shortest(page: Page) -> None:
    page.log.error("thing.happened", **{f"field_{number}": "x" * (15_000 + number) for number in range(300)})
    line = page.line
    assert len(page.text.encode()) <= logs.MOST_BYTES
    assert "field_0" in line
    assert "field_299" not in line
    assert "field_299" in line["cut"] or len(line["cut"]) == 100
    assert line["severity"] == "ERROR"


def test_a_line_as_long_as_may_be_is_left_alone(page: Page) -> None:
    page.log.info("thing.happened", detail="x" * 240_000)
    assert "cut" not in page.line
    assert len(page.line["detail"]) == 240_000


def test_what_a_library_says_is_one_of_our_lines(capfd: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("google.auth", logging.WARNING, "x.py", 1, "slow: %s", ("phx_abcdefghij",), None)
    logs._Libraries().handle(record)
    line = json.loads(capfd.readouterr().err)
    assert (line["severity"], line["logger"], line["detail"]) == ("WARNING", "google.auth", "slow: phx_…")
