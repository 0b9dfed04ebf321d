"""The types that text can be read as, in files and by CAST: one rule for both."""

from __future__ import annotations

from typing import Literal

import polars as pl

ColumnType = Literal["string", "int", "float", "bool", "date", "timestamp"]

POLARS_TYPES: dict[ColumnType, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
}
"""What each type is in a frame. A timestamp without a zone is in UTC."""

_TIMES = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
_ZONE = "%:z"


def parse(raw: pl.Expr, kind: ColumnType) -> pl.Expr:
    """Reads text as another type.

    Args:
        raw: Text. Blanks around it count only where it stays text.
        kind: The type to read it as.

    Returns:
        The values as `POLARS_TYPES[kind]`; null where a text does not fit the type. A timestamp
        without a zone is in UTC.
    """
    text = raw.str.strip_chars()
    match kind:
        case "string":
            return raw
        case "int":
            return text.cast(pl.Int64, strict=False)
        case "float":
            return text.cast(pl.Float64, strict=False)
        case "bool":
            lowered = text.str.to_lowercase()
            return pl.when(lowered.is_in(["true", "false"])).then(lowered == "true")
        case "date":
            return text.str.to_date("%Y-%m-%d", strict=False)
        case "timestamp":
            return _timestamp(text.str.replace("T", " ", literal=True))


def _timestamp(text: pl.Expr) -> pl.Expr:
    zoned = text.str.replace(r"[Zz]$", "+00:00")
    with_zone = (
        zoned.str.to_datetime(form + _ZONE, time_unit="us", strict=False).dt.convert_time_zone(
            "UTC"
        )
        for form in _TIMES
    )
    without = (
        text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        for form in (*_TIMES, "%Y-%m-%d")
    )
    return pl.coalesce(*with_zone, *without)
