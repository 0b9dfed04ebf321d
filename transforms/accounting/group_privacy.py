"""What a mechanism loses about several privacy units that change together.

A guarantee for one day of a user says this about all days of the user: with k of them in the input,
k privacy units change. Losses of separate mechanisms compose, so each mechanism is looked at alone.

- Without failures the trade-off functions of k steps are met one after the other (Dong, Roth and
  Su, *Gaussian Differential Privacy*, 2022, lemma A.5): mu becomes k mu, and the epsilon of Laplace
  noise k epsilon (`LaplaceLoss`).
- A mechanism that can fail is (E, D)-private in all: E is the sum of its pure epsilons, and of the
  epsilon of its Gaussian noise at a delta of D, which then counts twice. For k steps it is
  (k E, D (1 + e^E + ... + e^((k - 1) E)))-private (Vadhan, *The Complexity of Differential
  Privacy*, 2017, lemma 2.2). D alone would not do: k users in a partition that nobody else has are
  nearer to its threshold than one, so they show with more than k times the probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from transforms.accounting.gaussian import gaussian_epsilon
from transforms.accounting.losses import (
    MAX_EPSILON,
    MAX_MU,
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    failure,
    pure_sum,
    round_up,
)

_ROUNDING = 1 + 2.0**-50


def group_losses(mechanism: Sequence[Loss], units: int) -> tuple[Loss, ...] | None:
    """Returns what a mechanism loses about a group of privacy units.

    Args:
        mechanism: All losses of one mechanism about one unit.
        units: Units that change together, at least 1.

    Returns:
        Its losses about the group; None where the bound is beyond what a loss can state.

    Raises:
        ValueError: `units` is below 1.
    """
    if units < 1:
        raise ValueError(f"units is {units}; allowed: at least 1")
    if units == 1:
        return tuple(mechanism)
    if failure(mechanism):
        return _group_that_fails(mechanism, units)
    grouped: list[Loss] = []
    for loss in mechanism:
        if isinstance(loss, GaussianLoss):
            mu = units * loss.mu
            if mu > MAX_MU:
                return None
            grouped.append(GaussianLoss(mu))
        elif isinstance(loss, LaplaceLoss | ApproximateLoss):
            epsilon = round_up(units * pure_sum([loss]))
            if epsilon > MAX_EPSILON:
                return None
            pure = isinstance(loss, LaplaceLoss)
            grouped.append(LaplaceLoss(epsilon) if pure else ApproximateLoss(epsilon, 0.0))
    return tuple(grouped)


def _group_that_fails(mechanism: Sequence[Loss], units: int) -> tuple[Loss, ...] | None:
    failed = failure(mechanism)
    epsilon = round_up(pure_sum(mechanism))
    squares = (loss.mu**2 for loss in mechanism if isinstance(loss, GaussianLoss))
    mu = math.sqrt(math.fsum(squares)) * _ROUNDING
    if mu > MAX_MU:
        return None
    if mu:
        epsilon += gaussian_epsilon(mu, failed)
        failed *= 2
    total = units * epsilon * _ROUNDING
    if total > MAX_EPSILON:
        return None
    steps = math.fsum(math.exp(step * epsilon) for step in range(units))
    delta = failed * steps * _ROUNDING
    if delta >= 1:
        return None
    return (ApproximateLoss(total, delta) if total else FailureLoss(delta),)
