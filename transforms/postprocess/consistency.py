"""Makes released tables of several levels agree: a parent is the sum of its children.

Every level has noise of its own, so a country is not the sum of its regions. Of all numbers that
add up, generalised least squares takes those that are nearest to the released ones, each squared
distance divided by the known variance of the noise. By the theorem of Gauss and Markov no other
unbiased linear estimate has a smaller variance: every number is as good as before or better.

On a tree this takes two passes (M. Hay, V. Rastogi, G. Miklau and D. Suciu, "Boosting the accuracy
of differentially private histograms through consistency", PVLDB 3, 2010, for equal variances; here
each row has its own):

- From the leaves to the root, each row is combined with the sum of its children, each weighted by
  the inverse of its variance. Row y of variance s and children of estimates z and variances v give
  w y + (1 - w) sum(z), of variance w s, with w = sum(v) / (s + sum(v)).
- From the root to the leaves, what the final parent x differs from sum(z) is divided among the
  children in proportion to v. With f = v / sum(v) a child becomes z + f (x - sum(z)), of variance
  v - f v + f^2 Var(x): v - f v is left when x is known, and f^2 Var(x) comes from x.

The estimates assume that the values before noise add up. They do when each level lists every child
of each parent, and no contribution bound cuts more of a unit on one level than on another. Bounds
that cut differently (an L0 that keeps other partitions, an Linf of a whole country), rows whose key
is null on the finer level only, and keys that are not on the public list of the finer level make
the levels differ before noise. That difference is divided among the rows as if it were noise, and
biases them. The stated errors are those of noise alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import polars as pl

from transforms.intervals import quantile_95
from transforms.mechanisms import NoiseKind
from transforms.metrics import Count, Sum
from transforms.table import PublicKeys, Table, released_columns

_VALUE, _VARIANCE = "value:estimate", "value:variance"
_CHILDREN, _CHILDREN_VARIANCE = "value:children", "value:children variance"
_SIBLINGS_VARIANCE = "value:siblings variance"
_DIFFERENCE, _PARENT_VARIANCE = "value:difference", "value:parent variance"


def make_consistent(
    levels: Sequence[pl.DataFrame],
    keys: Sequence[Sequence[str]],
    metric: str,
    noise: NoiseKind = "laplace",
) -> list[pl.DataFrame]:
    """Adjusts one metric on all levels, so that each parent is the sum of its children.

    Privacy: the result is a function of released tables only. Use `check_consistency` on the
    tables first: it refuses what cannot be made consistent.

    Args:
        levels: Released tables, from the coarsest to the finest.
        keys: Key columns of each, those of a level among those of the next.
        metric: The metric to adjust; its noise is independent from row to row and level to level.
        noise: Distribution of the noise; `laplace` also where levels have different ones.

    Returns:
        The tables with the same rows, in the same order, and the four columns of the metric
        adjusted: the estimate, as a float, since an estimate between whole numbers is better than
        the nearest whole number and rounded ones would not add up; its exact standard deviation;
        and an interval of 95 % or more.

    Raises:
        ValueError: Keys are not nested, a level has a key twice, a number or standard deviation
            is missing, or a row has no parent or no children.
    """
    check_nested(keys)
    estimates = [
        _estimates(level, list(names), metric) for level, names in zip(levels, keys, strict=True)
    ]
    for finer in range(len(levels) - 1, 0, -1):
        coarser, on = estimates[finer - 1], list(keys[finer - 1])
        estimates[finer - 1] = _with_children(coarser, estimates[finer], on)
    for finer in range(1, len(levels)):
        on = list(keys[finer - 1])
        estimates[finer] = _with_parent(estimates[finer], estimates[finer - 1], on)
    return [
        level.with_columns(_columns(estimate, metric, quantile_95(noise)))
        for level, estimate in zip(levels, estimates, strict=True)
    ]


def check_consistency(levels: Mapping[str, Table], metric: str) -> None:
    """Raises a ValueError when levels cannot be made consistent in a metric, saying why.

    Args:
        levels: Tables by name, from the coarsest to the finest.
        metric: The metric.
    """
    check_nested([list(table.keys) for table in levels.values()])
    first = next(iter(levels.values())).metrics.get(metric)
    for name, table in levels.items():
        if metric not in table.metrics:
            raise ValueError(f"{name} has no metric {metric!r}; it has: {', '.join(table.metrics)}")
        if not isinstance(table.metrics[metric], Count | Sum):
            raise ValueError(
                f"{metric} does not add up: a parent has less than its children have together "
                "where a unit is in several of them; allowed: counts of rows and sums"
            )
        if table.metrics[metric] != first:
            raise ValueError(f"{metric} is not the same on all levels; allowed: one definition")
        if not isinstance(table.partitions, PublicKeys):
            raise ValueError(
                f"the partitions of {name} are selected privately, so a parent may have children "
                "that are not released and is not the sum of those that are; allowed: public keys "
                "on all levels"
            )


def check_nested(keys: Sequence[Sequence[str]]) -> None:
    """Raises a ValueError when the keys of a level are not among those of the next, and fewer."""
    for coarser, finer in pairwise(keys):
        if not set(coarser) < set(finer):
            raise ValueError(
                f"the keys {', '.join(coarser)} are not among {', '.join(finer)}; "
                "allowed: levels that each have the keys of the one before, and more"
            )


def _estimates(level: pl.DataFrame, keys: list[str], metric: str) -> pl.DataFrame:
    value, std, _, _ = released_columns(metric)
    numbers = level.select(pl.col(value, std).cast(pl.Float64))
    if not numbers.select(pl.all_horizontal(pl.all().is_finite().fill_null(False).all())).item():
        raise ValueError(f"{metric} has empty values; allowed: a number and its error in each row")
    if not (numbers[std] > 0).all():
        raise ValueError(f"{std} has values of 0 or less; allowed: above 0")
    if level.select(keys).is_duplicated().any():
        raise ValueError(f"a level has several rows of the same {', '.join(keys)}; allowed: one")
    return level.select(*keys, numbers[value].alias(_VALUE), (numbers[std] ** 2).alias(_VARIANCE))


def _with_children(rows: pl.DataFrame, children: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Combines each row with the sum of its children."""
    sums = children.group_by(on, maintain_order=True).agg(
        pl.col(_VALUE).sum().alias(_CHILDREN), pl.col(_VARIANCE).sum().alias(_CHILDREN_VARIANCE)
    )
    joined = rows.join(sums, on=on, how="left", maintain_order="left")
    if joined[_CHILDREN].null_count():
        raise ValueError(f"a row has no children on the next level; its keys are {', '.join(on)}")
    own, theirs = pl.col(_VARIANCE), pl.col(_CHILDREN_VARIANCE)
    weight = theirs / (own + theirs)
    return joined.with_columns(
        (weight * pl.col(_VALUE) + (1 - weight) * pl.col(_CHILDREN)).alias(_VALUE),
        (weight * own).alias(_VARIANCE),
    )


