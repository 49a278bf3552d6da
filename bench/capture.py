"""Capture under load: our host, a bare pass-through and nginx, before the same upstream, in turn.

Every proxy is one process. Ours and the bare one run on the same uvicorn, loop and parser.
The upstream is another nginx answering at once, so that nothing but the proxies is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from bench import load, nginx
from bench.capture_bodies import bodies
from bench.capture_stage import connected, serving
from bench.figures import Row, compared, rated, unmeasured
from bench.load import Load
from bench.rounds import one_by_one
from bench.sizes import Sizes
from hedgerow.settings import Settings

NAME = "capture"
CONNECTIONS = 32
KINDS = {"one": "single event", "fifty": "50 events, plain", "fifty_gzip": "50 events, gzip"}
LEAST = {"one": (0.65, 0.35), "fifty": (0.4, None), "fifty_gzip": (0.35, None)}
"""At least this part of the bare pass-through, and of nginx as the proxy."""
TIMES_THE_TAIL = 1.5


def measure(sizes: Sizes) -> list[Row]:
    """Rates, and the p99 at half of the bare one's capacity."""
    if not nginx.is_there() or not load.is_there():
        return [unmeasured(NAME, "capture under load", "nginx and wrk (apt-get install nginx-light wrk) are not here")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with nginx.upstream(folder / "upstream") as upstream, nginx.proxies(folder / "proxy", upstream) as peer:
            asyncio.run(connected(Settings(data=folder / "data"), upstream))
            with (
                serving("ours", upstream, folder) as (ours, _),
                serving("bare", upstream, folder) as (bare, _),
            ):
                origins = {"ours": ours, "bare": bare, "nginx": peer.plain, "tuned": peer.tuned}
                return _rows(sizes, origins, bodies(folder / "bodies"))


def _rows(sizes: Sizes, origins: dict[str, str], files: dict[str, Path]) -> list[Row]:
    rows: list[Row] = []
    capacity = 0.0
    for kind in KINDS:
        told = {who: origin for who, origin in origins.items() if who != "tuned" or kind == "one"}
        rates = _rates(sizes, told, Load(files[kind], is_gzip=kind.endswith("gzip")))
        capacity = capacity or median(rates["bare"])
        rows += _compared(kind, rates)
    rows.append(_paced(sizes, origins, Load(files["one"]), capacity / 2))
    return rows


def _rates(sizes: Sizes, origins: dict[str, str], sent: Load) -> dict[str, list[float]]:
    seconds = 3 if sizes.full else 2

    def rate(origin: str) -> float:
        return load.run(origin, sent, connections=CONNECTIONS, seconds=seconds).rate

    return one_by_one(sizes.rounds, {who: partial(rate, origin) for who, origin in origins.items()})


def _compared(kind: str, rates: dict[str, list[float]]) -> list[Row]:
    what, (of_bare, of_nginx) = f"requests, {KINDS[kind]}", LEAST[kind]
    plain = "proxy_pass alone, as the package configures it: a new connection for every request"
    tuned = "with `keepalive` towards the upstream, which somebody must know to write; for comparison"
    ours = rates["ours"]
    rows = [
        rated(NAME, f"{what}, against a bare pass-through", ours, rates["bare"], least=of_bare),
        rated(NAME, f"{what}, against nginx as the proxy", ours, rates["nginx"], least=of_nginx, note=plain),
    ]
    if "tuned" in rates:
        rows.append(
            rated(
                NAME, f"{what}, against nginx that keeps its connections", ours, rates["tuned"], least=None, note=tuned
            )
        )
    return rows


def _paced(sizes: Sizes, origins: dict[str, str], sent: Load, rate: float) -> Row:
    seconds = 10 if sizes.full else 3

    def tail(origin: str) -> float:
        return load.run(origin, sent, connections=CONNECTIONS, seconds=seconds, rate=rate).p99

    tails = one_by_one(5 if sizes.full else 3, {who: partial(tail, origins[who]) for who in ("ours", "bare")})
    return compared(
        NAME,
        "p99 at half of the bare one's capacity",
        tails["ours"],
        tails["bare"],
        limit=TIMES_THE_TAIL,
        note=f"{rate:.0f} requests a second for {seconds} s",
    )
