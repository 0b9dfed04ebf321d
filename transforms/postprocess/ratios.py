"""Ratio of two noisy numbers, and percent change, with their errors.

The interval is that of E. C. Fieller, "Some problems in interval estimation", Journal of the Royal
Statistical Society B 16 (1954): of noisy numbers n and d with standard deviations s and t, it holds
every ratio r for which n - r d is within q standard deviations of zero. n - r d is noise alone for
the true r, so the interval holds it with the probability that q stands for. Where |d| <= q t the
interval has no end, and nothing is released.

The standard deviation is that of the delta method, sqrt(s^2 + r^2 t^2) / |d|: a good one as long as
t is small against d.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from transforms.mechanisms import NoiseKind
from transforms.postprocess.intervals import quantile_95
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
    columns = _ratio(_noisy(numerator), _noisy(denominator), quantile_95(noise))
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
    divisor = (pl.col(f"{_BASELINE}{value}"), pl.col(f"{_BASELINE}{std}"))
    now, error, low, high = _ratio(_noisy(metric), divisor, quantile_95("laplace"))
    percent = (100 * (now - 1), 100 * error, 100 * (low - 1), 100 * (high - 1))
    above_zero = [pl.when(divisor[0] > 0).then(column) for column in percent]
    return joined.select(*frame.columns, *_named(above_zero, name))


def _noisy(metric: str) -> tuple[pl.Expr, pl.Expr]:
    value, std, _, _ = released_columns(metric)
    return pl.col(value).cast(pl.Float64), pl.col(std)


def _ratio(
    numerator: tuple[pl.Expr, pl.Expr], denominator: tuple[pl.Expr, pl.Expr], quantile: float
) -> list[pl.Expr]:
    """Returns value, standard deviation and ends of the interval, null where it has no end."""
    (n, s), (d, t) = numerator, denominator
    r = n / d
    bounded = 1 - (quantile * t / d) ** 2
    half_width = quantile / d.abs() * (s**2 * bounded + (r * t) ** 2).sqrt()
    columns = [
        r,
        (s**2 + (r * t) ** 2).sqrt() / d.abs(),
        (r - half_width) / bounded,
        (r + half_width) / bounded,
    ]
    finite = pl.all_horizontal(column.is_finite() for column in columns)
    return [pl.when((d != 0) & (bounded > 0) & finite).then(column) for column in columns]


def _named(columns: Sequence[pl.Expr], metric: str) -> list[pl.Expr]:
    names = released_columns(metric)
    return [column.alias(name) for column, name in zip(columns, names, strict=True)]
