"""Draws the released numbers: selection, then noise."""

from __future__ import annotations

import polars as pl

from transforms.bounding import UNITS, WEIGHT
from transforms.noise import select
from transforms.plan import TablePlan


def draw(partials: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Selects partitions and adds noise to their metrics. Every call draws anew.

    Args:
        partials: Exact sums of all partitions of the table, or of a part of them.
        plan: The table.

    Returns:
        Key columns and the noisy Int64 columns of the metrics, in rows, units or granules.
    """
    if plan.selection is not None:
        chosen_by = partials[WEIGHT if plan.needs_weights else UNITS]
        partials = partials.filter(select(chosen_by.to_numpy(), plan.selection))
    drawn = {
        metric.name + suffix: column
        for metric in plan.metrics
        for suffix, column in metric.metric.draw(metric.name, partials, metric.noises).items()
    }
    return partials.select(plan.keys).with_columns(
        pl.Series(name, drawn[name], dtype=pl.Int64) for name in plan.drawn_columns
    )
