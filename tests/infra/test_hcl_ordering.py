from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra import hcl
from tests.infra.ordering import circle


@pytest.mark.parametrize("folder", hcl.modules(), ids=lambda folder: folder.name)
def test_nothing_waits_for_itself(folder: Path) -> None:
    assert circle(hcl.module(folder)) == []


def test_a_circle_is_found() -> None:
    found = circle(
        hcl.parse(
            'locals {\n  address = module.function["api"].uri\n}\n'
            'module "function" {\n  source = "./f"\n  for_each = {}\n  environment = { URL = local.address }\n}\n'
        )
    )
    assert set(found) == {"local.address", "module.function"}
