"""Keys that are times: dates, periods, hours, weekdays and months, as places on a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl

_CALENDAR = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?"
_WEEK = r"\d{4}-W\d\d"
_MONTH = r"\d{4}-\d\d"

_CYCLES: Mapping[str, tuple[int, int]] = {
    "hour": (0, 23),
    "minute": (0, 59),
    "weekday": (0, 7),
    "month": (1, 12),
    "year": (1000, 9999),
}
"""Names that integer keys have, alone or after an underscore, and their range."""


def time_key(frame: pl.DataFrame, keys: Sequence[str]) -> str | None:
    """Returns the key to draw along a line: dates first, then the key with the most values.

    Args:
        frame: Published rows with keys as text, without the row of other partitions.
        keys: Key columns.

    Returns:
        None where no key is a time, or has fewer than three values.
    """
    found = [key for key in keys if frame[key].n_unique() > 2 and _is_time(frame[key])]
    dates = [key for key in found if _matches(frame[key], _CALENDAR)]
    return max(dates or found, key=lambda key: frame[key].n_unique(), default=None)


def times_in_order(values: pl.Series) -> list[str]:
    """Returns the different values of a time key, earliest first: numbers as numbers, else text."""
    different = values.drop_nulls().unique()
    numbers = different.cast(pl.Int64, strict=False)
    by = different if numbers.null_count() else numbers
    ordered: list[str] = pl.DataFrame({"v": different, "by": by}).sort("by")["v"].to_list()
    return ordered


def _is_time(values: pl.Series) -> bool:
    if any(_matches(values, pattern) for pattern in (_CALENDAR, _WEEK, _MONTH)):
        return True
    last = re.split(r"[_ ]", values.name.lower())[-1]
    if last not in _CYCLES:
        return False
    low, high = _CYCLES[last]
    return bool(values.cast(pl.Int64, strict=False).is_between(low, high).fill_null(False).all())


def _matches(values: pl.Series, pattern: str) -> bool:
    return len(values) > 0 and bool(values.str.contains(f"^(?:{pattern})$").fill_null(False).all())
