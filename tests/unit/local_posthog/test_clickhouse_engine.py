"""The engine: one path for a process, failures that leave nothing behind, text that stays text."""

from pathlib import Path

import pytest

from local.posthog.engine import identifier, literal, open_engine
from local.posthog.errors import ClickHouseError


def test_a_failed_statement_leaves_nothing_in_the_next_answer() -> None:
    engine = open_engine()
    with pytest.raises(ClickHouseError) as refused:
        engine.execute("SELECT throwIf(number = 2) FROM numbers(3)", "JSONCompactEachRowWithNamesAndTypes")
    assert refused.value.name == "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"
    assert engine.execute("SELECT 5 AS x") == b"[5]\n"
    engine.close()


def test_a_second_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="one path only"):
        open_engine(tmp_path / "another")


@pytest.mark.parametrize(
    "text", ["it's", 'q"q', "back\\slash", "line\nbreak\r\t", "nul\0", "😀", "%s {x:String}", "\\'"]
)
def test_literals_and_identifiers_come_back_as_they_were(text: str) -> None:
    import json

    engine = open_engine()
    name = text.replace("\0", "")
    [line] = engine.execute(f"SELECT {literal(text)} AS {identifier(name)}", "JSONEachRow").splitlines()
    assert json.loads(line) == {name: text}
    engine.close()
