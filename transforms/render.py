"""Renders drawn integers for readers: units, standard deviations, intervals."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from transforms.metrics.base import ReleasedValue
from transforms.plan import MetricPlan, TablePlan
from transforms.table import released_columns


def render(drawn: pl.DataFrame, plan: TablePlan) -> pl.DataFrame:
    """Turns drawn integers into a table to publish, each number with its error.

    Args:
        drawn: What `draw` returned.
        plan: The table.

    Returns:
        Rows sorted by key. Per released value: the value in its unit, `<name>_std` the standard
        deviation of its noise, `<name>_low` and `<name>_high` the bounds of the 95 % interval of
        the value before noise. The row of other partitions is last: its keys are null, and so are
        metrics that do not add up.
    """
    if not plan.other:
        return _render(drawn, plan, plan.metrics).sort(plan.keys)
    is_other = drawn[plan.keys[0]].is_null()
    selected = _render(drawn.filter(~is_other), plan, plan.metrics).sort(plan.keys)
    return pl.concat([selected, _render(drawn.filter(is_other), plan, plan.other)])


def _render(drawn: pl.DataFrame, plan: TablePlan, metrics: Sequence[MetricPlan]) -> pl.DataFrame:
    columns = drawn.select(plan.keys).get_columns()
    for metric in metrics:
        values = (
            metric.metric.render(metric.name, drawn, metric.noises)
            if metric.noises
            else [_nothing(drawn.height)] * len(metric.released)
        )
        for name, value in zip(metric.released, values, strict=True):
            parts = (value.value, value.std, value.low, value.high)
            columns += [
                part.alias(column)
                for part, column in zip(parts, released_columns(name), strict=True)
            ]
    return pl.DataFrame(columns)


def _nothing(rows: int) -> ReleasedValue:
    whole = pl.Series([None] * rows, dtype=pl.Int64)
    return ReleasedValue(whole, whole.cast(pl.Float64), whole, whole)
