"""docs/operations-api.md: its commands work, and its tables name what the code has."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic.alias_generators import to_pascal

from functions.capture.operating.operation_forms import FORMS
from tests.functions.capture.operation_stage import shop

PAGE = (Path(__file__).parents[3] / "docs" / "operations-api.md").read_text()
COMMAND = re.compile(
    r"""curl -X POST "\$HEDGEROW/v1/capture/(\w+)" -H "Authorization: Bearer \$PROJECT_TOKEN" -d '(.*)'"""
)


async def test_every_command_of_the_page_works() -> None:
    commands = COMMAND.findall(PAGE)
    assert [operation for operation, _ in commands] == list(FORMS)
    async with shop() as made:
        for operation, body in commands:
            answer = await made.ask(operation, json.loads(body))
            assert answer.text in PAGE, answer.text
        assert len(await made.arrived()) == 5


def test_the_page_names_every_parameter() -> None:
    rows = {row.split(" | ")[0].strip("| "): row for row in PAGE.splitlines() if row.startswith("| ")}
    for operation, form in FORMS.items():
        assert set(re.findall(r"`([A-Z]\w+)`", rows[operation])) == {to_pascal(name) for name in form.model_fields}
