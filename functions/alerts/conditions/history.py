"""A condition over the whole of a series, in arrays: what `judge` would have said at the end of every bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    Instants = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class History:
    """One entry a bucket of the series. `score`, `low` and `high` are NaN where a condition has none.

    Where `judged` is False nothing could be said: `firing` and `recovered` are False there.
    """

    begins: Instants
    firing: Flags
    recovered: Flags
    score: Floats
    low: Floats
    high: Floats
    judged: Flags
