"""The same aggregation on data in memory, without a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl
import pyarrow as pa

from transforms.bounding import add_up, public_zeros
from transforms.bounds import Bounds, Guarantee
from transforms.budget import AnyBudget
from transforms.contributions import group_shard, number_partitions
from transforms.draw import draw, draw_other
from transforms.hashing import HashKey
from transforms.mechanisms import AUTO, NoiseChoice
from transforms.metrics import Metric
from transforms.plan import TablePlan
from transforms.planning import plan_tables
from transforms.render import render
from transforms.stages import Engine, unit_columns
from transforms.table import PrivateSelection, PublicKeys, Table

if TYPE_CHECKING:
    import pandas as pd

Frame = TypeVar("Frame", "pd.DataFrame", pl.DataFrame, pa.Table)
"""A table in memory."""


def aggregate(
    data: Frame,
    *,
    unit: str | Sequence[str],
    keys: str | Sequence[str],
    metrics: Mapping[str, Metric],
    budget: AnyBudget,
    bounds: Bounds = Bounds(),
    partitions: PrivateSelection | PublicKeys = PrivateSelection(),
    noise: NoiseChoice = AUTO,
    guarantee: Guarantee = Guarantee(),
    other: bool = False,
) -> Frame:
    """Releases one table of a data frame: a differentially private group-by.

    Every call draws again and spends the budget again.

    Args:
        data: Raw rows: a pandas or Polars frame, or an Arrow table.
        unit: Privacy unit columns; there may be none where single rows are protected.
        keys: Key columns.
        metrics: Metrics by the name of their column.
        budget: Budget of this call.
        bounds: Contribution bounds.
        partitions: Private selection, or the public list of partitions.
        noise: Distribution of the noise.
        guarantee: What is protected.
        other: Whether partitions that are not selected are released as one row with null keys.

    Returns:
        One row per released partition, with the columns described in `transforms.render`; of the
        same kind as the data.
    """
    table = Table(keys, metrics, bounds, partitions, noise, other=other)
    (plan,) = plan_tables({"table": table}, budget, guarantee)
    partials = exact_partials(as_arrow(data), unit_columns(unit, (plan,)), plan, HashKey.draw())
    done = draw(partials, plan)
    rows = [done.drawn]
    if done.other is not None:
        rows.append(draw_other(done.other, plan))
    released: Frame = _like(data, render(pl.concat(rows, how="vertical_relaxed"), plan))
    return released


def exact_partials(
    rows: pa.Table, unit: Sequence[str], plan: TablePlan, key: HashKey
) -> pl.DataFrame:
    """Returns the bounded sums per partition before selection and noise. They are private."""
    engine = Engine(tuple(unit), (plan,), key, unit_shards=1, partition_shards=1)
    batches = [engine.batch([rows])]
    contributions = group_shard(batches, 0, [number_partitions(batches, 0)])
    partials = [engine.partial_sums(0, list(contributions))]
    if plan.public_keys is not None:
        partials.append(public_zeros(plan))
    return add_up(partials, plan)


def _like(data: object, released: pl.DataFrame) -> Any:
    """Returns a frame as what the data is: a pandas or Polars frame, or an Arrow table."""
    if isinstance(data, pa.Table):
        return released.to_arrow(compat_level=pl.CompatLevel.oldest())
    if isinstance(data, pl.DataFrame):
        return released
    return released.to_pandas()


def as_arrow(data: pd.DataFrame | pl.DataFrame | pa.Table) -> pa.Table:
    """Returns a pandas or Polars frame as an Arrow table."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pl.DataFrame):
        return data.to_arrow()
    try:
        return pa.Table.from_pandas(data, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise TypeError("a column holds values of several types; allowed: one type each") from None
