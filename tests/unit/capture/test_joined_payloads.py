"""Payloads with seams: gzip like any other, and joined without being unpacked they are the joined batch."""

from __future__ import annotations

import gzip
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.deliveries import compressed, packed_batch
from hedgerow.payloads import joined, packed_payload

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
lots = st.lists(st.dictionaries(st.text(max_size=8), values, max_size=5), min_size=1, max_size=6)
tokens = st.text(min_size=1, max_size=60)


def inside(events: object) -> bytes:
    return orjson.dumps(events)[1:-1]


@given(tokens, st.lists(lots, min_size=1, max_size=6), st.booleans())
def test_joined_is_the_batch_of_all_their_events(token: str, several: list[list[object]], historical: bool) -> None:
    payloads = [packed_payload(token, inside(each), historical=historical) for each in several]
    for payload, each in zip(payloads, several, strict=True):
        assert gzip.decompress(payload) == packed_batch(token, inside(each), historical=historical)
    whole = joined(token, payloads, historical=historical)
    assert whole is not None
    wanted = packed_batch(token, inside([event for each in several for event in each]), historical=historical)
    assert gzip.decompress(whole) == wanted


def test_a_joined_payload_can_be_joined_again() -> None:
    payloads = [packed_payload("phc_x", inside([{"n": n}]), historical=False) for n in range(4)]
    pairs = [joined("phc_x", payloads[at : at + 2], historical=False) for at in (0, 2)]
    whole = joined("phc_x", [pair for pair in pairs if pair is not None], historical=False)
    assert whole == joined("phc_x", payloads, historical=False)


@pytest.mark.parametrize("size", [32_767, 32_768, 32_769, 65_536, 1_000_003])
def test_long_events_are_summed_rightly(size: int) -> None:
    payloads = [packed_payload("phc_x", inside(["é" * (size // 2), number]), historical=False) for number in range(3)]
    whole = joined("phc_x", payloads, historical=False)
    assert whole is not None
    assert len(orjson.loads(gzip.decompress(whole))["batch"]) == 6


def test_what_is_anothers_or_has_no_seams_is_not_joined() -> None:
    ours = packed_payload("phc_x", inside([{"n": 1}]), historical=False)
    strangers = [
        packed_payload("phc_y", inside([{"n": 1}]), historical=False),
        packed_payload("phc_x", inside([{"n": 1}]), historical=True),
        packed_payload("phc_x", b"", historical=False),
        compressed(packed_batch("phc_x", inside([{"n": 1}]), historical=False)),
        compressed(b'{"api_key":"phc_x","batch":[{"n":1}]}'),
        ours[:-9],
        ours[:30],
        b"",
    ]
    assert joined("phc_x", [ours, ours], historical=False) is not None
    for stranger in strangers:
        assert joined("phc_x", [ours, stranger], historical=False) is None


def test_a_damaged_payload_never_passes_for_a_whole_one() -> None:
    good = packed_payload("phc_x", inside([{"n": "abcdefgh" * 40}]), historical=False)
    undamaged = joined("phc_x", [good, good], historical=False)
    assert undamaged is not None
    found = 0
    for place in range(8 * len(good)):
        damaged = bytearray(good)
        damaged[place // 8] ^= 1 << place % 8
        whole = joined("phc_x", [good, bytes(damaged)], historical=False)
        try:
            # A bit that fills up a byte may be either.
            assert whole is None or gzip.decompress(whole) == gzip.decompress(undamaged)
        except (OSError, EOFError, zlib.error):
            found += 1
    assert found > len(good)
