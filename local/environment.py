"""What the demo reads from the environment, and what its commands get to see of it."""

from __future__ import annotations

import os


def wants_to_stay() -> bool:
    """`SERVE=1 make demo`: leave the servers running."""
    return os.environ.get("SERVE", "") not in {"", "0"}


def with_variables(**variables: str) -> dict[str, str]:
    """This process's environment for a child, with these variables and none of Hedgerow's others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    return {**kept, **variables}
