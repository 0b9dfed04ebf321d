"""What changed between two releases, and which changes are larger than their noise explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from scipy.special import erfc

from transforms.arrays import FloatArray
from transforms.intervals import quantile_95
from transforms.mechanisms import NoiseKind
from transforms.table import released_columns

FALSE_ALARM = 0.05
"""Probability that any change is called larger than noise where nothing changed."""


def compare(
    new: pl.DataFrame, old: pl.DataFrame, keys: Sequence[str], noise: Mapping[str, NoiseKind]
) -> pl.DataFrame:
    """Compares the numbers that two published tables have in common.

    The draws of two releases are independent, so the variance of a difference is the sum of both.

    Args:
        new: The later table, keys as text.
        old: The earlier one.
        keys: Their key columns. Rows with null keys, of other partitions, are compared as well.
        noise: The numbers to compare: columns of both, with the distribution of their noise.

    Returns:
        A row for each number that both have, with its error: the keys, `column`, `before`,
        `after`, `change`, `std` of the change, `low` and `high` of its 95 % interval, and
        `p_value` (`p_values`).
    """
    both = new.join(old, on=list(keys), suffix="\0old", nulls_equal=True)
    parts = [_compared(both, keys, column, kind) for column, kind in noise.items()]
    return pl.concat(parts) if parts else pl.DataFrame()


def _compared(
    both: pl.DataFrame, keys: Sequence[str], column: str, kind: NoiseKind
) -> pl.DataFrame:
    value, std, _, _ = released_columns(column)
    compared = both.select(
        *keys,
        pl.lit(column).alias("column"),
        pl.col(f"{value}\0old").cast(pl.Float64).alias("before"),
        pl.col(value).cast(pl.Float64).alias("after"),
        (pl.col(std).cast(pl.Float64) ** 2 + pl.col(f"{std}\0old").cast(pl.Float64) ** 2)
        .sqrt()
        .alias("std"),
    ).with_columns((pl.col("after") - pl.col("before")).alias("change"))
    finite = pl.col("change").is_finite() & pl.col("std").is_finite() & (pl.col("std") > 0)
    compared = compared.filter(finite)
    half_width = quantile_95(kind) * pl.col("std")
    ratio = (compared["change"] / compared["std"]).to_numpy()
    return compared.with_columns(
        (pl.col("change") - half_width).alias("low"),
        (pl.col("change") + half_width).alias("high"),
        pl.Series("p_value", p_values(ratio, kind), dtype=pl.Float64),
    )


def p_values(ratio: FloatArray, noise: NoiseKind) -> FloatArray:
    """Returns the probability that noise alone makes a change as large, or more.

    For Gaussian noise it is P(|Z| >= r). With Laplace noise it is exp(-r sqrt(2)), the tail of a
    single draw: sums of draws have lighter tails wherever the result is below 0.05
    (`transforms.intervals.quantile_95`), so it is never too small there.

    Args:
        ratio: Changes over their standard deviations.
        noise: Distribution of the noise; `laplace` also where some of it is Gaussian.
    """
    size = np.abs(ratio)
    if noise == "gaussian":
        return np.asarray(erfc(size / np.sqrt(2)), dtype=np.float64)
    return np.asarray(np.exp(-size * np.sqrt(2)), dtype=np.float64)


def larger_than_noise(p_value: FloatArray, false_alarm: float = FALSE_ALARM) -> np.ndarray:
    """Returns which of many changes are larger than noise explains, by Holm's rule.

    The k-th smallest of m p-values is called so if it and all smaller ones are at most
    false_alarm / (m - k + 1). The probability of one wrong call or more is then at most
    false_alarm, whatever depends on what (S. Holm, *A simple sequentially rejective multiple test
    procedure*, Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_value: One per compared number.
        false_alarm: Probability of any wrong call.

    Returns:
        One truth value for each.
    """
    order = np.argsort(p_value, kind="stable")
    limits = false_alarm / np.arange(len(p_value), 0, -1)
    passed = np.logical_and.accumulate(p_value[order] <= limits)
    called = np.zeros(len(p_value), dtype=bool)
    called[order] = passed
    return called
