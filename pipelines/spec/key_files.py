"""Reads key lists: inline values and files, as columns of one type each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import polars as pl

from pipelines.spec.errors import did_you_mean
from pipelines.spec.fields import Scalar

MAX_PARTITIONS = 50_000_000
"""Public partitions that one table may have."""

_KINDS: dict[type, str] = {
    str: "text",
    int: "whole numbers",
    float: "numbers with a fraction",
    bool: "true or false",
}


def inline_column(key: str, values: Sequence[Scalar]) -> pl.Series:
    """Makes a column of values that are written in the config.

    Args:
        key: Name of the column.
        values: Its values.

    Returns:
        The column.

    Raises:
        ValueError: The values are of several types, or a number is out of range.
    """
    types = sorted({_KINDS[type(value)] for value in values})
    if len(types) > 1:
        raise ValueError(f"mixes {', '.join(types)}; allowed: values of one type")
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values):
        raise ValueError("has a number that is out of range; allowed: 64-bit integers")
    return pl.Series(key, values)


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