def _with_parent(rows: pl.DataFrame, parents: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Divides what the final parents differ from the sums of their children among these."""
    above = parents.select(
        *on,
        (pl.col(_VALUE) - pl.col(_CHILDREN)).alias(_DIFFERENCE),
        pl.col(_VARIANCE).alias(_PARENT_VARIANCE),
        pl.col(_CHILDREN_VARIANCE).alias(_SIBLINGS_VARIANCE),
    )
    joined = rows.join(above, on=on, how="left", maintain_order="left")
    if joined[_DIFFERENCE].null_count():
        raise ValueError(f"a row has no parent on the level before, by {', '.join(on)}")
    own = pl.col(_VARIANCE)
    part = own / pl.col(_SIBLINGS_VARIANCE)
    return joined.with_columns(
        (pl.col(_VALUE) + part * pl.col(_DIFFERENCE)).alias(_VALUE),
        (own - part * own + part**2 * pl.col(_PARENT_VARIANCE)).alias(_VARIANCE),
    )


def _columns(estimate: pl.DataFrame, metric: str, quantile: float) -> list[pl.Series]:
    value, std = estimate[_VALUE], estimate[_VARIANCE].sqrt()
    columns = (value, std, value - quantile * std, value + quantile * std)
    return [
        column.alias(name) for column, name in zip(columns, released_columns(metric), strict=True)
    ]
