"""Draws the released numbers: selection, then noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.bounding import UNITS, WEIGHT, add_up_others, without_keys
from transforms.noise import select
from transforms.plan import MetricPlan, TablePlan


@dataclass(frozen=True)
class Draw:
    """Partitions of one table, or of a part of it, after selection and noise.

    Attributes:
        drawn: Key columns and the noisy Int64 columns of the metrics, in rows, units or granules.
        other: Exact sums of the partitions that were not selected, which are private: one row,
            whose keys are null. None where the table has no row of other partitions.
    """

    drawn: pl.DataFrame
    other: pl.DataFrame | None


def draw(partials: pl.DataFrame, plan: TablePlan) -> Draw:
    """Selects partitions and adds noise to their metrics. Every call draws anew.

    Args:
        partials: Exact sums of all partitions of the table, or of a part of them.
        plan: The table.

    Returns:
        The selected partitions with their noise.
    """
    other = None
    if plan.selection is not None:
        chosen_by = partials[WEIGHT if plan.needs_weights else UNITS]
        selected = pl.Series(select(chosen_by.to_numpy(), plan.selection), dtype=pl.Boolean)
        if plan.other:
            other = add_up_others([without_keys(partials.filter(~selected), plan)], plan)
        partials = partials.filter(selected)
    return Draw(_with_noise(partials, plan, plan.metrics), other)


def draw_other(partials: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Adds noise to the row of other partitions. Every call draws anew.

    Which partitions it holds is what the selection released. Given that, one unit moves this row
    by what it contributes to all of them together (`transforms.sensitivity`, merged).

    Args:
        partials: Exact sums of all partitions that were not selected, one row.
        plan: The table.

    Returns:
        Key columns, which are null, and noisy columns; null for metrics that do not add up.
    """
    return _with_noise(partials, plan, plan.other)


def _with_noise(
    partials: pl.DataFrame, plan: TablePlan, metrics: Sequence[MetricPlan]
) -> pl.DataFrame:
    columns: list[pl.Series] = []
    for metric in metrics:
        if metric.noises:
            drawn = metric.metric.draw(metric.name, partials, metric.noises)
            columns += [
                pl.Series(metric.name + suffix, column, dtype=pl.Int64)
                for suffix, column in drawn.items()
            ]
        else:
            nothing = [None] * partials.height
            columns += [pl.Series(name, nothing, dtype=pl.Int64) for name in metric.drawn_columns]
    return partials.select(plan.keys).with_columns(columns).select(*plan.keys, *plan.drawn_columns)
