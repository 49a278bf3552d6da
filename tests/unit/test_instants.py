"""An instant is kept in UTC; one that UTC's calendar has no place for is refused as any other unusable value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from hedgerow.records import Instant


class Form(BaseModel):
    at: Instant


def test_an_instant_is_kept_in_utc() -> None:
    assert Form.model_validate({"at": "2026-11-20T15:30:00+02:00"}).at == datetime(2026, 11, 20, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_an_instant_beyond_the_calendar_is_refused_in_words(at: str) -> None:
    with pytest.raises(ValidationError, match="outside of the calendar"):
        Form.model_validate({"at": at})
