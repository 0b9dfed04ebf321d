"""Tables as files: the same bytes for the same table, and read back as they were.

Every setting of the writers that could change with a version or a machine is pinned: compression
and its level, row groups, pages, no statistics; in CSV separators, quotes and null. A Parquet file
names the version of Polars that wrote it, which its writer does not leave out, and holds no time.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 250_000
"""Rows of a row group."""

_PAGE_BYTES = 1 << 20

_TYPES: Mapping[Any, str] = {
    pl.String: "string",
    pl.Float64: "number",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Time: "time",
}


_NO_TABLE = (
    pa.ArrowException,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    OSError,
    MemoryError,
)
"""What readers raise where a file is no table."""


def table_bytes(frame: pl.DataFrame, file_format: str) -> bytes:
    """Returns a table as the content of a file.

    Args:
        frame: The table, rows and columns in their order.
        file_format: `parquet` or `csv`.
    """
    buffer = io.BytesIO()
    if file_format == "csv":
        frame.write_csv(
            buffer,
            include_header=True,
            separator=",",
            line_terminator="\n",
            quote_char='"',
            quote_style="necessary",
            null_value="",
        )
    else:
        frame.write_parquet(
            buffer,
            compression="zstd",
            compression_level=3,
            statistics=False,
            row_group_size=ROW_GROUP,
            data_page_size=_PAGE_BYTES,
        )
    return buffer.getvalue()


def read_table(
    content: bytes, file_format: str, fields: Sequence[Mapping[str, Any]]
) -> pl.DataFrame:
    """Reads a table back.

    Args:
        content: The content of a file.
        file_format: `parquet` or `csv`.
        fields: Fields of the table schema, from `field_of`; csv has no types of its own.

    Raises:
        ValueError: It is no table, or csv that does not have these columns.
    """
    try:
        if file_format == "parquet":
            return _read_parquet(content)
        texts = pl.read_csv(io.BytesIO(content), infer_schema=False)
        names = [field["name"] for field in fields]
        if texts.columns != names:
            raise ValueError(f"it has the columns {texts.columns}; allowed: {names}")
        return texts.select(_parsed(field) for field in fields)
    except _NO_TABLE as error:
        raise ValueError(f"it is no {file_format} table: {type(error).__name__}") from None


def _read_parquet(content: bytes) -> pl.DataFrame:
    """Reads a file that anybody may have edited: Arrow survives what ends the process in Polars."""
    table = pq.read_table(pa.BufferReader(content))
    table.validate(full=True)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def field_of(name: str, dtype: pl.DataType) -> dict[str, Any]:
    """Returns a column as a Frictionless field, with what reading it back from text needs."""
    if dtype.is_integer():
        return {"name": name, "type": "integer"}
    if isinstance(dtype, pl.Decimal):
        return {"name": name, "type": "number", "decimals": dtype.scale}
    if isinstance(dtype, pl.Datetime):
        zone = {} if dtype.time_zone is None else {"time_zone": dtype.time_zone}
        return {"name": name, "type": "datetime", **zone}
    return {"name": name, "type": _TYPES.get(dtype.base_type(), "any")}


def _parsed(field: Mapping[str, Any]) -> pl.Expr:
    column = pl.col(field["name"])
    match field["type"]:
        case "boolean":
            return column.replace_strict({"true": True, "false": False}, return_dtype=pl.Boolean)
        case "date":
            return column.str.to_date("%Y-%m-%d")
        case "time":
            return column.str.to_time("%H:%M:%S%.f")
        case "datetime" if "time_zone" in field:
            times = column.str.to_datetime("%Y-%m-%dT%H:%M:%S%.6f%z")
            return times.dt.convert_time_zone(field["time_zone"])
        case "datetime":
            return column.str.to_datetime("%Y-%m-%dT%H:%M:%S%.6f")
        case "integer":
            return column.cast(pl.Int128 if field["statistic"] == "key" else pl.Int64)
        case "number" if "decimals" in field:
            return column.cast(pl.Decimal(scale=field["decimals"]))
        case "number":
            return column.cast(pl.Float64)
        case _:
            return column
