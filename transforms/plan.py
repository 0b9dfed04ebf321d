"""Turns tables and a budget into the complete list of mechanisms, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from transforms.accumulators import Accumulator
from transforms.bounds import MAX_ROW_SENSITIVITY, MAX_SENSITIVITY, Bounds, Guarantee
from transforms.budget import Budget, split
from transforms.items import Items
from transforms.mechanisms import AdditiveMechanism, Mechanism, SelectionMechanism
from transforms.metrics import Metric, Sum
from transforms.metrics.base import Noise
from transforms.noise import check_mechanism
from transforms.sensitivity import sensitivity
from transforms.table import SELECTION, PrivateSelection, Table


@dataclass(frozen=True)
class MetricPlan:
    """One metric with the noise that it gets.

    Attributes:
        name: Released column.
        metric: What is measured.
        noises: Its components with their noise, in rows, units or granules.
    """

    name: str
    metric: Metric
    noises: tuple[Noise, ...]

    @property
    def mechanisms(self) -> dict[str, AdditiveMechanism]:
        """The mechanism of each component by its name."""
        return {self.name + noise.component.suffix: noise.mechanism for noise in self.noises}

    @property
    def drawn_columns(self) -> list[str]:
        """Columns of drawn integers."""
        return [
            self.name + suffix
            for noise in self.noises
            for suffix in noise.component.column_suffixes
        ]

    @property
    def released(self) -> list[str]:
        """Columns of released values, each of which comes with its error."""
        return [self.name + suffix for suffix in self.metric.released]


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
        guarantee: What is protected.
    """

    name: str
    keys: tuple[str, ...]
    bounds: Bounds
    metrics: tuple[MetricPlan, ...]
    selection: SelectionMechanism | None
    public_keys: pl.DataFrame | None
    guarantee: Guarantee = Guarantee()

    @property
    def max_partitions(self) -> int | None:
        """Partitions of one unit that count; None where that is not bounded."""
        return self.guarantee.max_partitions(self.bounds)

    @property
    def max_rows(self) -> int | None:
        """Rows of one unit in one partition that count; None where that is not bounded."""
        return self.guarantee.max_rows(self.bounds)

    @property
    def needs_weights(self) -> bool:
        """Whether partitions are selected by the weight of their privacy units."""
        return self.selection is not None and self.selection.strategy == "weighted_gaussian"

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """What is added up of each row, each once."""
        found = (accumulator for plan in self.metrics for accumulator in plan.metric.accumulators)
        return tuple(dict.fromkeys(found))

    @property
    def items(self) -> tuple[Items, ...]:
        """What is kept of each row, each once."""
        found = (plan.metric.items for plan in self.metrics)
        return tuple(dict.fromkeys(items for items in found if items is not None))

    @property
    def value_columns(self) -> list[str]:
        """Numeric columns that are read."""
        return [column for plan in self.metrics for column in plan.metric.value_columns]

    @property
    def identity_columns(self) -> list[str]:
        """Columns that are read as they are: keys, and those whose values are counted."""
        counted = (column for plan in self.metrics for column in plan.metric.identity_columns)
        return [*self.keys, *counted]

    @property
    def drawn_columns(self) -> list[str]:
        """Columns of drawn integers."""
        return [column for plan in self.metrics for column in plan.drawn_columns]

    @property
    def mechanisms(self) -> dict[str, Mechanism]:
        """Every mechanism of the table by its name: `selection`, then the metrics' components."""
        found: dict[str, Mechanism] = {SELECTION: self.selection} if self.selection else {}
        for plan in self.metrics:
            found |= plan.mechanisms
        return found


