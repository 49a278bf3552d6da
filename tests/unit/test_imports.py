"""`import hedgerow` on a bare machine: fast, offline, without Google."""

from __future__ import annotations

from bench.imports import LIMIT_MS, beyond, run, watched


def test_importing_hedgerow_touches_neither_google_nor_the_network() -> None:
    assert watched("import hedgerow") == {"google": [], "network": []}


def test_the_watch_sees_google_and_the_network() -> None:
    touched = watched("import google.auth.exceptions, socket; socket.socket(type=socket.SOCK_DGRAM).close()")
    assert "google.auth.exceptions" in touched["google"]
    assert "socket.__new__" in touched["network"]


def test_importing_hedgerow_takes_less_than_the_limit_beyond_a_bare_python() -> None:
    rounds = [(run("import hedgerow"), run("pass")) for _ in range(5)]
    # The best round: a busy machine may slow down every one of them, but never makes one fast.
    assert min(beyond([with_it for with_it, _ in rounds], [without for _, without in rounds])) < LIMIT_MS
