"""The store calls that a first call makes are those that the floor of `bench.starts` makes for its row."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bench import first_calls
from bench.bare_calls import CALLS
from functions.capture import hosting
from tests.stage import staged

if TYPE_CHECKING:
    from hedgerow.ports import Store

KINDS = {"get": "get", "get_many": "get", "find": "query", "commit": "commit", "count": "count"}
HELD = [call for call in first_calls.calls() if call.limit is not None]


class Counted:
    """A store, with its calls counted by kind. What asks for nothing and what changes nothing goes nowhere."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)
        if name not in KINDS:
            return call

        def counted(*asked: Any, **how: Any) -> Any:
            if asked and asked[-1] != []:
                self.calls[KINDS[name]] += 1
            return call(*asked, **how)

        return counted


@pytest.mark.parametrize("call", HELD, ids=lambda call: call.target)
async def test_the_floor_makes_the_store_calls_of_the_row(call: first_calls.Call) -> None:
    module = importlib.import_module(call.source.removesuffix(".py").replace("/", "."))
    async with staged() as stage:
        nowhere = "http://127.0.0.1:1"
        asked = await call.asked(first_calls.Stage(stage.app, nowhere, nowhere))
        store = Counted(stage.store)
        counted = replace(stage, app=replace(stage.app, store=cast("Store", store)))
        async with counted.calling(getattr(module, call.target), None) as client:
            answer = await client.request(asked.method, asked.path, content=asked.body, headers=asked.headers)
        await hosting.close(counted.app)
    assert answer.status_code == asked.status
    named = call.store.replace(";", ",").split(",")
    assert store.calls == Counter(named)
    assert CALLS.keys() >= set(named)
