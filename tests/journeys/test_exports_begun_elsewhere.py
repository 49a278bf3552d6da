"""A folder where another export was begun is not gone on with: its pages would be mixed with ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hedgerow.cli.operations.moving.exporting import export
from hedgerow.cli.operations.moving.folder import Folder, Unfinished
from hedgerow.errors import StateConflictError
from tests.stage import staged

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("change", [{"source": "acme/(default)"}, {"tenant_id": "ten_1"}])
async def test_another_places_or_tenants_unfinished_export_is_left_alone(
    tmp_path: Path, change: dict[str, str]
) -> None:
    async with staged() as stage:
        source = str(stage.app.settings.data.resolve())
        note = Unfinished(tenant_id=None, source=source, owned="of another release").model_copy(update=change)
        folder = Folder(tmp_path / "export")
        folder.make()
        folder.keep(note)

        with pytest.raises(StateConflictError) as raised:
            await export(stage.app, folder, None, lambda name, done: None)

        assert raised.value.code == "other_export"
        assert folder.unfinished() == note
