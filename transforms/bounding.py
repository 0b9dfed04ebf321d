"""Bounds what each privacy unit adds to each partition, and sums up partitions.

Input are contributions that were merged and pruned to L0 partitions per unit. From here on one
unit changes at most L0 partitions, each by at most the sensitivity of the metric:

- `count`: min(c, Linf) of c rows.
- `privacy_unit_count`: 1.
- `sum` with `clip`: s * Linf / c for c > Linf rows with the clipped sum s, rounded. As |s| is at
  most c times the largest magnitude m, the result is at most Linf * m, a whole number of granules,
  which rounding cannot exceed.
- `sum` with `clip_total`: the total, clipped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.contributions import Contributions
from transforms.metrics import Count, Sum
from transforms.partitions import concat_keys
from transforms.plan import TablePlan

Int64Array = npt.NDArray[np.int64]

UNITS = "privacy_units:"
"""Column with the exact number of privacy units of a partition."""


def bound_and_sum(contributions: Contributions, plan: TablePlan) -> pl.DataFrame:
    """Bounds each contribution and adds them up per partition.

    Args:
        contributions: All contributions of their units, at most L0 per unit.
        plan: The table.

    Returns:
        Partial sums: the key columns, `UNITS` and one Int64 column per metric other than
        `privacy_unit_count`, one row per partition.
    """
    linf = plan.bounds.max_contributions_per_partition
    rows = contributions.rows.astype(np.int64, copy=False)
    sums = iter(contributions.sums)
    bounded: dict[str, Int64Array] = {}
    for planned in plan.metrics:
        if isinstance(planned.metric, Count):
            bounded[planned.name] = np.minimum(rows, linf)
        elif isinstance(planned.metric, Sum):
            total = next(sums).astype(np.int64, copy=False)
            bounded[planned.name] = (
                rescale(total, rows, linf)
                if planned.metric.clip is not None
                else np.clip(total, *planned.metric.interval_granules)
            )
    summed = (
        pl.DataFrame({"partition:": contributions.partition, **bounded})
        .lazy()
        .group_by("partition:")
        .agg(pl.len().cast(pl.Int64).alias(UNITS), *(pl.col(name).sum() for name in bounded))
        .collect(engine="streaming")
    )
    keys = contributions.partitions.take(summed["partition:"].to_numpy()).keys
    return keys.hstack(summed.drop("partition:"))


def rescale(total: Int64Array, rows: Int64Array, max_rows: int) -> Int64Array:
    """Scales the sum of more than `max_rows` values down to what `max_rows` average ones add up to.

    With total = q * rows + r, total * max_rows / rows is q * max_rows + r * max_rows / rows. All
    products fit an int64: |q| is at most one value's magnitude, r < rows <= `MAX_ROWS`, and
    max_rows is at most `MAX_LINF`.

    Args:
        total: Sums in granules, shape (n,).
        rows: Number of values in each sum, at least 1, shape (n,).
        max_rows: Linf.

    Returns:
        total * min(1, max_rows / rows), rounded half up, shape (n,).
    """
    scaled = total.copy()
    over = np.flatnonzero(rows > max_rows)
    divisor = rows[over]
    quotient, remainder = np.divmod(total[over], divisor)
    scaled[over] = quotient * max_rows + (2 * remainder * max_rows + divisor) // (2 * divisor)
    return scaled


def add_up(partials: Sequence[pl.DataFrame], plan: TablePlan) -> pl.DataFrame:
    """Merges partial sums of disjoint sets of units.

    Args:
        partials: One or more frames made by `bound_and_sum` or `public_zeros`.
        plan: The table.

    Returns:
        One row per partition.
    """
    if len(partials) == 1:
        return partials[0]
    return concat_keys(partials).group_by(plan.keys).agg(pl.all().sum())


def public_zeros(plan: TablePlan) -> pl.DataFrame:
    """Returns partial sums of zero for every public partition of a table that has them."""
    assert plan.public_keys is not None
    return plan.public_keys.with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in [UNITS, *summed_columns(plan)]
    )


def summed_columns(plan: TablePlan) -> list[str]:
    """Returns the metrics that have a column of their own in partial sums."""
    return [m.name for m in plan.metrics if isinstance(m.metric, Count | Sum)]
