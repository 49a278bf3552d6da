"""What a log line looks like to Cloud Logging."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hedgerow import logs
from hedgerow.traces import begun, going_on

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KEY = "phx_4bcdEFghijklmnopqrstuvwxyz0123456789ABCDEFG"
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
        (line,) = self.text.removesuffix("\n").split("\n")
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


class Speaker:
    """Says a key when it is made text of."""

    def __str__(self) -> str:
        return KEY


class Mute:
    """Cannot be made text of."""

    def __str__(self) -> str:
        raise ValueError("nothing to say")

    def __repr__(self) -> str:
        return "Mute()"


def into_itself() -> list[object]:
    made: list[object] = [KEY]
    made.append(made)
    return made


def deep() -> list[object]:
    made: list[object] = [KEY]
    for _ in range(5_000):
        made = [made]
    return made


@pytest.mark.parametrize(
    "value",
    [
        ValueError(KEY),
        KEY.encode(),
        f"\n{KEY}".encode(),
        Speaker(),
        Mute(),
        {KEY: 1},
        {(1, KEY): 1},
        {1: KEY, None: 2, Mute(): 3},
        {KEY},
        (ValueError(KEY), [{"a": Speaker()}]),
        into_itself(),
        deep(),
        "\ud800",
        float("nan"),
        10**5_000,
        SecretStr(KEY),
        f"https://x.test/?sig={KEY}",
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_it_is_given_comes_out_as_json_without_a_key(page: Page, value: object) -> None:
    page.log.warning("thing.happened", value=value, again=[value], number=1)
    assert (page.line["number"], page.line["severity"]) == (1, "WARNING")
    assert KEY[4:] not in page.text
    assert "NaN" not in page.text


@pytest.mark.parametrize("info", [True, (1, 2, 3), (), ("a",), "yes", Mute(), ValueError(KEY), (None, None, None)])
def test_whatever_is_called_an_exception_is_no_reason_to_fail(page: Page, info: object) -> None:
    page.log.error("thing.happened", exc_info=info)
    assert page.line["message"] == "thing.happened"
    assert KEY[4:] not in page.text


def test_a_line_that_is_cut_never_begins_within_a_key(page: Page) -> None:
    page.log.info("thing.happened", detail=" ".join([KEY] * 8_000 + ["x" * 200_000]))
    assert "cut" in page.line
    assert KEY[-8:] not in page.text


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.floats(),
        st.integers(),
        st.text(),
        st.binary(),
        st.sampled_from([KEY, f"x={KEY}", KEY.encode(), Speaker(), Mute(), ValueError(KEY), SecretStr(KEY)]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.just(KEY), st.tuples(st.just(KEY))), inner, max_size=4),
    ),
    max_leaves=20,
)


@given(
    ANYTHING,
    st.dictionaries(st.text(max_size=5).filter(lambda name: name not in {"event", "self"}), ANYTHING, max_size=3),
)
def test_no_field_of_any_kind_keeps_a_line_from_being_written(event: object, fields: dict[str, object]) -> None:
    page = Page()
    page.log.info(event, **fields)
    assert page.line["severity"] == "INFO"
    assert KEY[4:] not in page.text
