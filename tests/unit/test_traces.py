"""Reading, making and going on in W3C traces."""

from __future__ import annotations

import asyncio
import contextvars
import re

import pytest

from hedgerow import traces
from hedgerow.traces import begin_unread, begun, current, going_on, trace_id_of, traceparent

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{ID}-{SPAN}-01"


def test_a_call_goes_on_in_the_trace_it_names() -> None:
    with begun({"traceparent": PARENT}, "acme") as trace:
        assert (trace.id, trace.span, trace.sampled) == (ID, SPAN, True)
        assert trace.name == f"projects/acme/traces/{ID}"
        assert traceparent() == PARENT
    assert current() is None
    assert traces.attributes() == {}


def test_google_writes_the_span_as_a_decimal_number() -> None:
    with begun({"x-cloud-trace-context": f"{ID.upper()}/{int(SPAN, 16)};o=1"}) as trace:
        assert traceparent() == PARENT
        assert trace.name == ID
    with begun({"x-cloud-trace-context": ID}) as trace:
        assert trace.id == ID
        assert re.fullmatch("[0-9a-f]{16}", trace.span)
        assert not trace.sampled


@pytest.mark.parametrize(("flags", "kept"), [("00", False), ("01", True), ("02", False), ("03", True), ("fe", False)])
def test_of_the_flags_only_the_last_bit_says_that_a_trace_is_kept(flags: str, kept: bool) -> None:
    with begun({"traceparent": f"00-{ID}-{SPAN}-{flags}"}) as trace:
        assert trace.sampled is kept


def test_the_newer_header_is_believed_where_both_came() -> None:
    with begun({"traceparent": PARENT, "x-cloud-trace-context": f"{'1' * 32}/1;o=0"}) as trace:
        assert trace.id == ID


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID}-{SPAN}",
        f"00-{ID}-{SPAN}-1",
        f"00-{ID}-{SPAN}-zz",
        f"{PARENT}\n",
        "x" * 100_000,
    ],
)
def test_what_is_no_trace_begins_a_new_one(header: str) -> None:
    if header.endswith("\n"):
        header = header.replace("00-", "0-")
    with begun({"traceparent": header}) as trace, begun({"traceparent": header}) as other:
        assert trace.id != other.id
        assert re.fullmatch(f"00-{trace.id}-[0-9a-f]{{16}}-00", trace.parent)
    assert trace_id_of(header) is None


def test_a_later_version_may_say_more() -> None:
    assert trace_id_of(f"01-{ID}-{SPAN}-01-what-comes") == ID


def test_work_of_a_record_goes_on_in_its_trace_and_keeps_the_requests() -> None:
    with begun({"traceparent": f"00-{'1' * 32}-{'2' * 16}-00"}, "acme"):
        with going_on(PARENT):
            trace = current()
            assert trace is not None
            assert (trace.id, trace.project, trace.request_id) == (ID, "acme", "1" * 32)
            with going_on(f"00-{'3' * 32}-{SPAN}-01"):
                inner = current()
                assert inner is not None
                assert (inner.id, inner.request_id) == ("3" * 32, "1" * 32)
        left = current()
        assert left is not None
        assert left.id == "1" * 32


def test_a_record_without_a_trace_and_one_of_the_same_change_nothing() -> None:
    with begun({"traceparent": PARENT}) as trace:
        for kept in (None, "", "broken", f"00-{ID}-{'5' * 16}-00"):
            with going_on(kept):
                assert current() is trace


def test_a_trace_made_up_here_is_no_request_to_look_for() -> None:
    with begun({}), going_on(PARENT):
        trace = current()
        assert trace is not None
        assert trace.request_id is None


async def test_tasks_inherit_the_trace_and_do_not_leak_theirs() -> None:
    async def work() -> str | None:
        with going_on(f"00-{'3' * 32}-{SPAN}-01"):
            return traceparent()

    with begun({"traceparent": PARENT}):
        (inner,) = await asyncio.gather(work())
        assert inner == f"00-{'3' * 32}-{SPAN}-01"
        assert traceparent() == PARENT


def test_an_unread_trace_is_read_at_the_first_question() -> None:
    def ask() -> tuple[str | None, str | None]:
        begin_unread({b"traceparent": PARENT.encode(), b"x-odd": b"\xff"}, "acme")
        first = current()
        assert first is not None
        assert first.name.startswith("projects/acme")
        begin_unread({})
        return first.parent, traceparent() if current() is current() else None

    first, made = contextvars.copy_context().run(ask)
    assert first == PARENT
    assert made is not None
    assert made != first
