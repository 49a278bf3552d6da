"""The memory of good answers keeps its bounds, and tells a good answer from another."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.through.asking import Kind
from functions.capture.through.freshness import is_same, seconds_fresh
from functions.capture.through.last_good import Kept, LastGood, unpacked
from functions.capture.through.soundness import judge

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def kept(size: int) -> Kept:
    return Kept([(b"etag", b'"a"')], bytes(size), NOW, NOW)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3_000)), max_size=120))
def test_memory_never_holds_more_than_its_bounds(answers: list[tuple[int, int]]) -> None:
    memory = LastGood(20_000, 7)
    for question, size in answers:
        memory.keep(str(question), kept(size))
        found = [each for n in range(31) if (each := memory.find(str(n))) is not None]
        assert memory.held_bytes == sum(each.size for each in found) <= 20_000
        assert len(memory) == len(found) <= 7


def test_the_least_used_goes_first() -> None:
    memory = LastGood(1 << 20, 2)
    memory.keep("a", kept(1))
    memory.keep("b", kept(1))
    memory.find("a")
    memory.keep("c", kept(1))
    assert (memory.find("a") is None, memory.find("b") is None) == (False, True)


def test_an_answer_too_large_for_its_room_pushes_nothing_out() -> None:
    memory = LastGood(80_000, 10)
    memory.keep("a", kept(100))
    memory.keep("b", kept(10_001))
    assert (memory.find("b"), memory.find("a") is not None) == (None, True)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(40)) + bomb.flush()
    assert unpacked(packed, b"gzip") is None
    assert unpacked(gzip.compress(b"fine"), b"gzip") == b"fine"
    assert unpacked(gzip.compress(b"cut off")[:-3], b"gzip") is None
    assert unpacked(b"x", b"br") is None


JSON = [(b"Content-Type", b"application/json")]
PAGE = [(b"Content-Type", b"text/html; charset=utf-8")]


@pytest.mark.parametrize(
    ("kind", "status", "headers", "body", "worth"),
    [
        ("flags", 200, JSON, b'{"flags":{}}', "good"),
        ("flags", 200, JSON, b'{"featureFlags":["a"],"errorsWhileComputingFlags":false}', "good"),
        ("flags", 200, JSON, b'{"flags":{},"errorsWhileComputingFlags":true}', "passing"),
        ("flags", 200, JSON, b'{"flags":{},"quotaLimited":["feature_flags"]}', "passing"),
        ("flags", 200, JSON, b"{}", "passing"),
        ("flags", 200, JSON, b"NaN", "failed"),
        ("flags", 401, JSON, b'{"code":"x"}', "passing"),
        ("flags", 200, JSON, b"<html>", "failed"),
        ("flags", 403, PAGE, b"blocked", "failed"),
        ("flags", 204, JSON, b"", "passing"),
        ("flags", 408, JSON, b"", "failed"),
        ("flags", 429, JSON, b"", "busy"),
        ("flags", 503, JSON, b"", "failed"),
        ("flags", 307, JSON, b"", "failed"),
        ("config", 304, [], b"", "passing"),
        ("lists", 200, JSON, b"[]", "failed"),
        ("payload", 200, JSON, b'"text"', "good"),
        ("payload", 200, JSON, b"null", "good"),
        ("static", 200, JSON, b"run()", "good"),
        ("static", 200, PAGE, b"<html>", "failed"),
        ("static", 404, PAGE, b"<html>", "passing"),
        ("static", 200, [], b"<svg/>", "good"),
        ("lists", 200, [(b"Content-Encoding", b"gzip")], gzip.compress(b'{"surveys":[]}', mtime=0), "good"),
        ("lists", 200, [(b"Content-Encoding", b"gzip")], b"\x1f\x8bcut", "failed"),
        ("lists", 200, [(b"Content-Encoding", b"br")], b"\x0b\x01", "passing"),
    ],
)
def test_what_an_answer_is_worth(
    kind: Kind, status: int, headers: list[tuple[bytes, bytes]], body: bytes, worth: str
) -> None:
    assert judge(kind, "/any", status, headers, body) == worth


def test_a_script_of_configuration_need_not_be_json() -> None:
    assert judge("config", "/array/a/config.js", 200, [], b"(function(){})()") == "good"
    assert judge("config", "/array/a/config.js", 200, [], b" ") == "failed"
    assert judge("config", "/array/a/config", 200, [], b"(function(){})()") == "failed"


@pytest.mark.parametrize(
    ("held", "same"),
    [('"a"', True), ('W/"a"', True), ("a", True), ('"b", W/"a"', True), ("*", True), ('"b"', False), ("", False)],
)
def test_a_tag_is_the_same_weak_strong_or_bare(held: str, same: bool) -> None:
    assert is_same(b'W/"a"', held.encode()) is same


def test_an_answer_without_a_tag_is_never_the_same() -> None:
    assert not is_same(b"", b"*")


def test_freshness_has_an_end() -> None:
    assert seconds_fresh([(b"cache-control", b"public, max-age=31536000, immutable")]) == 86_400
    assert seconds_fresh([(b"cache-control", b"max-age=60"), (b"age", b"70")]) == 0
    assert seconds_fresh([(b"cache-control", b"max-age=60"), (b"vary", b"*")]) == 0
    assert seconds_fresh([(b"cache-control", b"max-age=60"), (b"set-cookie", b"a=b")]) == 0
