"""The counts that `hedgerow cost` multiplies are those that are measured now, and the page shows them."""

from __future__ import annotations

import pytest

from hedgerow.cli.operations.costs import files
from tests.billing import counts, page
from tests.billing.bill import Operations

# Redelivery reads its pages beside its sending: how many there are is not the same each time.
SWAYING = {"redelivered": 0.3}


async def test_the_counts_are_what_is_measured() -> None:
    kept, measured = files.counts(), await counts.measured()
    assert kept.assumed == measured.assumed
    assert kept.stored == measured.stored
    assert kept.counted.keys() == measured.counted.keys()
    for name, count in measured.counted.items():
        near = {field: pytest.approx(value, abs=SWAYING.get(name, 1e-9)) for field, value in count.model_dump().items()}
        assert kept.counted[name].model_dump() == near, f"{name}: run `python -m tests.billing.counts`"


def test_the_file_and_the_page_are_as_they_would_be_written() -> None:
    assert files.COUNTS.read_text(encoding="utf-8") == files.written(files.counts())
    shown = page.PAGE.read_text(encoding="utf-8")
    assert shown == page.with_tables(shown), "run `python -m tests.billing.page`"


def test_operations_add_up_field_by_field() -> None:
    one = Operations(reads=1, writes=2, deletes=3, messages=4, accesses=5)
    assert one + one == one.times(2)
    assert one - one == Operations()
