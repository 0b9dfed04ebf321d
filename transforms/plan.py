"""Turns tables and a budget into the complete list of mechanisms, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import polars as pl

from transforms.budget import Budget, split
from transforms.mechanisms import AdditiveMechanism, Mechanism, SelectionMechanism
from transforms.metrics import MAX_SENSITIVITY, Bounds, Metric, Sum
from transforms.noise import check_mechanism, noise_std
from transforms.table import SELECTION, PrivateSelection, Table


@dataclass(frozen=True)
class MetricPlan:
    """One metric with the noise that it gets.

    Attributes:
        name: Released column.
        metric: What is measured.
        mechanism: The noise, in rows, units or granules.
    """

    name: str
    metric: Metric
    mechanism: AdditiveMechanism

    @property
    def granularity(self) -> Decimal:
        """Size of one step of the metric's integers: 1 for counts."""
        return self.metric.step if isinstance(self.metric, Sum) else Decimal(1)

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise, in the unit of the released column."""
        return noise_std(self.mechanism) * float(self.granularity)


@dataclass(frozen=True, eq=False)
class TablePlan:
    """One table with all its mechanisms: everything that the engine needs to know.

    Attributes:
        name: Name of the table.
        keys: Key columns.
        bounds: Contribution bounds.
        metrics: Metrics with their noise.
        selection: Private selection, or None with public keys.
        public_keys: One row per public partition, columns in the order of `keys`, or None.
    """

    name: str
    keys: tuple[str, ...]
    bounds: Bounds
    metrics: tuple[MetricPlan, ...]
    selection: SelectionMechanism | None
    public_keys: pl.DataFrame | None

    @property
    def sums(self) -> tuple[Sum, ...]:
        """The sum metrics, in order."""
        return tuple(plan.metric for plan in self.metrics if isinstance(plan.metric, Sum))

    @property
    def mechanisms(self) -> dict[str, Mechanism]:
        """Every mechanism of the table by its name: `selection`, then the metrics."""
        first: dict[str, Mechanism] = {SELECTION: self.selection} if self.selection else {}
        return {**first, **{metric.name: metric.mechanism for metric in self.metrics}}


def plan_tables(tables: Mapping[str, Table], budget: Budget) -> tuple[TablePlan, ...]:
    """Works out every mechanism of a release.

    Epsilon is divided by the shares of tables and, inside each, of selection and metrics. Delta is
    divided by the same shares among the mechanisms that use it: selection and Gaussian noise.

    Args:
        tables: Tables by name.
        budget: Budget of all of them together.

    Returns:
        One plan per table, in the order given.

    Raises:
        ValueError: No tables; a mechanism needs delta and the budget has none; a sum could
            overflow an int64; or PyDP cannot draw from a mechanism.
    """
    if not tables:
        raise ValueError("a release needs at least one table")
    shares = {
        (name, spender): Fraction(share) * Fraction(table.share) / _total(table)
        for name, table in tables.items()
        for spender, share in table.spenders.items()
    }
    needs_delta = {
        (name, spender): share
        for (name, spender), share in shares.items()
        if spender == SELECTION or tables[name].noise == "gaussian"
    }
    if needs_delta and budget.delta == 0:
        name, spender = next(iter(needs_delta))
        raise ValueError(
            f"delta is 0, but {name}.{spender} needs some; allowed: a delta above 0, "
            "or public keys with laplace noise"
        )
    epsilons = split(budget.epsilon, shares)
    deltas = split(budget.delta, needs_delta)
    return tuple(_plan_table(name, table, epsilons, deltas) for name, table in tables.items())


def _total(table: Table) -> Fraction:
    return sum((Fraction(share) for share in table.spenders.values()), Fraction(0))


def _plan_table(
    name: str,
    table: Table,
    epsilons: Mapping[tuple[str, str], float],
    deltas: Mapping[tuple[str, str], float],
) -> TablePlan:
    l0 = table.bounds.max_partitions_contributed
    metrics = []
    for metric_name, metric in table.metrics.items():
        linf = metric.sensitivity(table.bounds)
        if linf > MAX_SENSITIVITY:
            raise ValueError(
                f"{name}.{metric_name}: one unit can add {linf} to one partition, so the sum could "
                f"overflow; allowed: at most {MAX_SENSITIVITY}; choose a coarser granularity"
            )
        mechanism = AdditiveMechanism(
            noise=table.noise,
            epsilon=epsilons[name, metric_name],
            delta=deltas.get((name, metric_name), 0.0),
            l0=l0,
            linf=linf,
        )
        check_mechanism(mechanism)
        metrics.append(MetricPlan(metric_name, metric, mechanism))
    selection = None
    if isinstance(table.partitions, PrivateSelection):
        selection = SelectionMechanism(
            strategy=table.partitions.strategy,
            epsilon=epsilons[name, SELECTION],
            delta=deltas[name, SELECTION],
            l0=l0,
            pre_threshold=table.partitions.pre_threshold,
        )
        check_mechanism(selection)
        public_keys = None
    else:
        public_keys = table.partitions.frame.select(table.keys)
    return TablePlan(name, tuple(table.keys), table.bounds, tuple(metrics), selection, public_keys)
