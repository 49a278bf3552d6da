"""Capture under load: our host, a bare pass-through and nginx, before the same upstream, in turn.

Both Python servers are one process with the same uvicorn, loop and parser. The upstream is
nginx answering at once, so that nothing but the proxies is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import load, nginx
from bench.capture_stage import bodies, connected, serving
from bench.figures import Row, compared, rated, unmeasured
from bench.load import Answered, Load
from bench.sizes import Sizes

NAME = "capture"
CONNECTIONS = 32
WHAT = {"one": "single event", "fifty": "50 events, plain", "fifty_gzip": "50 events, gzip"}
LEAST = {"one": (0.65, 0.35), "fifty": (0.4, None), "fifty_gzip": (0.35, None)}
"""At least this part of the bare pass-through, and of nginx as the proxy."""


def measure(sizes: Sizes) -> list[Row]:
    """Rates, and the p99 at half of the bare one's capacity."""
    if not nginx.is_there() or not load.is_there():
        return [unmeasured(NAME, "capture under load", "nginx and wrk (apt-get install nginx-light wrk) are not here")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with nginx.serving(folder / "nginx") as peer:
            asyncio.run(connected(folder / "data", peer.upstream))
            with (
                serving("ours", peer.upstream, folder) as (ours, _),
                serving("bare", peer.upstream, folder) as (bare, _),
            ):
                return _rows(sizes, {"ours": ours, "bare": bare, "nginx": peer.proxy}, bodies(folder / "bodies"))


def _rows(sizes: Sizes, origins: dict[str, str], files: dict[str, Path]) -> list[Row]:
    rows: list[Row] = []
    seconds = 5.0 if sizes.full else 1.5
    capacity = 0.0
    for kind, what in WHAT.items():
        sent = Load(files[kind], is_gzip=kind.endswith("gzip"))
        rates = in_turn(
            sizes.rounds,
            {who: _once(origin, sent, seconds) for who, origin in origins.items()},
        )
        least, of_nginx = LEAST[kind]
        rows.append(
            rated(NAME, f"requests, {what}, against a bare pass-through", rates["ours"], rates["bare"], least=least)
        )
        rows.append(
            rated(
                NAME,
                f"requests, {what}, against nginx as the proxy",
                rates["ours"],
                rates["nginx"],
                least=of_nginx,
                note="proxy_pass alone, as the package configures it",
            )
        )
        capacity = capacity or sorted(rates["bare"])[len(rates["bare"]) // 2]
    rows.append(_paced(sizes, origins, Load(files["one"]), capacity / 2))
    return rows


def _paced(sizes: Sizes, origins: dict[str, str], sent: Load, rate: float) -> Row:
    seconds = 10.0 if sizes.full else 3.0

    def once(origin: str) -> Callable[[], float]:
        return lambda: load.run(origin, sent, connections=CONNECTIONS, seconds=seconds, rate=rate).p99

    tails = in_turn(5 if sizes.full else 3, {who: once(origins[who]) for who in ("ours", "bare")})
    return compared(
        NAME,
        "p99 at half of the bare one's capacity",
        tails["ours"],
        tails["bare"],
        limit=1.5,
        note=f"{rate:.0f} requests a second for {seconds:g} s",
    )


def _once(origin: str, sent: Load, seconds: float) -> Callable[[], float]:
    return lambda: checked(load.run(origin, sent, connections=CONNECTIONS, seconds=seconds)).rate


def checked(answered: Answered) -> Answered:
    """The same, if every request was answered 2xx."""
    if answered.failures:
        raise RuntimeError(f"{answered.failures} of {answered.requests} requests failed")
    return answered


def in_turn(rounds: int, timed: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """A figure of each, round by round, every second round the other way about; the first round is not counted."""
    figures: dict[str, list[float]] = {name: [] for name in timed}
    names = list(timed)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            figure = timed[name]()
            if number:
                figures[name].append(figure)
    return figures
