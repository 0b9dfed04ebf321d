"""The noise and the selection that each point of a grid would bring, at the release's own budget.

Bounds change sensitivities, and losses only where a truncated geometric selection divides its
epsilon over L0 partitions. So the release is calibrated once for each L0 of such a table, and
once for any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from transforms.accounting import AccountingError, GaussianLoss, LaplaceLoss
from transforms.arrays import FloatArray
from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.mechanisms import AdditiveMechanism, SelectionMechanism
from transforms.noise import check_mechanism, noise_std, release_probability, selection_threshold
from transforms.planning import calibrate_tables, check_table, plan_table
from transforms.sensitivity import sensitivity
from transforms.table import SELECTION, PrivateSelection, Table
from transforms.tuning.grid import TableGrid, with_clips

_EXACT_UP_TO = 512
_GROWTH = 1.01
_CERTAIN = 1 - 1e-9
_MOST_UNITS = 2**40

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True)
class ReleaseCurve:
    """Probability that a partition is released, against its number of privacy units.

    Attributes:
        units: Numbers of units, rising from 0, shape (n,).
        probability: The probability of each, shape (n,).
        scale: What a number or weight of units is multiplied with first.
    """

    units: FloatArray
    probability: FloatArray
    scale: float = 1.0

    @classmethod
    def of(cls, mechanism: SelectionMechanism) -> ReleaseCurve:
        """Asks a mechanism: for each number up to 512, then in steps of 1 %."""
        units, probabilities = [0], [0.0]
        while probabilities[-1] < _CERTAIN and units[-1] < _MOST_UNITS:
            last = units[-1]
            units.append(last + 1 if last < _EXACT_UP_TO else math.ceil(last * _GROWTH))
            probabilities.append(release_probability(mechanism, units[-1]))
        weighted = mechanism.strategy == "weighted_gaussian"
        return cls(
            np.array(units, np.float64),
            np.array(probabilities),
            math.sqrt(mechanism.l0) if weighted else 1.0,
        )

    def expected(self, mean: FloatArray, variance: FloatArray) -> FloatArray:
        """Returns the probability for a number of units that varies.

        The number, a sum of independent ones, is taken to be normal (Gauss-Hermite quadrature), cut
        off at 0.

        Args:
            mean: Its mean, shape (p,).
            variance: Its variance, shape (p,).
        """
        mean, std = mean * self.scale, np.sqrt(variance) * self.scale
        total = np.zeros(len(mean))
        for node, weight in zip(_NODES, _WEIGHTS / _WEIGHTS.sum(), strict=True):
            total += weight * np.interp(mean + node * std, self.units, self.probability)
        return total


@dataclass(frozen=True)
class PlannedPoint:
    """One point of a grid, priced.

    Attributes:
        bounds: The bounds.
        stds: Standard deviation of the noise per metric, one for each factor of its clip, in the
            unit of what is released; infinite where the plan would be refused.
        threshold: Units from which a partition is released more often than not; 0 where all are.
        curve: Number in `PlannedGrid.curves`; None where all are released.
    """

    bounds: Bounds
    stds: Mapping[str, tuple[float, ...]]
    threshold: float
    curve: int | None


@dataclass(frozen=True)
class PlannedGrid:
    """All points of the grid of one table.

    Attributes:
        points: The points.
        curves: Release probabilities, which several points share.
        weighted: Whether partitions are selected by the weight of their units.
    """

    points: tuple[PlannedPoint, ...]
    curves: tuple[ReleaseCurve, ...]
    weighted: bool


def plan_grid(
    name: str,
    tables: Mapping[str, Table],
    grid: TableGrid,
    budget: Budget,
    guarantee: Guarantee,
) -> PlannedGrid:
    """Works out the noise of every point of one table's grid; the others stay as they are.

    Args:
        name: The table.
        tables: All tables of the release.
        grid: What to try.
        budget: Budget of the release.
        guarantee: What is protected.
    """
    table = tables[name]
    strategy = table.partitions.strategy if isinstance(table.partitions, PrivateSelection) else None
    curves: list[ReleaseCurve] = []
    of_l0: dict[int, tuple[int, float]] = {}
    points = []
    for bounds in grid.points:
        changed = replace(table, bounds=bounds)
        try:
            losses = _losses(name, changed, tables, budget, guarantee)
        except (ValueError, AccountingError):
            points.append(PlannedPoint(bounds, _refused(grid), math.inf, None))
            continue
        if strategy is not None and bounds.max_partitions not in of_l0:
            selection = _selection(name, changed, tables, budget, guarantee)
            of_l0[bounds.max_partitions] = (len(curves), selection_threshold(selection))
            curves.append(ReleaseCurve.of(selection))
        curve, threshold = of_l0.get(bounds.max_partitions, (None, 0.0))
        stds = {
            metric: tuple(
                _std(name, metric, factor, changed, losses, guarantee) for factor in factors
            )
            for metric, factors in grid.factors.items()
        }
        points.append(PlannedPoint(bounds, stds, threshold, curve))
    return PlannedGrid(tuple(points), tuple(curves), strategy == "weighted_gaussian")


def _losses(
    name: str, table: Table, tables: Mapping[str, Table], budget: Budget, guarantee: Guarantee
) -> Mapping[str, object]:
    """Returns the losses of the release with one table changed; equal demands are found once."""
    return calibrate_tables({**tables, name: table}, budget, guarantee).losses


def _selection(
    name: str, table: Table, tables: Mapping[str, Table], budget: Budget, guarantee: Guarantee
) -> SelectionMechanism:
    calibration = calibrate_tables({**tables, name: table}, budget, guarantee)
    shares = {SELECTION: table.shares.get(SELECTION, 1.0)}
    alone = replace(table, metrics={}, other=False, shares=shares)
    selection = plan_table(name, alone, guarantee, calibration).selection
    assert selection is not None
    return selection


def _std(
    name: str,
    metric: str,
    factor: float,
    table: Table,
    losses: Mapping[str, object],
    guarantee: Guarantee,
) -> float:
    try:
        changed = with_clips(table, {metric: factor})
        check_table(changed, guarantee)
        (component,) = changed.metrics[metric].components
        loss = losses[f"{name}.{metric}"]
        assert isinstance(loss, GaussianLoss | LaplaceLoss)
        moved = sensitivity(component.entries, changed.bounds, guarantee)
        mechanism = AdditiveMechanism.of(loss, moved)
        check_mechanism(mechanism)
    except ValueError:
        return math.inf
    return noise_std(mechanism) * float(component.granularity)


def _refused(grid: TableGrid) -> dict[str, tuple[float, ...]]:
    return {name: (math.inf,) * len(factors) for name, factors in grid.factors.items()}

