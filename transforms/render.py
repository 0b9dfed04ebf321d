"""Renders drawn integers for readers: units, standard deviations, intervals."""

from __future__ import annotations

import polars as pl

from transforms.noise import half_width_95
from transforms.plan import MetricPlan, TablePlan
from transforms.table import released_columns


def render(drawn: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Turns drawn integers into a table to publish, each number with its error.

    Args:
        drawn: What `draw` returned.
        plan: The table.

    Returns:
        Rows sorted by key. Per metric: the value in the column's unit, `<name>_std` the standard
        deviation of its noise, `<name>_low` and `<name>_high` the bounds of the 95 % interval of
        the value before noise.
    """
    columns: list[pl.Expr] = [pl.col(name) for name in plan.keys]
    for metric in plan.metrics:
        value = pl.col(metric.name)
        half_width = half_width_95(metric.mechanism)
        parts = (
            _in_units(value, metric),
            pl.lit(metric.noise_std),
            _in_units(value - half_width, metric),
            _in_units(value + half_width, metric),
        )
        names = released_columns(metric.name)
        columns += [part.alias(name) for part, name in zip(parts, names, strict=True)]
    return drawn.select(columns).sort(plan.keys)


def _in_units(granules: pl.Expr, metric: MetricPlan) -> pl.Expr:
    step = metric.granularity
    if step == 1:
        return granules
    per_unit = 1 / step
    if per_unit == per_unit.to_integral_value():
        return granules / int(per_unit)
    return granules * float(step)
