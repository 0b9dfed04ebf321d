"""Ratio of two noisy numbers, and percent change, with their errors (`transforms.quotient`).

Where the interval has no end, nothing is released. The standard deviation is that of the delta
method: a good one as long as that of the denominator is small against it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.arrays import FloatArray
from transforms.intervals import quantile_95
from transforms.mechanisms import NoiseKind
from transforms.quotient import quotient
from transforms.table import released_columns

_BASELINE = "value:baseline "
"""Beginning of names that no key column has (`transforms.table.RESERVED`)."""


def ratio(
    frame: pl.DataFrame, name: str, numerator: str, denominator: str, noise: NoiseKind = "laplace"
) -> pl.DataFrame:
    """Adds the ratio of two metrics with independent noise.

    Args:
        frame: A released table.
        name: The new metric.
        numerator: A metric of the table.
        denominator: Another one.
        noise: Distribution of the noise; `laplace` also where it is not known.

    Returns:
        The table with the four columns of the new metric. They are null where a value is null,
        and where the denominator cannot be told from zero: with the quantile q of the noise, where
        it is within q of its standard deviations. The intervals together with the nulls hold the
        ratio of the values before noise with probability 0.95 or more.
    """
    columns = _ratio(
        _noisy(frame, *released_columns(numerator)[:2]),
        _noisy(frame, *released_columns(denominator)[:2]),
        quantile_95(noise),
    )
    return frame.with_columns(_named(columns, name))


def percent_change(
    frame: pl.DataFrame, keys: Sequence[str], name: str, metric: str, baseline: pl.DataFrame
) -> pl.DataFrame:
    """Adds the change of a metric against an earlier release, in percent.

    Args:
        frame: A released table.
        keys: Its key columns.
        name: The new metric.
        metric: A metric of the table.
        baseline: An earlier release, with noise of its own: the key columns, one row each, the
            metric, and its standard deviation in `<metric>_std`. A key that the table's type
            cannot hold meets no row.

    Returns:
        The table with the four columns of the new metric, 100 (now / before - 1) and its error.
        They are null where a value is null, where the baseline has no such row, and where its
        value is not clearly above zero: more than q standard deviations, q being that of Laplace
        noise, as that of the baseline is not known.
    """
    value, std = metric, released_columns(metric)[1]
    columns = [pl.col(c).cast(pl.Float64).alias(f"{_BASELINE}{c}") for c in (value, std)]
    same_types = [pl.col(key).cast(frame.schema[key], strict=False) for key in keys]
    before = baseline.select(*same_types, *columns).drop_nulls(list(keys))
    joined = frame.join(before, on=list(keys), how="left", validate="m:1", maintain_order="left")
    divisor, divisor_std = _noisy(joined, f"{_BASELINE}{value}", f"{_BASELINE}{std}")
    above_zero = np.where(divisor > 0, divisor, math.nan)
    now, error, low, high = _ratio(
        _noisy(joined, value, std), (above_zero, divisor_std), quantile_95("laplace")
    )
    percent = (100 * (now - 1), 100 * error, 100 * (low - 1), 100 * (high - 1))
    return joined.select(frame.columns).with_columns(_named(percent, name))


def _noisy(frame: pl.DataFrame, value: str, std: str) -> tuple[FloatArray, FloatArray]:
    """Returns a metric and its standard deviation, NaN where it is null."""
    value_column, std_column = (
        frame[name].cast(pl.Float64).fill_null(math.nan).to_numpy() for name in (value, std)
    )
    return value_column, std_column


def _ratio(
    numerator: tuple[FloatArray, FloatArray],
    denominator: tuple[FloatArray, FloatArray],
    quantile: float,
) -> list[pl.Series]:
    """Returns value, standard deviation and ends of the interval, null where it has no end."""
    divisible = np.where(denominator[0] == 0, math.nan, denominator[0])
    found = quotient(*numerator, divisible, denominator[1], quantile)
    finite = np.all([np.isfinite(column) for column in found], axis=0)
    return [pl.Series(np.where(finite, column, math.nan)).fill_nan(None) for column in found]


def _named(columns: Sequence[pl.Series], metric: str) -> list[pl.Series]:
    names = released_columns(metric)
    return [column.alias(name) for column, name in zip(columns, names, strict=True)]
