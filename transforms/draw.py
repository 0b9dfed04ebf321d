"""Draws the released numbers: selection, then noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.bounding import UNITS, WEIGHT, add_up_others, without_keys
from transforms.mechanisms import SelectionMechanism, ThresholdSelection
from transforms.noise import select, select_and_count
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
    counted: dict[str, pl.Series] = {}
    if plan.selection is not None:
        selected, counted = _selected(partials, plan, plan.selection)
        if plan.other:
            other = add_up_others([without_keys(partials.filter(~selected), plan)], plan)
        partials = partials.filter(selected)
    return Draw(_with_noise(partials, plan, plan.metrics, counted), other)


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
    return _with_noise(partials, plan, plan.other, {})


def _selected(
    partials: pl.DataFrame, plan: TablePlan, selection: SelectionMechanism
) -> tuple[pl.Series, dict[str, pl.Series]]:
    """Returns which partitions are selected, and the noisy numbers of theirs that are released."""
    if plan.noisy_count is not None:
        assert isinstance(selection, ThresholdSelection)
        kept, noisy = select_and_count(partials[UNITS].to_numpy(), selection)
        return pl.Series(kept), {plan.noisy_count: pl.Series(plan.noisy_count, noisy[kept])}
    chosen_by = partials[WEIGHT if plan.needs_weights else UNITS]
    return pl.Series(select(chosen_by.to_numpy(), selection), dtype=pl.Boolean), {}


def _with_noise(
    partials: pl.DataFrame,
    plan: TablePlan,
    metrics: Sequence[MetricPlan],
    counted: Mapping[str, pl.Series],
) -> pl.DataFrame:
    columns: list[pl.Series] = []
    for metric in metrics:
        if metric.name in counted:
            columns.append(counted[metric.name])
        elif metric.noises:
            drawn = metric.metric.draw(metric.name, partials, metric.noises)
            columns += [
                pl.Series(metric.name + suffix, column, dtype=pl.Int64)
                for suffix, column in drawn.items()
            ]
        else:
            nothing = [None] * partials.height
            columns += [pl.Series(name, nothing, dtype=pl.Int64) for name in metric.drawn_columns]
    return partials.select(plan.keys).with_columns(columns).select(*plan.keys, *plan.drawn_columns)
