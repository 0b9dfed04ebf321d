"""Turns tables and a budget into the complete list of mechanisms, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from transforms.bounds import MAX_ROW_SENSITIVITY, MAX_SENSITIVITY, Bounds, Guarantee
from transforms.budget import Budget, split
from transforms.key_list import KeyList
from transforms.mechanisms import AdditiveMechanism, SelectionMechanism
from transforms.metrics import Sum
from transforms.metrics.base import Noise
from transforms.metrics.counts import PrivacyUnitCount
from transforms.noise import check_mechanism
from transforms.plan import MetricPlan, TablePlan
from transforms.sensitivity import Sensitivity, sensitivity
from transforms.table import OTHER, SELECTION, PrivateSelection, Table


def plan_tables(
    tables: Mapping[str, Table], budget: Budget, guarantee: Guarantee = Guarantee()
) -> tuple[TablePlan, ...]:
    """Works out every mechanism of a release.

    Epsilon is divided by the shares of tables and, inside each, of selection and metrics. Delta is
    divided by the same shares among the mechanisms that use it: selection and Gaussian noise. The
    components of a metric get equal parts, and so do those of the row of other partitions.

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
    shares: dict[str, Fraction] = {}
    for spender, share in table.spenders.items():
        if spender == SELECTION:
            names = [SELECTION]
        elif spender == OTHER:
            names = [
                _other_name(name) for metric in table.in_other for name in _names(table, metric)
            ]
        else:
            names = _names(table, spender)
        shares |= {name: Fraction(share) / len(names) for name in names}
    return shares


def _names(table: Table, metric: str) -> list[str]:
    return [metric + component.suffix for component in table.metrics[metric].components]


def _other_name(mechanism: str) -> str:
    return f"{OTHER}:{mechanism}"


def _plan_table(
    name: str,
    table: Table,
    guarantee: Guarantee,
    epsilons: Mapping[tuple[str, str], float],
    deltas: Mapping[tuple[str, str], float],
) -> TablePlan:
    def mechanism(metric: str, spender: str, moved: Sensitivity) -> AdditiveMechanism:
        _check_overflow(metric, moved.linf, guarantee)
        planned = AdditiveMechanism(
            noise=table.noise,
            epsilon=epsilons[name, spender],
            delta=deltas.get((name, spender), 0.0),
            l0=moved.l0,
            linf=moved.linf,
            total=moved.total,
            squares=moved.squares,
        )
        check_mechanism(planned)
        return planned

    _check_bounds(table, guarantee)
    metrics = []
    other = []
    for metric_name, metric in table.metrics.items():
        noises = []
        other_noises = []
        for component in metric.components:
            spender = metric_name + component.suffix
            moved = sensitivity(component.entries, table.bounds, guarantee)
            noises.append(Noise(component, mechanism(metric_name, spender, moved)))
            if metric_name in table.in_other:
                moved = sensitivity(component.entries, table.bounds, guarantee, merged=True)
                planned = mechanism(metric_name, _other_name(spender), moved)
                other_noises.append(Noise(component, planned))
        metrics.append(MetricPlan(metric_name, metric, tuple(noises)))
        other.append(MetricPlan(metric_name, metric, tuple(other_noises)))
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
        public_keys = KeyList.of(table.keys, table.partitions.parts)
    return TablePlan(
        name,
        tuple(table.keys),
        table.bounds,
        tuple(metrics),
        selection,
        public_keys,
        guarantee,
        tuple(other) if table.other else (),
    )


def _check_bounds(table: Table, guarantee: Guarantee) -> None:
    """Raises a ValueError when a table bounds what its guarantee is not about."""
    for field in guarantee.unused_bounds:
        value = getattr(table.bounds, field)
        if value != getattr(Bounds(), field):
            raise ValueError(
                f"{field} is {value}, but bounding: {guarantee.bounding} protects "
                "less than that; allowed: leave it out, or bounding: unit"
            )
    if guarantee.bounding == "row":
        for name, metric in table.metrics.items():
            if isinstance(metric, Sum) and metric.clip_total is not None:
                raise ValueError(
                    f"metrics.{name}.clip_total is given, but bounding: row protects single rows; "
                    "allowed: clip"
                )
            if isinstance(metric, PrivacyUnitCount):
                raise ValueError(
                    f"metrics.{name} counts privacy units, and there are none with bounding: row; "
                    "allowed: count"
                )


def _check_overflow(metric: str, linf: int, guarantee: Guarantee) -> None:
    limit = MAX_SENSITIVITY if guarantee.bounding == "unit" else MAX_ROW_SENSITIVITY
    if linf > limit:
        raise ValueError(
            f"metrics.{metric} can change by {linf} in one partition, so the sum could overflow; "
            f"allowed: at most {limit}; choose a coarser granularity"
        )
