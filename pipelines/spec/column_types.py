"""The types that columns of text files can be read as."""

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


def parse_text(values: pl.Series, kind: ColumnType) -> pl.Series:
    """Reads text as another type.

    Args:
        values: Text.
        kind: The type to read it as.

    Returns:
        The values as `POLARS_TYPES[kind]`; null where a text does not fit the type.
    """
    match kind:
        case "string":
            return values
        case "int" | "float":
            return values.cast(POLARS_TYPES[kind], strict=False)
        case "bool":
            return values.replace_strict(
                {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
            )
        case "date":
            return values.str.to_date(strict=False)
        case "timestamp":
            return values.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
