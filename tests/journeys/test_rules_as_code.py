"""Rules as code, by the commands against a running server: planned, applied once, drifted, exported, pruned; no secret shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli_process import hedgerow
from tests.journeys.local_servers import dev, posthog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

FILE = """
version: 1
channels:
  team:
    kind: discord
    url: {env: TEAM_URL}
    weekly_budget: 5
default_channel: team
connections:
  Demo shop:
    events: [payment.completed]
    catalog:
      unknown: observe
      events:
        - {name: payment.completed, policy: tag, properties: {amount_minor: {type: integer, required: true}}}
    rules:
      - template: dau_drop
        set: {percent: 25}
      - name: Error rate
        series: {kind: metric, name: posthog_exceptions, grain: hour}
        condition: {kind: anomaly, direction: rise}
        channels: [team]
"""


class Shop:
    """A server with one connection, a folder to write files in, and the command with its keys."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder = folder
        self.variables = {
            "HEDGEROW_URL": url,
            "HEDGEROW_API_KEY": key,
            "TEAM_URL": f"{url}/inbox/services/discord/api/webhooks/123/{'s3cret' * 5}",
        }

    def run(self, *arguments: str, exits: int = 0) -> str:
        done: CompletedProcess[str] = hedgerow(*arguments, **self.variables)
        assert done.returncode == exits, done.stdout + done.stderr
        assert "s3cret" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def state(self, text: str) -> str:
        file = self.folder / "hedgerow.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    with posthog(folder / "posthog") as there:
        host = there["host"].removeprefix("http://")
        with dev(folder / "data", HEDGEROW_ALLOWED_PRIVATE_HOSTS=host) as served:
            made = hedgerow("tenants", "create", "Acme", HEDGEROW_URL=served.url, HEDGEROW_ADMIN_KEY=served.admin_key)
            key = made.stdout.partition("HEDGEROW_API_KEY=")[2].split()[0]
            room = Shop(folder, served.url, key)
            room.variables |= {
                "HEDGEROW_POSTHOG_PERSONAL_API_KEY": there["personal_api_key"],
                "HEDGEROW_POSTHOG_PROJECT_TOKEN": there["project_token"],
            }
            room.run("connect", "--host", there["host"], "--name", "Demo shop")
            yield room


def test_a_file_is_planned_applied_and_then_holds(shop: Shop) -> None:
    file = shop.state(FILE)
    planned = shop.run("plan", "-f", file)
    for line in ("+ channel team", "+ default channel team", "+ rule Drop in daily active users of Demo shop"):
        assert line in planned
    assert "4 to add, 2 to change, 0 to remove." in planned
    assert shop.run("plan", "-f", file, "--check", exits=1)
    shop.run("apply", "-f", file, "--yes")
    assert "The server is as the file states." in shop.run("apply", "-f", file, "--yes")
    shop.run("plan", "-f", file, "--check")

    drifted = FILE.replace("percent: 25", "percent: 40").replace("weekly_budget: 5", "weekly_budget: 9")
    shown = shop.run("plan", "-f", shop.state(drifted))
    assert "condition.percent: 25.0 → 40.0" in shown
    assert "weekly_budget: 5 → 9" in shown

    shop.variables["TEAM_URL"] += "x"
    assert "address: another one" in shop.run("plan", "-f", shop.state(FILE))
    shop.variables["TEAM_URL"] = shop.variables["TEAM_URL"][:-1]

    one_rule = FILE.partition("      - name: Error rate")[0]
    left = shop.run("plan", "-f", shop.state(one_rule))
    assert "rule Error rate of Demo shop, not in the file; it stays" in left
    assert "0 to add, 0 to change, 1 to remove." in shop.run("plan", "-f", shop.state(one_rule), "--prune")

    exported = shop.run("export")
    read = yaml.safe_load(exported)
    assert [event["name"] for event in read["connections"]["Demo shop"]["catalog"]["events"]] == ["payment.completed"]
    assert read["channels"]["team"]["url"] == {"env": "HEDGEROW_CHANNEL_TEAM"}
    shop.variables["HEDGEROW_CHANNEL_TEAM"] = shop.variables["TEAM_URL"]
    assert "The server is as the file states." in shop.run("plan", "-f", shop.state(exported))

    shop.run("apply", "-f", shop.state(one_rule), "--prune", "--yes")
    assert "Error rate" not in shop.run("alerts", "list")
    # The same server, afterwards: what a file plans depends on what there is.
    _is_changed_by_the_commands(shop)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "states nothing"),
        ("version: 1\n  x: [", "not YAML"),
        ("version: 2", "version"),
        ("version: 1\nchannels: {a: {url: https://discord.com/api/webhooks/1/s3cret}}", "does not belong here"),
        ("version: 1\nchannels: {a: {url: {env: NOT_THERE_AT_ALL}}}", "NOT_THERE_AT_ALL is not set"),
        ("version: 1\nconnections: {Nowhere: {}}", "no connection named 'Nowhere'"),
        ("version: 1\nconnections: {Demo shop: {rules: [{template: nothing}]}}", "no template `nothing`"),
        ("version: 1\nconnections: {Demo shop: {rules: [{name: x}]}}", "series is missing"),
        ("version: 1\nruels: []", "ruels is no field"),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_words(shop: Shop, text: str, words: str) -> None:
    file = shop.state(text)
    done = hedgerow("plan", "-f", file, **shop.variables)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def _is_changed_by_the_commands(shop: Shop) -> None:
    shop.variables["HEDGEROW_CHANNEL_URL"] = shop.variables["TEAM_URL"]
    shop.run("channels", "add", "chat", "--kind", "discord", "--default")
    assert "accepted" in shop.run("channels", "test", "chat")
    # The same kind at an address that names no service: nobody has to say it again.
    shop.variables["HEDGEROW_CHANNEL_URL"] += "y"
    assert "discord at 127.0.0.1, on" in shop.run("channels", "change", "chat", "--address", "--weekly-budget", "3")
    shop.run("channels", "change", "chat", exits=2)
    added = shop.run("alerts", "add", "capture_backlog", "--set", "minutes=20")
    assert "It will tell chat." in added
    shop.run("alerts", "change", "Capture backlog", "--set", "above=60", "--severity", "info", "--name", "Backlog")
    shown = shop.run("alerts", "show", "Backlog")
    assert '"above": 60' in shown
    assert "info" in shown
    shop.run("alerts", "change", "Backlog", "--off")
    assert "off" in shop.run("alerts")
    shop.run("alerts", "change", "Backlog", "--set", "above=10", exits=4)
    assert "No incident is open." in shop.run("incidents")