def plan_tables(
    tables: Mapping[str, Table], budget: Budget, guarantee: Guarantee = Guarantee()
) -> tuple[TablePlan, ...]:
    """Works out every mechanism of a release.

    Epsilon is divided by the shares of tables and, inside each, of selection and metrics. Delta is
    divided by the same shares among the mechanisms that use it: selection and Gaussian noise. The
    components of a metric get equal parts.

    Args:
        tables: Tables by name.
        budget: Budget of all of them together.
        guarantee: What is protected.

    Returns:
        One plan per table, in the order given.

    Raises:
        ValueError: No tables; a mechanism needs delta and the budget has none; a sum could
            overflow an int64; or PyDP cannot draw from a mechanism.
    """
    if not tables:
        raise ValueError("a release needs at least one table")
    shares = {
        (name, mechanism): Fraction(share) * Fraction(table.share) / _total(table)
        for name, table in tables.items()
        for mechanism, share in _shares(table).items()
    }
    needs_delta = {
        (name, mechanism): share
        for (name, mechanism), share in shares.items()
        if mechanism == SELECTION or tables[name].noise == "gaussian"
    }
    if needs_delta and budget.delta == 0:
        name, mechanism = next(iter(needs_delta))
        raise ValueError(
            f"delta is 0, but {name}.{mechanism} needs some; allowed: a delta above 0, "
            "or public keys with laplace noise"
        )
    epsilons = split(budget.epsilon, shares)
    deltas = split(budget.delta, needs_delta)
    return tuple(
        _plan_table(name, table, guarantee, epsilons, deltas) for name, table in tables.items()
    )


def _total(table: Table) -> Fraction:
    return sum((Fraction(share) for share in table.spenders.values()), Fraction(0))


def _shares(table: Table) -> dict[str, Fraction]:
    """Returns the share of the table's budget of each mechanism."""
    shares = {}
    for spender, share in table.spenders.items():
        if spender == SELECTION:
            shares[spender] = Fraction(share)
            continue
        components = table.metrics[spender].components
        for component in components:
            shares[spender + component.suffix] = Fraction(share) / len(components)
    return shares


def _plan_table(
    name: str,
    table: Table,
    guarantee: Guarantee,
    epsilons: Mapping[tuple[str, str], float],
    deltas: Mapping[tuple[str, str], float],
) -> TablePlan:
    _check_bounds(table, guarantee)
    metrics = []
    for metric_name, metric in table.metrics.items():
        noises = []
        for component in metric.components:
            moved = sensitivity(component.entries, table.bounds, guarantee)
            _check_overflow(f"{name}.{metric_name}", moved.linf, guarantee)
            spender = (name, metric_name + component.suffix)
            mechanism = AdditiveMechanism(
                noise=table.noise,
                epsilon=epsilons[spender],
                delta=deltas.get(spender, 0.0),
                l0=moved.l0,
                linf=moved.linf,
                total=moved.total,
                squares=moved.squares,
            )
            check_mechanism(mechanism)
            noises.append(Noise(component, mechanism))
        metrics.append(MetricPlan(metric_name, metric, tuple(noises)))
    selection = None
    public_keys = None
    if isinstance(table.partitions, PrivateSelection):
        selection = SelectionMechanism(
            strategy=table.partitions.strategy,
            epsilon=epsilons[name, SELECTION],
            delta=deltas[name, SELECTION],
            l0=guarantee.max_partitions(table.bounds) or 1,
            pre_threshold=table.partitions.pre_threshold,
            changed=guarantee.changed,
        )
        check_mechanism(selection)
    else:
        public_keys = table.partitions.frame.select(table.keys)
    return TablePlan(
        name, tuple(table.keys), table.bounds, tuple(metrics), selection, public_keys, guarantee
    )


def _check_bounds(table: Table, guarantee: Guarantee) -> None:
    """Raises a ValueError when a table bounds what its guarantee is not about."""
    bounds = table.bounds
    needless = {
        "unit": [],
        "unit_partition": ["max_partitions_contributed", "max_contributions"],
        "row": [
            "max_partitions_contributed",
            "max_contributions",
            "max_contributions_per_partition",
        ],
    }[guarantee.bounding]
    for field in needless:
        if getattr(bounds, field) != getattr(Bounds(), field):
            raise ValueError(
                f"{field} is {getattr(bounds, field)}, but bounding: {guarantee.bounding} protects "
                "less than that; allowed: leave it out, or bounding: unit"
            )
    if guarantee.bounding == "row":
        for name, metric in table.metrics.items():
            if isinstance(metric, Sum) and metric.clip_total is not None:
                raise ValueError(
                    f"{name} has a clip_total, but bounding: row protects single rows; "
                    "allowed: clip"
                )


def _check_overflow(name: str, linf: int, guarantee: Guarantee) -> None:
    limit = MAX_ROW_SENSITIVITY if guarantee.bounding == "row" else MAX_SENSITIVITY
    if linf > limit:
        raise ValueError(
            f"{name}: one unit can add {linf} to one partition, so the sum could "
            f"overflow; allowed: at most {limit}; choose a coarser granularity"
        )
