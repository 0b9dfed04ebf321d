"""Gives a column one type in all files of a release.

Files that were written at different times differ. What is done:

| difference | rule |
|---|---|
| other order of columns, more columns | fine |
| whole numbers of other widths | one type: Int64; UInt64 and another one are refused |
| floats of other widths | one type: Float64 |
| text, large text, categories | one type: String |
| timestamps or durations of other units | one type, in microseconds |
| whole numbers, floats, booleans and decimals in a column that is only summed | one type: Float64 |
| no value at all in one file, so that it has no type | nulls of the type in the other files |
| a column that a file lacks | refused; null for a column in `input.optional` |
| text and numbers, whole numbers and floats in a key or unit | refused |
| timestamps of other zones, or with and without one; decimals of other scales | refused |
| a file that differs from what was checked when its rows are read | the run fails |

Whole numbers and floats in one key are refused although `1` and `1.0` are the same unit: the
published column has one type, and 2**53 + 1 has no float.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from pipelines.sources.files import InputError
from transforms.rows import canonical_type


def type_of_all_files(
    column: str, types: Iterable[pl.DataType], *, only_value: bool
) -> pl.DataType:
    """Returns the type that a column has in all files.

    Args:
        column: Its name.
        types: Its types in the files, which go together.
        only_value: The column is only a number to compute with: neither a key nor a unit nor part
            of an expression.

    Returns:
        The type as it is if the files agree, else the one that they are cast to.
    """
    distinct = [dtype for dtype in dict.fromkeys(types) if dtype != pl.Null]
    if len(distinct) < 2:
        return next(iter(distinct), pl.Null())
    return pl.Float64() if only_value else canonical_type(column, distinct[0])


def as_type(name: str, column: pa.ChunkedArray, dtype: pl.DataType, path: str) -> pa.ChunkedArray:
    """Returns a column of one file in the type that it has in all files.

    Args:
        name: Name of the column.
        column: Its values. Text may hold bytes that are not UTF-8; it is not looked at.
        dtype: The type from `type_of_all_files`.
        path: The file, for an error.

    Returns:
        The values; null where one does not fit.

    Raises:
        InputError: The types do not go together: the file is not the one that was checked.
    """
    found = _polars_type(column.type)
    if found == dtype:
        return column
    if found == pl.Null:
        return nulls(len(column), dtype)
    if not _fits(name, found, dtype):
        raise InputError(
            f"the column {name!r} of {path} changed its type while the release ran: "
            f"it is {found}, and was {dtype}"
        )
    if dtype == pl.String and _is_arrow_dictionary(column.type):
        texts = [chunk.dictionary.take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(texts, column.type.value_type)
    if found == pl.String:
        return column
    cast = pl.Series(column).cast(dtype, strict=False)
    return pa.chunked_array([cast.to_arrow(compat_level=pl.CompatLevel.newest())])


def nulls(count: int, dtype: pl.DataType) -> pa.ChunkedArray:
    """Returns a column without values."""
    series = pl.repeat(None, count, dtype=dtype, eager=True)
    return pa.chunked_array([series.to_arrow(compat_level=pl.CompatLevel.newest())])


def _fits(name: str, found: pl.DataType, dtype: pl.DataType) -> bool:
    if dtype == pl.Float64 and (found.is_numeric() or found == pl.Boolean):
        return True
    try:
        return canonical_type(name, found) == canonical_type(name, dtype)
    except TypeError:
        return False


def _is_arrow_dictionary(dtype: pa.DataType) -> bool:
    """Returns whether a column has categories as Arrow reads them, which may not be UTF-8."""
    return pa.types.is_dictionary(dtype) and not pa.types.is_string_view(dtype.value_type)


def _polars_type(dtype: pa.DataType) -> pl.DataType:
    if pa.types.is_dictionary(dtype):
        values = _polars_type(dtype.value_type)
        return pl.Categorical() if values == pl.String else values
    return pl.Series(pa.array([], dtype)).dtype
