"""Turns tables and a budget into the complete list of mechanisms, before any row is read.

Every mechanism is a demand, with its share; the accountant finds losses that together use the
budget up and do not cost more (`transforms.accounting.calibration`); and each loss becomes the
smallest noise that does not lose more. Selection by a threshold is two demands: its noise, and the
delta with which lone units show (`transforms.threshold_selection`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from transforms.accounting import (
    ApproximateLoss,
    Calibration,
    Demand,
    GaussianLoss,
    LaplaceLoss,
    Price,
    calibrate,
    price,
)
from transforms.accounting.losses import failure
from transforms.automatic import choose
from transforms.bounds import MAX_ROW_SENSITIVITY, MAX_SENSITIVITY, Bounds, Guarantee
from transforms.budget import AnyBudget
from transforms.demands import (
    check_delta,
    demands,
    full_name,
    l0_of,
    other_name,
    threshold_name,
)
from transforms.key_list import KeyList
from transforms.mechanisms import (
    AUTO,
    AdditiveMechanism,
    GeometricSelection,
    SelectionMechanism,
    ThresholdSelection,
)
from transforms.metrics import Sum
from transforms.metrics.base import Noise
from transforms.metrics.counts import PrivacyUnitCount
from transforms.noise import check_mechanism
from transforms.plan import MetricPlan, TablePlan
from transforms.sensitivity import Sensitivity, sensitivity
from transforms.table import SELECTION, PrivateSelection, Table
from transforms.threshold_selection import threshold_selection, unit_noise

STATED_DELTAS = (1e-6, 1e-8, 1e-10)
"""Deltas at which the epsilon of a budget of rho is stated."""


@dataclass(frozen=True)
class ReleaseCost:
    """What all mechanisms of a release cost together.

    Attributes:
        budget: What they may cost.
        prices: What they cost, from above, and how that is known: at the delta of the budget; or
            for a budget of rho, at several deltas.
        used: Part of the budget's epsilon or rho that they use, at most 1.
    """

    budget: AnyBudget
    prices: tuple[Price, ...]
    used: float

    @classmethod
    def of(cls, calibration: Calibration, budget: AnyBudget) -> Self:
        """Returns the cost of the losses that a budget bought.

        Raises:
            AccountingError: The two ways to find a price disagree.
        """
        if calibration.price is not None:
            return cls(budget, (calibration.price,), calibration.used)
        losses = list(calibration.losses.values())
        deltas = stated_deltas(failure(losses))
        return cls(budget, tuple(price(losses, delta) for delta in deltas), calibration.used)


def stated_deltas(failed: float) -> list[float]:
    """Returns the deltas at which the epsilon of a budget of rho is stated.

    Args:
        failed: Probability of failures of the release.
    """
    least = min(2 * failed, (1 + failed) / 2)
    return [delta for delta in STATED_DELTAS if delta > least] or [least]


def plan_tables(
    tables: Mapping[str, Table], budget: AnyBudget, guarantee: Guarantee = Guarantee()
) -> tuple[TablePlan, ...]:
    """Works out every mechanism of a release.

    The budget is divided by the shares of tables and, inside each, of selection and metrics. The
    components of a metric get equal parts, and so do those of the row of other partitions. What
    composition saves goes to all of them.

    Args:
        tables: Tables by name.
        budget: What all of them together may cost.
        guarantee: What is protected.

    Returns:
        One plan per table, in the order given.

    Raises:
        ValueError: No tables; a mechanism needs delta and the budget has none; a mechanism would
            lose more than is allowed of one; a sum could overflow an int64; or PyDP cannot draw
            from a mechanism.
        AccountingError: The two ways to find the price disagree.
    """
    for table in tables.values():
        check_table(table, guarantee)
    check_delta(tables, budget)
    tables = choose(tables, budget, guarantee)
    calibration = calibrate_tables(tables, budget, guarantee)
    return tuple(plan_table(name, table, guarantee, calibration) for name, table in tables.items())


def check_table(table: Table, guarantee: Guarantee) -> None:
    """Raises a ValueError when a table cannot be planned, whatever the budget."""
    _check_bounds(table, guarantee)
    for name, metric in table.metrics.items():
        for component in metric.components:
            moved = sensitivity(component.entries, table.bounds, guarantee)
            _check_overflow(name, moved.linf, guarantee)
            if name in table.in_other:
                moved = sensitivity(component.entries, table.bounds, guarantee, merged=True)
                _check_overflow(name, moved.linf, guarantee)


def calibrate_tables(
    tables: Mapping[str, Table], budget: AnyBudget, guarantee: Guarantee
) -> Calibration:
    """Finds the losses of all mechanisms of a release, which use its budget up.

    Args:
        tables: Tables by name.
        budget: What all of them together may cost.
        guarantee: What is protected.

    Returns:
        Losses and failures by the names of table and mechanism, and their price.

    Raises:
        ValueError: No tables; a mechanism needs delta and the budget has none; or a mechanism would
            lose more than is allowed of one.
        AccountingError: The two ways to find the price disagree.
    """
    if not tables:
        raise ValueError("a release needs at least one table")
    check_delta(tables, budget)
    return _calibrated(tuple(demands(tables, guarantee)), budget)


@lru_cache(maxsize=64)
def _calibrated(wanted: tuple[Demand, ...], budget: AnyBudget) -> Calibration:
    return calibrate(wanted, budget)


def plan_table(
    name: str, table: Table, guarantee: Guarantee, calibration: Calibration
) -> TablePlan:
    """Turns the losses of a table into its mechanisms.

    Args:
        name: Name of the table.
        table: A table that `check_table` accepts, with nothing left to choose.
        guarantee: What is protected.
        calibration: Losses of the whole release, from `calibrate_tables`.

    Raises:
        ValueError: PyDP cannot draw from a mechanism.
    """

    def mechanism(metric: str, spender: str, moved: Sensitivity) -> AdditiveMechanism:
        loss = calibration.losses[full_name(name, spender)]
        assert isinstance(loss, GaussianLoss | LaplaceLoss)
        planned = AdditiveMechanism.of(loss, moved)
        try:
            check_mechanism(planned)
        except ValueError as error:
            raise ValueError(f"metrics.{metric}: {error}") from None
        return planned

    selection = None
    public_keys = None
    if isinstance(table.partitions, PrivateSelection):
        selection = _selection(name, table, guarantee, calibration)
        check_mechanism(selection)
    else:
        public_keys = KeyList.of(table.keys, table.partitions.parts)
    metrics = []
    other = []
    for metric_name, metric in table.metrics.items():
        noises = []
        other_noises = []
        for component in metric.components:
            spender = metric_name + component.suffix
            moved = sensitivity(component.entries, table.bounds, guarantee)
            if metric_name == table.noisy_count:
                assert isinstance(selection, ThresholdSelection)
                noises.append(Noise(component, unit_noise(selection)))
            else:
                noises.append(Noise(component, mechanism(metric_name, spender, moved)))
            if metric_name in table.in_other:
                moved = sensitivity(component.entries, table.bounds, guarantee, merged=True)
                drawn = mechanism(metric_name, other_name(spender), moved)
                other_noises.append(Noise(component, drawn))
        metrics.append(MetricPlan(metric_name, metric, tuple(noises)))
        other.append(MetricPlan(metric_name, metric, tuple(other_noises)))
    return TablePlan(
        name,
        tuple(table.keys),
        table.bounds,
        tuple(metrics),
        selection,
        public_keys,
        guarantee,
        tuple(other) if table.other else (),
        table.noisy_count,
    )


def _selection(
    name: str, table: Table, guarantee: Guarantee, calibration: Calibration
) -> SelectionMechanism:
    partitions, l0 = table.partitions, l0_of(table, guarantee)
    assert isinstance(partitions, PrivateSelection)
    assert partitions.strategy != AUTO
    loss = calibration.losses[full_name(name, SELECTION)]
    if isinstance(loss, GaussianLoss | LaplaceLoss):
        return threshold_selection(
            partitions.strategy,
            loss,
            calibration.failures[threshold_name(name)],
            l0,
            guarantee.changed,
            partitions.pre_threshold,
        )
    assert isinstance(loss, ApproximateLoss)
    epsilon = loss.epsilon * loss.times
    while epsilon / loss.times > loss.epsilon:
        epsilon = math.nextafter(epsilon, 0.0)
    return GeometricSelection(
        epsilon,
        calibration.failures[full_name(name, SELECTION)],
        l0,
        partitions.pre_threshold,
        guarantee.changed,
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
