"""A tiers.json that cannot be used is refused before anything starts: one line with the tier and the remedy."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hedgerow import tiers
from hedgerow.errors import HedgerowError
from local.dev_settings import CannotStartError, Options, settings_of

SHIPPED: dict[str, Any] = json.loads((Path(__file__).parents[2] / "tiers.json").read_text(encoding="utf-8"))
SCALE = SHIPPED["scale"]


def written(folder: Path, content: object) -> Path:
    file = folder / "tiers.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


@pytest.mark.parametrize("minutes", [5, 15, 90, 1440])
def test_an_interval_may_be_any_part_of_a_day(tmp_path: Path, minutes: int) -> None:
    file = written(tmp_path, {**SHIPPED, "scale": {**SCALE, "every_minutes": minutes}})
    assert tiers.load(file)["scale"].every == timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [0, -30, 1, 4, 7, 1000, 2880, 30.0, "30", True, [30]])
def test_an_interval_that_cannot_be_kept_is_refused(tmp_path: Path, minutes: object) -> None:
    with pytest.raises(HedgerowError) as refused:
        tiers.load(written(tmp_path, {**SHIPPED, "scale": {**SCALE, "every_minutes": minutes}}))
    assert refused.value.detail == f"`scale` in tiers.json: `every_minutes` is {minutes!r}."
    assert "divides a day" in refused.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**SHIPPED, "scale": {**SCALE, "kept_days": -1}}, "`scale` in tiers.json: `kept_days` is -1"),
        ({**SHIPPED, "scale": {**SCALE, "kept_days": 1.5}}, "`kept_days` is 1.5"),
        ({**SHIPPED, "scale": {**SCALE, "by_hand": "yes"}}, "`by_hand` is 'yes'"),
        ({**SHIPPED, "scale": {"every_minutes": 30, "by_hand": True}}, "`scale` in tiers.json lacks `kept_days`"),
        ({**SHIPPED, "scale": {**SCALE, "every": 3}}, "has an unknown `every`"),
        ({**SHIPPED, "scale": 30}, "`scale` in tiers.json is not a JSON object"),
        ({**SHIPPED, "gold": SCALE}, "`gold` in tiers.json is no tier"),
        ({name: each for name, each in SHIPPED.items() if name != "pro"}, "`pro` in tiers.json is missing"),
        ([], "not a JSON object of tiers"),
        ("{", "is not JSON"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(HedgerowError) as refused:
        tiers.load(written(tmp_path, content))
    assert said in refused.value.detail
    assert refused.value.hint


def test_the_remedy_names_the_file_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("[]")
    with pytest.raises(HedgerowError) as refused:
        tiers.load(tmp_path / "mine.json")
    assert refused.value.hint == "Mend mine.json."


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HedgerowError, match=r"none\.json cannot be read: No such file"):
        tiers.load(tmp_path / "none.json")


def test_the_local_server_does_not_start_on_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, {**SHIPPED, "scale": {**SCALE, "every_minutes": 7}})
    monkeypatch.setenv("HEDGEROW_TIERS_FILE", str(file))
    with pytest.raises(CannotStartError) as refused:
        settings_of(Options(port=0, data=tmp_path))
    assert str(refused.value).startswith("`scale` in tiers.json: `every_minutes` is 7. Take null")
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(f"The file is {file}, by HEDGEROW_TIERS_FILE.")
