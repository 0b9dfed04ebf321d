"""The noise and the selection that each point of a grid would bring, at the release's own budget.

Bounds change sensitivities, and losses only where a truncated geometric selection divides its
epsilon over L0 partitions. So the release is calibrated once for each L0 of such a table, and
once for any other, unless noise or selection is `auto`: that is chosen at each point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from transforms.accounting import AccountingError, Calibration
from transforms.arrays import FloatArray
from transforms.automatic import choose
from transforms.bounds import Bounds, Guarantee
from transforms.budget import AnyBudget
from transforms.mechanisms import SelectionMechanism
from transforms.noise import release_probability
from transforms.plan import TablePlan
from transforms.planning import calibrate_tables, check_table, plan_table
from transforms.table import PrivateSelection, PublicKeys, Table
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
        weighted: Whether partitions are selected by the weight of their units.
        scale: What the number or weight is multiplied with first.
    """

    units: FloatArray
    probability: FloatArray
    weighted: bool
    scale: float

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
            weighted,
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
        curve: Number in `PlannedGrid.curves`; None where all are released.
    """

    bounds: Bounds
    stds: Mapping[str, tuple[float, ...]]
    curve: int | None


@dataclass(frozen=True)
class PlannedGrid:
    """All points of the grid of one table.

    Attributes:
        points: The points.
        curves: Release probabilities, which several points share.
    """

    points: tuple[PlannedPoint, ...]
    curves: tuple[ReleaseCurve, ...]


def plan_grid(
    name: str,
    tables: Mapping[str, Table],
    grid: TableGrid,
    budget: AnyBudget,
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
    curves: dict[SelectionMechanism, ReleaseCurve] = {}
    points = []
    for bounds in grid.points:
        changed = replace(table, bounds=bounds)
        try:
            chosen = choose({**tables, name: changed}, budget, guarantee)
            calibration = calibrate_tables(chosen, budget, guarantee)
        except (ValueError, AccountingError):
            points.append(_refused(bounds, grid))
            continue
        changed = chosen[name]
        plan = _plan(name, changed, {}, guarantee, calibration)
        if plan is None:
            points.append(_refused(bounds, grid))
            continue
        curve = None
        if plan.selection is not None:
            if plan.selection not in curves:
                curves[plan.selection] = ReleaseCurve.of(plan.selection)
            curve = list(curves).index(plan.selection)
        stds = {metric: [_std(plan, metric)] for metric in (*grid.rows, *grid.units)}
        for one in grid.sums:
            plans = [
                _plan(name, changed, {one.name: factor}, guarantee, calibration)
                for factor in one.factors
            ]
            stds[one.name] = [_std(scaled, one.name) for scaled in plans]
        found = {metric: tuple(values) for metric, values in stds.items()}
        points.append(PlannedPoint(bounds, found, curve))
    return PlannedGrid(tuple(points), tuple(curves.values()))


def _plan(
    name: str,
    table: Table,
    factors: dict[str, float],
    guarantee: Guarantee,
    calibration: Calibration,
) -> TablePlan | None:
    """Returns the plan of a table with scaled clips, or None where it would be refused."""
    try:
        scaled = with_clips(_without_keys(table), factors)
        check_table(scaled, guarantee)
        return plan_table(name, scaled, guarantee, calibration)
    except ValueError:
        return None


def _without_keys(table: Table) -> Table:
    """Returns a table with one public partition, where it has any: noise is the same for all."""
    if isinstance(table.partitions, PrivateSelection):
        return table
    return replace(table, partitions=PublicKeys(pl.DataFrame({key: [0] for key in table.keys})))


def _std(plan: TablePlan | None, metric: str) -> float:
    if plan is None:
        return math.inf
    (found,) = (one for one in plan.metrics if one.name == metric)
    (noise,) = found.noises
    return noise.std


def _refused(bounds: Bounds, grid: TableGrid) -> PlannedPoint:
    stds = {name: (math.inf,) * len(factors) for name, factors in grid.factors.items()}
    return PlannedPoint(bounds, stds, None)
