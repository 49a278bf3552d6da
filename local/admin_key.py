"""The admin key of a laptop's folder: made once, whole or not at all, and never empty."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "admin.key"


def kept_admin_key(data: Path) -> str:
    """The key made for this folder; it stays, so that a restart breaks no terminal.

    A file without a key, which a kill may have left, counts as none. The caller holds
    the folder's lock.
    """
    file = data / FILE_NAME
    key = file.read_text().strip() if file.exists() else ""
    if key:
        return key
    key = f"hdg_admin_{secrets.token_urlsafe(32)}"
    draft = data / f".{FILE_NAME}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as handle:
        handle.write(key)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(file)
    return key
