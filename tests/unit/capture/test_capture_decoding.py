"""A body is read in every form an SDK has ever sent, and never unpacked beyond its limit."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.capture.wire import lz64
from functions.capture.wire.decoding import EmptyBodyError, TooLargeError, UnreadableError, decode
from local.posthog import encodings as posthog

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lzstring import LZString  # type: ignore[import-untyped]

LIMIT = 1_000_000
TEXT = json.dumps([{"event": "a b+c", "distinct_id": "ü~?", "properties": {"x": "\0>>>???"}}]).encode()
FORM = "application/x-www-form-urlencoded"


def _read(
    body: bytes,
    *,
    query: dict[str, str] | None = None,
    content_type: str = "text/plain",
    encoding: str = "",
    legacy: bool = False,
    limit: int = LIMIT,
) -> bytes:
    return decode(body, query=query or {}, content_type=content_type, encoding=encoding, legacy=legacy, limit=limit)


def _raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


def _lz64(text: bytes) -> bytes:
    units = text.decode().encode("utf-16-le")
    packed: str = LZString.compressToBase64("".join(map(chr, struct.unpack(f"<{len(units) // 2}H", units))))
    return packed.encode()


def _form(text: bytes) -> bytes:
    return b"data=" + quote_plus(base64.b64encode(text)).encode() + b"&compression=base64"


def _sloppy_form(text: bytes) -> bytes:
    return b"ip=1&data=" + base64.b64encode(text)


def _json_form(text: bytes) -> bytes:
    return b"data=" + quote(text).encode()


WAYS: list[tuple[Callable[[bytes], bytes], dict[str, str], str, str]] = [
    (bytes, {}, "application/json", ""),
    (bytes, {}, "text/plain", "gzip"),
    (bytes, {"compression": "gzip-js"}, FORM, "identity"),
    (bytes, {}, "application/json", "br"),
    (bytes, {}, "application/json", "deflate"),
    (bytes, {}, "", "nonsense"),
    (gzip.compress, {}, "text/plain", ""),
    (gzip.compress, {}, "application/json", "gzip"),
    (gzip.compress, {}, FORM, ""),
    (gzip.compress, {"compression": "gzip-js", "ver": "1"}, "text/plain", ""),
    (lambda text: gzip.compress(gzip.compress(text)), {"compression": "gzip-js"}, "text/plain", "gzip"),
    (lambda text: gzip.compress(text[:7]) + gzip.compress(text[7:]), {}, "", "gzip"),
    (lambda text: base64.b64encode(gzip.compress(text)), {"compression": "gzip"}, "", ""),
    (zlib.compress, {}, "application/json", "deflate"),
    (zlib.compress, {}, "application/json", ""),
    (_raw_deflate, {}, "application/json", "Deflate"),
    (zstandard.compress, {}, "application/json", "zstd"),
    (zstandard.compress, {}, "application/json", ""),
    (brotli.compress, {}, "application/json", "br"),
    (lambda text: gzip.compress(brotli.compress(text)), {}, "application/json", "br, gzip"),
    (base64.b64encode, {"compression": "base64"}, "text/plain", ""),
    (base64.b64encode, {}, "text/plain", ""),
    (base64.urlsafe_b64encode, {}, "text/plain", ""),
    (base64.encodebytes, {}, "text/plain", ""),
    (lambda text: base64.b64encode(text).rstrip(b"="), {}, "text/plain", ""),
    (base64.b64encode, {}, FORM, ""),
    (_lz64, {"compression": "lz64"}, "text/plain", ""),
    (lambda text: b"data=" + quote(_lz64(text)).encode() + b"&compression=lz64", {}, FORM, ""),
    (_form, {}, FORM, ""),
    (_form, {"compression": "base64"}, FORM + "; charset=UTF-8", ""),
    (_form, {}, "text/plain", ""),
    (_sloppy_form, {}, FORM, ""),
    (_json_form, {}, FORM, ""),
]


@pytest.mark.parametrize(("pack", "query", "content_type", "encoding"), WAYS)
@pytest.mark.parametrize("legacy", [False, True])
@settings(max_examples=20, deadline=None)
@given(events=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=3))
def test_every_form_gives_the_same_text_back(
    pack: Callable[[bytes], bytes],
    query: dict[str, str],
    content_type: str,
    encoding: str,
    legacy: bool,
    events: list[object],
) -> None:
    for text in (TEXT, json.dumps(events).encode(), json.dumps({"batch": events}, ensure_ascii=True).encode()):
        body = pack(text)
        assert _read(body, query=query, content_type=content_type, encoding=encoding, legacy=legacy) == text


def test_the_query_holds_the_events_of_a_get() -> None:
    packed = base64.b64encode(TEXT).decode()
    assert "+" in packed
    assert _read(b"", query={"data": packed}) == TEXT
    assert _read(b"", query={"data": packed.replace("+", " ")}) == TEXT
    assert _read(b"", query={"data": TEXT.decode()}) == TEXT
    assert _read(b"ignored", query={"data": TEXT.decode()}) == TEXT
    assert _read(b"", query={"data": _lz64(TEXT).decode(), "compression": "lz64"}) == TEXT


def test_old_paths_unwrap_once_more() -> None:
    twice = base64.b64encode(base64.b64encode(TEXT))
    assert _read(twice, legacy=True) == TEXT
    assert _read(twice, legacy=False) == base64.b64encode(TEXT)
    assert _read(gzip.compress(base64.b64encode(TEXT)), legacy=True) == TEXT


@pytest.mark.parametrize("body", [b"", b"  \r\n", gzip.compress(b"", mtime=0), b"data="])
def test_nothing_is_said_to_be_nothing(body: bytes) -> None:
    with pytest.raises(EmptyBodyError):
        _read(body, content_type=FORM)


@pytest.mark.parametrize(
    "body",
    [
        b"\x1f\x8b\x08garbage that is no gzip",
        b"\x28\xb5\x2f\xfdgarbage that is no zstd",
        zstandard.compress(TEXT)[:9],
        b"\x78\x9cgarbage that is no zlib",
        b"name=value",
        b"a=1&" * 200,
    ],
)
def test_what_cannot_be_unpacked_says_so(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        _read(body, content_type=FORM)


def test_what_is_cut_off_is_read_as_far_as_it_goes() -> None:
    text = b"[" + b",".join(b'{"event":"%d"}' % number for number in range(5_000)) + b"]"
    packed = gzip.compress(text)
    begun = _read(packed[: len(packed) // 2])
    assert text.startswith(begun)
    assert len(begun) > 1_000


def _stuffed_zstd(size: int) -> bytes:
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as writer:
        for _ in range(size // 1_000_000):
            writer.write(b" " * 1_000_000)
    return out.getvalue()


_BOMB = b"[" + b" " * 50_000_000 + b"]"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(_BOMB, mtime=0), ""),
        (gzip.compress(gzip.compress(_BOMB, mtime=0), mtime=0), ""),
        (base64.b64encode(gzip.compress(_BOMB, mtime=0)), ""),
        (gzip.compress(b" " * 700_000, mtime=0) + gzip.compress(b" " * 700_000, mtime=0), ""),
        (zlib.compress(_BOMB), ""),
        (_raw_deflate(_BOMB), "deflate"),
        (brotli.compress(_BOMB, quality=5), "br"),
        (_stuffed_zstd(50_000_000), ""),
        (b"[" + b" " * LIMIT, ""),
    ],
)
def test_a_bomb_goes_off_at_the_limit(body: bytes, encoding: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            _read(body, encoding=encoding)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * LIMIT


def test_a_zstd_frame_may_not_ask_for_much_memory() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(UnreadableError):
        _read(packer.compress(TEXT) + packer.flush())


def test_lz64_of_few_letters_stops_at_the_limit() -> None:
    packed = _lz64(b"[" + b"a" * 300_000 + b"]")
    assert len(packed) < 3_000
    with pytest.raises(TooLargeError):
        _read(packed, query={"compression": "lz64"}, limit=100_000)
    with pytest.raises(TooLargeError):
        _read(b"A" * (lz64.MOST_BYTES + 4), query={"compression": "lz64"}, limit=10 * lz64.MOST_BYTES)


@given(st.text(max_size=300))
def test_lz64_is_read_as_the_library_writes_it(text: str) -> None:
    assert lz64.unpacked(_lz64(text.encode()), 10_000) == text.encode()


@given(
    body=st.binary(max_size=80) | st.text("ABCDab01+/=&-_ ", max_size=60).map(str.encode),
    query=st.dictionaries(st.sampled_from(["data", "compression"]), st.sampled_from(["lz64", "gzip", "e30=", "x=y"])),
    content_type=st.sampled_from(["", FORM, "application/json"]),
    encoding=st.sampled_from(["", "gzip", "br", "deflate", "zstd", "br,gzip"]),
    legacy=st.booleans(),
)
@settings(max_examples=500)
def test_only_three_things_can_go_wrong(
    body: bytes, query: dict[str, str], content_type: str, encoding: str, legacy: bool
) -> None:
    try:
        text = _read(body, query=query, content_type=content_type, encoding=encoding, legacy=legacy, limit=1_000)
    except (EmptyBodyError, UnreadableError, TooLargeError):
        return
    assert text.strip()
    assert len(text) <= 1_000


@given(seed=st.integers(), legacy=st.booleans())
def test_what_posthog_decodes_is_decoded_the_same(seed: int, legacy: bool) -> None:
    chance = random.Random(seed)
    pack, query, content_type, encoding = chance.choice(WAYS)
    body = pack(TEXT)
    hint = query.get("compression") or encoding
    try:
        expected = posthog.decode(body, content_type=content_type, hint=hint, is_legacy_path=legacy)
        json.loads(expected)
    except (posthog.DecodeError, ValueError):
        return
    assert _read(body, query=query, content_type=content_type, encoding=encoding, legacy=legacy) == expected.encode()
