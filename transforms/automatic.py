"""What `auto` stands for: the noise, selection and shares with the smallest error, by table.

The choice depends on the config alone. It compares what each mechanism would be at its share of the
budget, by two rules for its loss that are quick and close, so that a table's choice does not wait
for that of the others:

- Gaussian noise with a part s of the budget gets mu = M sqrt(s), where M is what the whole budget
  buys, as squares of mu add up (J. Dong, A. Roth and W. Su, *Gaussian Differential Privacy*, 2022,
  corollary 3.3).
- Laplace noise and truncated geometric selection get the larger of s epsilon, as epsilons add up,
  and M sqrt(s), as epsilon costs at most epsilon^2 / 2 of zCDP, which adds up too (M. Bun and T.
  Steinke, *Concentrated Differential Privacy*, 2016, proposition 1.4 and lemma 1.7).

The mechanisms that are chosen are calibrated together afterwards (`transforms.planning`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import get_args

from transforms.accounting import GaussianLoss, LaplaceLoss
from transforms.accounting.calibration import FAILURES_BESIDE_GAUSSIAN
from transforms.accounting.gaussian import gaussian_mu
from transforms.accounting.shares import optimal_shares
from transforms.bounds import Guarantee
from transforms.budget import AnyBudget, Budget
from transforms.demands import l0_of, share_of_each
from transforms.mechanisms import (
    AUTO,
    THRESHOLD_NOISE,
    AdditiveMechanism,
    GeometricSelection,
    NoiseKind,
    SelectionMechanism,
    SelectionStrategy,
    ThresholdSelection,
)
from transforms.noise import noise_std
from transforms.release_curve import selection_threshold
from transforms.sensitivity import sensitivity
from transforms.table import SELECTION, PrivateSelection, Table
from transforms.threshold_selection import threshold_selection, unit_noise


@dataclass(frozen=True)
class _Means:
    """What a part of the budget buys.

    Attributes:
        epsilon: Of the whole, as far as epsilons add up; 0 for a budget of rho.
        mu: Of the whole, if all of it were Gaussian noise.
        failures: Delta for thresholds and selections.
    """

    epsilon: float
    mu: float
    failures: float

    @classmethod
    def of(cls, budget: AnyBudget) -> _Means:
        if isinstance(budget, Budget):
            noise = (1 - FAILURES_BESIDE_GAUSSIAN) * budget.delta
            mu = gaussian_mu(budget.epsilon, noise) if noise else 0.0
            return cls(budget.epsilon, mu, FAILURES_BESIDE_GAUSSIAN * budget.delta)
        return cls(0.0, math.sqrt(2 * budget.rho), budget.delta)

    def loss(self, noise: NoiseKind, part: float) -> GaussianLoss | LaplaceLoss:
        """Returns the loss of noise with a part of the budget."""
        if noise == "gaussian":
            return GaussianLoss(self.mu * math.sqrt(part))
        return LaplaceLoss(self.pure(part))

    def pure(self, part: float) -> float:
        """Returns the epsilon of a mechanism that is not Gaussian."""
        return max(self.epsilon * part, self.mu * math.sqrt(part))


def choose(
    tables: Mapping[str, Table], budget: AnyBudget, guarantee: Guarantee = Guarantee()
) -> dict[str, Table]:
    """Returns the tables with a noise, a selection and shares in the place of each `auto`.

    Of all that is allowed, a table gets what has the smallest geometric mean of the standard
    deviations of its metrics and of the number of privacy units at which a partition is released
    more often than not. Of equals, the first in the order of the types is taken.

    Args:
        tables: Tables by name.
        budget: What all of them together may cost; with a delta where they need one.
        guarantee: What is protected.

    Raises:
        ValueError: With automatic shares, a mechanism would lose more than is allowed of one.
    """
    whole = math.fsum(table.share for table in tables.values())
    means = _means(budget)
    return {
        name: _with_shares(
            _with_mechanisms(table, table.share / whole, means, guarantee),
            table.share / whole,
            means,
            guarantee,
        )
        for name, table in tables.items()
    }


def _with_mechanisms(table: Table, part: float, means: _Means, guarantee: Guarantee) -> Table:
    candidates = list(_candidates(table))
    if len(candidates) == 1:
        return candidates[0]
    return min(candidates, key=lambda candidate: _log_error(candidate, part, means, guarantee))


def _with_shares(table: Table, part: float, means: _Means, guarantee: Guarantee) -> Table:
    """Returns a table with the best shares of the metrics that it has expected numbers for.

    They make the sum of the squared relative errors smallest (`transforms.accounting.shares`), and
    their mean is 1, which is the share of everything else.
    """
    if table.shares != AUTO:
        return table
    assert table.noise != AUTO
    alone = {}
    for name, number in table.expect.items():
        (component,) = table.metrics[name].components
        moved = sensitivity(component.entries, table.bounds, guarantee)
        mechanism = AdditiveMechanism.of(means.loss(table.noise, part), moved)
        alone[name] = noise_std(mechanism) * float(component.granularity) / number
    adds_up = table.noise == "laplace" and means.epsilon * part >= means.mu * math.sqrt(part)
    best = optimal_shares(alone, "linear" if adds_up else "squares")
    return replace(table, shares={name: len(best) * share for name, share in best.items()})


@lru_cache(maxsize=64)
def _means(budget: AnyBudget) -> _Means:
    return _Means.of(budget)


def _candidates(table: Table) -> Iterator[Table]:
    """Yields the table with all noises and selections that may stand for `auto`."""
    noises = get_args(NoiseKind) if table.noise == AUTO else (table.noise,)
    for noise in noises:
        if not isinstance(table.partitions, PrivateSelection):
            yield replace(table, noise=noise)
            continue
        chosen, least = table.partitions.strategy, table.partitions.pre_threshold
        for strategy in get_args(SelectionStrategy) if chosen == AUTO else (chosen,):
            if strategy == "weighted_gaussian" and least is not None:
                continue
            selection = PrivateSelection(strategy, least)
            yield replace(table, noise=noise, partitions=selection)


def _log_error(table: Table, part: float, means: _Means, guarantee: Guarantee) -> float:
    """Returns the logarithm of a table's error; infinite where a mechanism is out of range."""
    try:
        return math.fsum(_log_errors(table, part, means, guarantee))
    except ValueError:
        return math.inf


