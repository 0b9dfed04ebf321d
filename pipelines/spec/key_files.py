"""Reads key lists: inline values and files, as columns of one type each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import polars as pl

from pipelines.spec.errors import did_you_mean
from pipelines.spec.fields import Scalar
from transforms.text_types import POLARS_TYPES, ColumnType, parse

MAX_PARTITIONS = 50_000_000
"""Public partitions that one table may have."""

_KINDS: dict[type, str] = {
    str: "text",
    int: "whole numbers",
    float: "numbers with a fraction",
    bool: "true or false",
}


def inline_column(key: str, values: Sequence[Scalar], kind: ColumnType | None) -> pl.Series:
    """Makes a column of values that are written in the config.

    Args:
        key: Name of the column.
        values: Its values.
        kind: Type that the input has for the column; None if it is not known.

    Returns:
        The column.

    Raises:
        ValueError: The values are of several types, or not of the input's type.
    """
    types = sorted({_KINDS[type(value)] for value in values})
    if len(types) > 1:
        raise ValueError(f"mixes {', '.join(types)}; allowed: values of one type")
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values):
        raise ValueError("has a number that is out of range; allowed: 64-bit integers")
    column = pl.Series(key, values)
    return as_input_type(column, kind)


def read_key_file(
    file: str, columns: Sequence[str], types: Mapping[str, ColumnType]
) -> pl.DataFrame:
    """Reads columns of a csv or parquet file.

    Args:
        file: The file.
        columns: Columns to read.
        types: Type that the input has for a column, where it is known. Other columns of a csv file
            are read as text.

    Returns:
        The columns, in the order asked for.

    Raises:
        ValueError: The file cannot be read, lacks a column or is too long, or a value is not of
            the input's type.
    """
    frame = read_columns(file, columns, what="key file")
    is_text = PurePosixPath(file).suffix == ".csv"
    for key in columns:
        try:
            if key in types and is_text:
                frame = frame.with_columns(_parse(frame[key], types[key]))
            elif key in types:
                frame = frame.with_columns(as_input_type(frame[key], types[key]))
        except ValueError as error:
            raise ValueError(f"{file}: {key} {error}") from None
    return frame


def read_columns(file: str, columns: Sequence[str], what: str) -> pl.DataFrame:
    """Reads columns of a csv or parquet file as they are.

    Args:
        file: The file.
        columns: Columns to read.
        what: What the file should be, for messages.

    Returns:
        The columns, in the order asked for; those of a csv file as text.

    Raises:
        ValueError: The file cannot be read, lacks a column or is too long.
    """
    extension = PurePosixPath(file).suffix
    if extension not in (".csv", ".parquet"):
        raise ValueError(f"{file} is not a {what}; allowed: .csv and .parquet")
    if "://" not in file and not Path(file).is_file():
        raise ValueError(f"no such file: {file}")
    try:
        if extension == ".csv":
            rows = pl.scan_csv(file, infer_schema=False, glob=False)
        else:
            rows = pl.scan_parquet(file, glob=False, hive_partitioning=False)
        _check_columns(file, rows.collect_schema().names(), columns)
        frame = rows.select(columns).head(MAX_PARTITIONS + 1).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{file} cannot be read as {extension[1:]}: {reason}") from None
    if frame.height > MAX_PARTITIONS:
        raise ValueError(f"{file} has more rows than allowed: {MAX_PARTITIONS}")
    return frame


def _check_columns(file: str, present: Sequence[str], wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in present:
            raise ValueError(
                f"{file} has no column {column!r}; it has: {', '.join(present)}"
                f"{did_you_mean(column, present)}"
            )


def as_input_type(column: pl.Series, kind: ColumnType | None) -> pl.Series:
    """Casts listed keys to the type that the input has for their column.

    Args:
        column: The keys.
        kind: The type; None if it is not known, which changes nothing.

    Raises:
        ValueError: They do not fit.
    """
    if kind is None:
        return column
    target = POLARS_TYPES[kind]
    if column.dtype == target:
        return column
    if column.dtype == pl.String and kind in ("date", "timestamp"):
        return _parse(column, kind)
    if column.dtype == pl.Date and kind == "string":
        return column.dt.to_string("%Y-%m-%d")
    if column.dtype == pl.Date and kind == "timestamp":
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if column.dtype.is_integer() and kind in ("int", "float"):
        return column.cast(target)
    raise ValueError(
        f"has values of type {column.dtype}, but the input column is read as {kind}; "
        f"allowed: {kind} values, or another type in input.types"
    )


def _parse(column: pl.Series, kind: ColumnType) -> pl.Series:
    parsed = column.to_frame().select(parse(pl.col(column.name), kind)).to_series()
    wrong = column.filter(parsed.is_null() & column.is_not_null())
    if len(wrong):
        raise ValueError(f"has the value {wrong[0]!r}; allowed: values of type {kind}")
    return parsed
