"""Leaves out rows and numbers by their noisy values.

Whatever is selected by its noisy value has noise that is above zero on average, so intervals of
what is left hold the value before noise in less than 95 % of cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from transforms.table import released_columns


def suppress(frame: pl.DataFrame, metric: str, relative_error: float) -> pl.DataFrame:
    """Nulls a metric where its error is large against its value.

    The row stays, with its keys and other metrics: with public keys a missing row would say less
    than an empty one.

    Args:
        frame: A released table.
        metric: One of its metrics.
        relative_error: Largest standard deviation, as a part of the absolute noisy value.

    Returns:
        The table; all four columns of the metric are null where its error is larger.
    """
    value, std, _, _ = released_columns(metric)
    good = pl.col(std) <= relative_error * pl.col(value).abs()
    return frame.with_columns(
        pl.when(good).then(pl.col(column)).alias(column) for column in released_columns(metric)
    )


def minimum(frame: pl.DataFrame, metric: str, least: float) -> pl.DataFrame:
    """Drops the rows whose noisy value is below a minimum, or null."""
    return frame.filter(pl.col(metric) >= least)


def top_k(frame: pl.DataFrame, keys: Sequence[str], metric: str, k: int) -> pl.DataFrame:
    """Keeps the rows with the largest noisy values.

    Args:
        frame: A released table.
        keys: Its key columns.
        metric: The metric to compare.
        k: How many rows to keep.

    Returns:
        At most k rows, sorted by key. Of rows with the same value, those with the smaller keys
        come first. Rows without a value are not kept.
    """
    by = [metric, *keys]
    ranked = frame.drop_nulls(metric).sort(by, descending=[name == metric for name in by])
    return ranked.head(k).sort(keys)


def without_other(frame: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the rows of partitions, and the row of other partitions, whose keys are null."""
    is_other = pl.all_horizontal(pl.col(list(keys)).is_null())
    return frame.filter(~is_other), frame.filter(is_other)
