"""What a file may state: its schema is published as it is, secrets are only named, and differences are said field by field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hedgerow.cli import differing, exporting, stated
from hedgerow.cli.stops import Stop

PAGE = Path(__file__).resolve().parents[3] / "docs" / "hedgerow.schema.json"


def test_the_published_schema_is_the_code_s() -> None:
    # Written anew by: hedgerow schema > docs/hedgerow.schema.json
    assert json.loads(PAGE.read_text(encoding="utf-8")) == json.loads(json.dumps(stated.schema()))


def test_a_secret_written_out_is_refused_without_being_said() -> None:
    with pytest.raises(Stop) as refused:
        stated.parse({"version": 1, "channels": {"a": {"url": "https://hooks.slack.com/services/T/B/s3cret"}}})
    assert "does not belong here" in refused.value.detail
    assert "s3cret" not in refused.value.detail + refused.value.hint


def test_a_reference_names_one_place() -> None:
    for reference in ({}, {"env": "A", "file": "b"}):
        with pytest.raises(Stop):
            stated.parse({"version": 1, "channels": {"a": {"url": reference}}})


def test_a_bomb_of_aliases_and_a_deep_nest_end_in_words(tmp_path: Path) -> None:
    merged = "a0: &a0 {k: v}\n" + "\n".join(
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)
    )
    for text in (
        merged,
        "version: 1\nx: " + "[" * 3_000,
        "a: &a [x]\n" + "\n".join(f"b{n}: [*a, *a]" for n in range(50)),
    ):
        file = tmp_path / "hedgerow.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(Stop) as refused:
            stated.read(file)
        assert refused.value.detail


def test_two_channels_never_share_a_variable() -> None:
    names = ("ops 1", "ops-1", "Ärzte", "日本", "team")
    channels = [{"id": f"chn_{number:06d}", "name": name} for number, name in enumerate(names)]
    made = exporting._variables(channels)
    assert len(set(made.values())) == len(names)
    assert made["chn_000004"] == "HEDGEROW_CHANNEL_TEAM"


def test_another_room_and_another_kind_are_seen() -> None:
    file = stated.parse(
        {"version": 1, "channels": {"ops": {"kind": "slack", "token": {"env": "T"}, "slack_channel": "C_NEW"}}}
    )
    there = {"id": "chn_1", "name": "ops", "kind": "discord", "slack_channel": "C_OLD", "weekly_budget": None}
    (found,) = differing.channels(file.channels, [{**there, "disabled_at": None}], {"ops": True})
    assert found.changes == ("kind: discord → slack", "slack_channel: C_OLD → C_NEW")


def test_differences_are_lines_of_fields() -> None:
    before = {"condition": {"kind": "change", "percent": 30, "minimum": 0}, "severity": "warning"}
    after = {"condition": {"kind": "change", "percent": 25, "minimum": 0}, "severity": "critical"}
    assert differing.tree(before, after) == ("condition.percent: 30 → 25", "severity: warning → critical")
    assert differing.tree(before, before) == ()
