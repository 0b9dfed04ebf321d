"""Renders drawn integers for readers: units, standard deviations, intervals."""

from __future__ import annotations

import polars as pl

from transforms.plan import TablePlan
from transforms.table import released_columns


def render(drawn: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Turns drawn integers into a table to publish, each number with its error.

    Args:
        drawn: What `draw` returned.
        plan: The table.

    Returns:
        Rows sorted by key. Per released value: the value in its unit, `<name>_std` the standard
        deviation of its noise, `<name>_low` and `<name>_high` the bounds of the 95 % interval of
        the value before noise.
    """
    columns = drawn.select(plan.keys).get_columns()
    for metric in plan.metrics:
        values = metric.metric.render(metric.name, drawn, metric.noises)
        for name, value in zip(metric.released, values, strict=True):
            parts = (value.value, value.std, value.low, value.high)
            columns += [
                part.alias(column)
                for part, column in zip(parts, released_columns(name), strict=True)
            ]
    return pl.DataFrame(columns).sort(plan.keys)