def _log_errors(table: Table, part: float, means: _Means, guarantee: Guarantee) -> Iterator[float]:
    """Yields the logarithms of the threshold and of the noise of each metric."""
    assert table.noise != AUTO
    parts = {name: part * float(share) for name, share in share_of_each(table).items()}
    selection = None
    if isinstance(table.partitions, PrivateSelection):
        selection = _selection(table, parts[SELECTION], means, guarantee)
        yield math.log(selection_threshold(selection))
    for name, metric in table.metrics.items():
        for component in metric.components:
            if name == table.noisy_count:
                assert isinstance(selection, ThresholdSelection)
                mechanism = unit_noise(selection)
            else:
                moved = sensitivity(component.entries, table.bounds, guarantee)
                loss = means.loss(table.noise, parts[name + component.suffix])
                mechanism = AdditiveMechanism.of(loss, moved)
            yield math.log(noise_std(mechanism)) / len(metric.components)


def _selection(
    table: Table, part: float, means: _Means, guarantee: Guarantee
) -> SelectionMechanism:
    assert isinstance(table.partitions, PrivateSelection)
    strategy, least = table.partitions.strategy, table.partitions.pre_threshold
    assert strategy != AUTO
    l0, changed, delta = l0_of(table, guarantee), guarantee.changed, means.failures * part
    if strategy == "truncated_geometric":
        return GeometricSelection(means.pure(part), delta, l0, least, changed)
    loss = means.loss(THRESHOLD_NOISE[strategy], part)
    return threshold_selection(strategy, loss, delta, l0, changed, least)
