"""Bounds what each privacy unit adds to each partition, and sums up partitions.

Input are contributions that were merged and pruned to the partitions that may count. First it is
decided how many rows of each contribution count:

- L0 x Linf: min(c, Linf) of c rows.
- L1: all, if the unit's rows in its partitions are no more than L1. Else each partition keeps its
  exact share of L1, rounded down or up so that together they are L1 (`transforms.allotment`). A
  unit keeps L1 first-ranked partitions at most, whose full accumulators are there. What is kept
  is a function of the unit's own rows: partitions are taken in the order of their rank, from a
  keyed pseudo-random start.
- `bounding: row`: all.

Then each metric bounds its integers (`transforms.metrics`), so that one unit changes the table by
at most its sensitivity (`transforms.sensitivity`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.allotment import allot
from transforms.arrays import Int64Array
from transforms.contributions import Contributions
from transforms.hashing import mix
from transforms.items import ItemCounts
from transforms.metrics.base import Contribution, item_column
from transforms.partitions import concat_keys
from transforms.plan import TablePlan
from transforms.threshold_selection import WEIGHT_GRANULES

UNITS = "privacy_units:"
"""Column with the exact number of privacy units of a partition."""

WEIGHT = "privacy_units:weight"
"""Column with the weight of the privacy units of a partition, in granules."""

_ITEM_TYPE = pl.List(pl.Struct({"item": pl.UInt64, "count": pl.Int64}))


def bound_and_sum(contributions: Contributions, plan: TablePlan) -> pl.DataFrame:
    """Bounds each contribution and adds them up per partition.

    Args:
        contributions: All contributions of their units, pruned.
        plan: The table.

    Returns:
        Partial sums: the key columns, `UNITS`, `WEIGHT` where the selection needs it, the Int64
        columns of the metrics, and lists of items with their counts; one row per partition.
    """
    counted = counted_rows(contributions, plan)
    if not counted.all():
        contributions, counted = contributions.where(counted > 0), counted[counted > 0]
    rows = contributions.rows.astype(np.int64, copy=False)
    units = counted if plan.guarantee.bounding == "row" else np.ones(len(counted), np.int64)
    totals = {
        accumulator: column.astype(np.int64, copy=False)
        for accumulator, column in zip(plan.accumulators, contributions.sums, strict=True)
    }
    columns = {UNITS: units}
    if plan.needs_weights:
        columns[WEIGHT] = units * _weights(contributions, plan)
    bounded = Contribution(rows, counted, totals)
    for metric in plan.metrics:
        for suffix, column in metric.metric.bound(bounded).items():
            columns[metric.name + suffix] = column
    summed = (
        pl.DataFrame({"partition:": contributions.partition, **columns})
        .lazy()
        .group_by("partition:")
        .agg(pl.col(name).sum() for name in columns)
        .collect(engine="streaming")
    )
    for source, counts in zip(plan.items, contributions.items, strict=True):
        kept = source.bound(counts, contributions.identities, counted)
        listed = _lists(kept, contributions)
        for name in (m.name for m in plan.metrics if m.metric.items == source):
            summed = _with_items(summed, listed, item_column(name))
    keys = contributions.partitions.take(summed["partition:"].to_numpy()).keys
    return keys.hstack(summed.select(*summed_columns(plan), *item_columns(plan)))


def counted_rows(contributions: Contributions, plan: TablePlan) -> Int64Array:
    """Returns how many rows of each contribution count, shape (n,)."""
    rows = contributions.rows.astype(np.int64, copy=False)
    if plan.max_rows is None:
        return rows
    if plan.bounds.max_contributions is None:
        return np.minimum(rows, plan.max_rows)
    unit = contributions.unit
    order = np.lexsort((contributions.identities, unit))
    codes = unit[order].astype(np.int64)
    counted = np.empty(len(rows), np.int64)
    counted[order] = allot(
        rows[order],
        codes,
        np.full(len(contributions.units), plan.max_rows, np.int64),
        (mix(contributions.units.high.copy()) >> np.uint64(1)).astype(np.int64),
    )
    return counted


def _weights(contributions: Contributions, plan: TablePlan) -> Int64Array:
    """Returns what each contribution adds to the weight of its partition, shape (n,).

    A unit with k partitions adds 1 / sqrt(k) to each, rounded down: the squares of what it adds
    make at most 1 (S. Gopi et al., *Differentially private set union*, 2020, section 3).
    """
    if plan.guarantee.bounding != "unit":
        return np.full(len(contributions), WEIGHT_GRANULES, np.int64)
    partitions = np.bincount(contributions.unit, minlength=len(contributions.units))
    granules = np.sqrt(WEIGHT_GRANULES**2 // np.maximum(partitions, 1)).astype(np.int64)
    weights: Int64Array = granules[contributions.unit]
    return weights


def _lists(counts: ItemCounts, contributions: Contributions) -> pl.DataFrame:
    partition = contributions.partition[counts.contribution]
    grouped = ItemCounts.group(partition, counts.item, counts.count)
    return (
        pl.DataFrame(
            {
                "partition:": grouped.contribution.astype(contributions.partition.dtype),
                "item": grouped.item,
                "count": grouped.count,
            }
        )
        .group_by("partition:")
        .agg(pl.struct("item", "count").alias("items"))
    )


def _with_items(summed: pl.DataFrame, listed: pl.DataFrame, name: str) -> pl.DataFrame:
    joined = summed.join(listed, on="partition:", how="left", maintain_order="left")
    items = pl.col("items").fill_null(pl.lit([], _ITEM_TYPE)).alias(name)
    return joined.with_columns(items).drop("items")


def add_up(partials: Sequence[pl.DataFrame], plan: TablePlan) -> pl.DataFrame:
    """Merges partial sums of disjoint sets of units.

    Args:
        partials: One or more frames made by `bound_and_sum` or `public_zeros`.
        plan: The table.

    Returns:
        One row per partition; lists of items may hold an item more than once.
    """
    if len(partials) == 1:
        return partials[0]
    together = concat_keys(partials)
    lists = [name for name in item_columns(plan) if name in together.columns]
    return together.group_by(plan.keys).agg(
        pl.all().exclude(lists).sum(),
        *(pl.col(name).list.explode(empty_as_null=False) for name in lists),
    )


def public_zeros(plan: TablePlan, start: int = 0, stop: int | None = None) -> pl.DataFrame:
    """Returns partial sums of zero for public partitions of a table that has them.

    Args:
        plan: The table.
        start: Position of the first partition in the list.
        stop: Position after the last; all by default.
    """
    listed = plan.public_keys
    assert listed is not None
    return listed.slice(start, listed.height if stop is None else stop).with_columns(_zeros(plan))


def _zeros(plan: TablePlan) -> list[pl.Expr]:
    return [
        *(pl.lit(0, pl.Int64).alias(name) for name in summed_columns(plan)),
        *(pl.lit([], _ITEM_TYPE).alias(name) for name in item_columns(plan)),
    ]


def without_keys(partials: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Returns partial sums with nulls for keys, so that all partitions are one."""
    return partials.with_columns(
        pl.lit(None).cast(partials.schema[name]).alias(name) for name in plan.keys
    )


def no_others(plan: TablePlan) -> pl.DataFrame:
    """Returns partial sums of zero for the row of other partitions."""
    return pl.DataFrame({name: [None] for name in plan.keys}).with_columns(_zeros(plan))


def add_up_others(partials: Sequence[pl.DataFrame], plan: TablePlan) -> pl.DataFrame:
    """Merges partial sums without keys to one row."""
    return add_up([no_others(plan), *partials], plan)


def summed_columns(plan: TablePlan) -> list[str]:
    """Returns the columns of whole numbers in partial sums."""
    weights = [WEIGHT] if plan.needs_weights else []
    metrics = (metric for metric in plan.metrics if metric.metric.items is None)
    return [UNITS, *weights, *(name for metric in metrics for name in metric.drawn_columns)]


def item_columns(plan: TablePlan) -> list[str]:
    """Returns the columns of lists of items in partial sums."""
    return [item_column(m.name) for m in plan.metrics if m.metric.items is not None]
