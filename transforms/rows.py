"""From raw tables to canonical rows: types, and one rule for each kind of dirt.

| what | rule |
|---|---|
| null or NaN in a privacy unit column | the row is dropped |
| null or NaN in a key column | the row is dropped from the tables with that key |
| negative zero in a key or unit | it is zero; infinities are ordinary values |
| date or time outside the years 1 to 9999 in a key or unit | it is null |
| null or NaN in a summed column | the row counts, and adds nothing to the sum |
| null or NaN in a column of a mean, variance or quantile | the row is none of its rows |
| null or NaN in a coordinate of a vector | the row counts, and adds nothing to any coordinate |
| null or NaN in a column whose distinct values are counted | it is no value |
| text that is not UTF-8 in a key or unit | its bad bytes are replaced by U+FFFD |
| infinity in a column of numbers | it is clipped like any large value |

The rules look at one row at a time and are applied before bounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import MAXYEAR, MINYEAR, date

import polars as pl
import pyarrow as pa

from transforms.accumulators import value_name

_EXACT = (pl.Boolean, pl.Date, pl.Time, pl.String, pl.Binary, pl.UInt64, pl.Null)

_BYTES_OF_TEXT = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}
"""Arrow does not check that text is UTF-8; Polars breaks when it is not."""


def canonical_rows(
    table: pa.Table, identity_columns: Iterable[str], value_columns: Iterable[str]
) -> pl.DataFrame:
    """Selects and casts the columns that the engine works with.

    Args:
        table: Raw rows.
        identity_columns: Privacy unit and key columns, of any scalar type. Whole numbers become
            Int64, floats Float64, categories text, timestamps microseconds.
        value_columns: Columns of numbers, numeric or boolean. They become Float64.

    Returns:
        The columns, values under the names given by `value_name`; NaN is null everywhere.

    Raises:
        KeyError: A column is missing.
        TypeError: A column has a type that cannot be used as it is meant.
    """
    identities = list(dict.fromkeys(identity_columns))
    values = list(dict.fromkeys(value_columns))
    selected = select_columns(table, [*identities, *values])
    frame = as_frame(selected)
    return frame.select(
        *(identity(name, frame.schema[name]) for name in identities),
        *(_value(name, frame.schema[name]).alias(value_name(name)) for name in values),
    )


def select_columns(table: pa.Table, columns: Iterable[str]) -> pa.Table:
    """Returns the named columns of a table, each once.

    Raises:
        KeyError: A column is missing.
    """
    names = list(dict.fromkeys(columns))
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise KeyError(
            f"the input has no column {', '.join(map(repr, missing))}; "
            f"it has: {', '.join(table.column_names)}"
        )
    return table.select(names)


def as_frame(table: pa.Table) -> pl.DataFrame:
    """Returns an Arrow table as a frame, with U+FFFD for bytes that are not UTF-8 in text."""
    return pl.DataFrame({name: _column(table[name]) for name in table.column_names})


def identity(name: str, dtype: pl.DataType) -> pl.Expr:
    """Returns the expression of a unit or key column of the given type in canonical form.

    Raises:
        TypeError: The type is not scalar.
    """
    canonical = canonical_type(name, dtype)
    column = pl.col(name).cast(canonical, strict=False)
    if canonical == pl.Float64:
        return pl.when(column == 0).then(0.0).otherwise(column.fill_nan(None)).alias(name)
    if canonical == pl.Date:
        return pl.when(column.is_between(date.min, date.max)).then(column)
    if isinstance(canonical, pl.Datetime):
        return in_calendar(column)
    return column


def in_calendar(time: pl.Expr) -> pl.Expr:
    """Returns a date or timestamp, null outside the years 1 to 9999."""
    return pl.when(time.dt.year().is_between(MINYEAR, MAXYEAR)).then(time)


def as_listed(name: str, dtype: pl.DataType, listed: pl.DataType) -> pl.Expr:
    """Returns the expression of a canonical key column in the type of a public key list.

    Numbers fit each other where they are whole, because pandas makes floats of whole numbers when
    one is missing; others are null.

    Raises:
        TypeError: The types do not fit.
    """
    column = pl.col(name)
    if dtype in (listed, pl.Null):
        return column.cast(listed)
    if dtype.is_numeric() and listed.is_numeric():
        cast = column.cast(listed, strict=False)
        return pl.when(cast.cast(dtype, strict=False) == column).then(cast)
    raise TypeError(
        f"key column {name!r} has the type {dtype} in the rows and {listed} in the list of "
        "public keys; allowed: one type"
    )


def canonical_type(name: str, dtype: pl.DataType) -> pl.DataType:
    """Returns the type that a unit, key or counted column of the given type is cast to.

    Raises:
        TypeError: The type is not scalar.
    """
    if dtype in _EXACT or dtype.is_decimal():
        return dtype
    if dtype.is_integer():
        return pl.Int64()
    if dtype.is_float():
        return pl.Float64()
    if dtype in (pl.Categorical, pl.Enum):
        return pl.String()
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", dtype.time_zone)
    if isinstance(dtype, pl.Duration):
        return pl.Duration("us")
    raise TypeError(f"column {name!r} has the type {dtype}; allowed here: scalars")


def check_value_type(name: str, dtype: pl.DataType) -> None:
    """Raises a TypeError when a column of the given type has no numbers."""
    if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
        raise TypeError(f"column {name!r} has the type {dtype}; allowed here: numbers")


def without_nulls(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Returns the rows that have a value in every one of the columns."""
    if not any(frame[name].null_count() for name in columns):
        return frame
    return frame.drop_nulls(columns)


def _column(column: pa.ChunkedArray) -> pl.Series:
    if not column.num_chunks:
        return pl.Series(column)
    if pa.types.is_dictionary(column.type) and column.type.value_type in _BYTES_OF_TEXT:
        return pl.concat(
            [_text(chunk.dictionary).gather(pl.Series(chunk.indices)) for chunk in column.chunks]
        )
    if column.type in _BYTES_OF_TEXT:
        return pl.concat([_text(chunk) for chunk in column.chunks])
    return pl.Series(column)


def _text(array: pa.Array) -> pl.Series:
    raw = pl.Series(array.view(_BYTES_OF_TEXT[array.type]))
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = (value if value is None else value.decode(errors="replace") for value in raw)
        return pl.Series(texts, dtype=pl.String)


def _value(name: str, dtype: pl.DataType) -> pl.Expr:
    check_value_type(name, dtype)
    return pl.col(name).cast(pl.Float64).fill_nan(None)
