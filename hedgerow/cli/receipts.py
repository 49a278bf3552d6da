"""What a purge removed, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli import screen

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


def show_receipt(answer: Shown) -> None:
    """The receipt in an answer: collection by collection, and what counting again found."""
    receipt = answer.get("receipt")
    if not receipt:
        return
    made = screen.table("removed", "records", "left", right=("records", "left"))
    for collection, count in receipt["removed"].items():
        screen.row(made, collection, count, receipt["remaining"].get(collection, 0))
    screen.show(made)
    secret = "destroyed" if receipt["secret_destroyed"] else "not destroyed yet"
    screen.say(f"Receipt {receipt['id']}: {'complete' if receipt['complete'] else 'under way'}, credential {secret}.")
