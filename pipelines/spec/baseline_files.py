"""Reads baselines: files of earlier releases that a metric is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.spec.key_files import read_columns
from transforms.rows import identity
from transforms.table import released_columns
from transforms.text_types import parse


def read_baseline(file: str, keys: Sequence[str], metric: str) -> pl.DataFrame:
    """Reads one metric of an earlier release.

    Args:
        file: A csv or parquet file, such as one that was published by an earlier run.
        keys: Its key columns.
        metric: The metric, which the file has with its standard deviation in `<metric>_std`.

    Returns:
        The keys in canonical types, those of a csv file as text, and the two numbers as floats,
        null where the file has none.

    Raises:
        ValueError: The file cannot be read, lacks a column or has a column of another type, or
            keys are empty or there more than once, or a standard deviation is negative.
    """
    numbers = released_columns(metric)[:2]
    frame = read_columns(file, [*keys, *numbers], what="baseline")
    try:
        baseline = frame.select(
            *(identity(key, frame.schema[key]) for key in keys),
            *(_number(frame[name]) for name in numbers),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from None
    if baseline.select(pl.any_horizontal(pl.col(keys).is_null().any())).item():
        raise ValueError(f"{file} has empty values of {', '.join(keys)}")
    repeated = baseline.filter(baseline.select(keys).is_duplicated())
    if repeated.height:
        example = ", ".join(map(repr, repeated.select(keys).row(0)))
        raise ValueError(f"{file} has several rows for the same keys, such as {example}")
    if (baseline[numbers[1]] < 0).any():
        raise ValueError(f"{file} has negative values of {numbers[1]}; allowed: 0 or more")
    return baseline


def _number(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        number = column.to_frame().select(parse(pl.col(column.name), "float")).to_series()
        wrong = column.filter(number.is_null() & column.is_not_null())
        if len(wrong):
            raise ValueError(f"{column.name} has the value {wrong[0]!r}; allowed: numbers")
        return number.fill_nan(None)
    if not column.dtype.is_numeric():
        raise ValueError(f"{column.name} has the type {column.dtype}; allowed: numbers")
    return column.cast(pl.Float64).fill_nan(None)
