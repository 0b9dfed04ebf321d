"""Sums of published numbers over some of their keys, with the error of the sum."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from transforms.intervals import quantile_95
from transforms.mechanisms import NoiseKind
from transforms.table import released_columns


def total_by(
    frame: pl.DataFrame, keys: Sequence[str], column: str, noise: NoiseKind
) -> pl.DataFrame:
    """Adds up a number over the rows that have the same keys; their noise is independent.

    Args:
        frame: Published rows.
        keys: Keys to add up by.
        column: A number that adds up, such as a count or a sum.
        noise: Distribution of its noise; `laplace` where draws are of both kinds.

    Returns:
        A row per combination of keys: the keys, and the number with its standard deviation and 95 %
        interval under the names that it had (`transforms.table.released_columns`).
    """
    value, std, low, high = released_columns(column)
    variance = (pl.col(std).cast(pl.Float64) ** 2).sum()
    half_width = quantile_95(noise) * pl.col(std)
    return (
        frame.filter(pl.col(value).is_not_null())
        .group_by(keys, maintain_order=True)
        .agg(pl.col(value).sum(), variance.sqrt().alias(std))
        .with_columns(
            (pl.col(value) - half_width).alias(low), (pl.col(value) + half_width).alias(high)
        )
    )
