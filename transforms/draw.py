"""Draws the released numbers: selection, then noise."""

from __future__ import annotations

import polars as pl

from transforms.bounding import UNITS
from transforms.metrics import PrivacyUnitCount
from transforms.noise import add_noise, select
from transforms.plan import TablePlan


def draw(partials: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Selects partitions and adds noise to their metrics. Every call draws anew.

    Args:
        partials: Exact sums of all partitions of the table, or of a part of them.
        plan: The table.

    Returns:
        Key columns and one noisy Int64 column per metric, in rows, units or granules.
    """
    if plan.selection is not None:
        partials = partials.filter(select(partials[UNITS].to_numpy(), plan.selection))
    exact = {
        metric.name: UNITS if isinstance(metric.metric, PrivacyUnitCount) else metric.name
        for metric in plan.metrics
    }
    return partials.select(
        *plan.keys,
        *(
            pl.Series(
                metric.name, add_noise(partials[exact[metric.name]].to_numpy(), metric.mechanism)
            )
            for metric in plan.metrics
        ),
    )
