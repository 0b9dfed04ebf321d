"""What several releases cost together, by the accountant of the plan.

Losses of all releases are composed as if they were one release. Prices are from above, whichever
way they are found: closed formulas first, in milliseconds; privacy loss distributions only where
these leave open whether something fits. Years of weekly releases of one plan have few different
losses, so distributions compose by repeated squaring. Where there are more than `MOST_DIFFERENT`
epsilons, each is rounded up to one of so many: Laplace noise with a larger epsilon, and randomized
response with one, dominate those with a smaller one.

Prices hold for releases whose plans do not depend on what was published before. Where they do (an
epsilon is raised because last week's tables were too noisy), a cap in rho still holds: sums of rho
under a fixed cap are a privacy filter (Feldman and Zrnic, *Individual Privacy Accounting via a
Renyi Filter*, 2021), and so are sums of pure epsilons. For the distributions that is not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from transforms.accounting import ApproximateLoss, FailureLoss, GaussianLoss, LaplaceLoss, Loss
from transforms.accounting.accountant import price
from transforms.accounting.closed_form import lower_bounds, rho, upper_bounds
from transforms.accounting.losses import MAX_MU, failure
from transforms.budget import Budget

MOST_DIFFERENT = 64
"""Most different epsilons that are composed as they are."""

_CLOSE = 1e-6


@dataclass(frozen=True)
class RhoBudget:
    """The most that may be lost, in zero-concentrated differential privacy.

    Attributes:
        rho: zCDP, apart from failures.
        delta: Probability of failures.
    """

    rho: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        Budget(self.rho, self.delta)


Composed = tuple[tuple[Loss, int], ...]
"""Different losses, each with its number, in an order that only depends on them."""


def composed(losses: Iterable[Loss]) -> Composed:
    """Returns losses, equal ones counted, for the other functions here."""
    counted: Counter[Loss] = Counter(losses)
    return tuple(sorted(counted.items(), key=repr))


def fits(losses: Composed, budget: Budget | RhoBudget) -> bool:
    """Returns whether losses cost no more than a budget.

    Args:
        losses: All losses together, from `composed`.
        budget: The most that they may cost.

    Raises:
        AccountingError: The two ways to find the price disagree.
    """
    if isinstance(budget, RhoBudget):
        lost, failed = rho_and_failure(losses)
        return lost <= budget.rho and failed <= budget.delta
    if is_beyond(losses):
        return False
    every = _listed(losses)
    if min(_upper(losses, budget.delta)) <= budget.epsilon:
        return True
    if max(lower_bounds(every, budget.delta).values()) > budget.epsilon * (1 + _CLOSE) + _CLOSE:
        return False
    return epsilon_at(losses, budget.delta) <= budget.epsilon


@lru_cache(maxsize=4096)
def epsilon_at(losses: Composed, delta: float) -> float:
    """Returns the least epsilon that is known to be enough at a delta.

    Args:
        losses: All losses together, from `composed`.
        delta: From 0, below 1.

    Raises:
        AccountingError: The two ways to find the price disagree.
    """
    if not losses:
        return 0.0
    if is_beyond(losses):
        return math.inf
    exact = min(_upper(losses, delta))
    if math.isinf(exact):
        return exact
    return min(exact, price(_rounded_up(losses), delta).epsilon)


def quick_epsilon(losses: Composed, delta: float) -> float:
    """Returns an epsilon that is enough at a delta, by closed formulas only."""
    if not losses:
        return 0.0
    return math.inf if is_beyond(losses) else min(_upper(losses, delta))


def rho_and_failure(losses: Composed) -> tuple[float, float]:
    """Returns zCDP and the probability of failures, each from above but for rounding."""
    every = _listed(losses)
    return rho(every), failure(every)


def scaled(mechanisms: Sequence[Sequence[Loss]], scale: float) -> tuple[tuple[Loss, ...], ...]:
    """Returns mechanisms with epsilon and mu times a number, up to 1, and the same failures."""
    return tuple(tuple(_scaled(loss, scale) for loss in losses) for losses in mechanisms)


def is_beyond(losses: Composed) -> bool:
    """Returns whether Gaussian noise loses more than the formulas can state; see `MAX_MU`."""
    squares = [n * loss.mu**2 for loss, n in losses if isinstance(loss, GaussianLoss)]
    return math.sqrt(math.fsum(squares)) > MAX_MU


@lru_cache(maxsize=4096)
def _upper(losses: Composed, delta: float) -> tuple[float, ...]:
    return tuple(upper_bounds(_listed(losses), delta).values())


def _listed(losses: Composed) -> list[Loss]:
    return [loss for loss, number in losses for _ in range(number)]


def _rounded_up(losses: Composed) -> list[Loss]:
    pure = [loss for loss, _ in losses if isinstance(loss, LaplaceLoss | ApproximateLoss)]
    if len(pure) <= MOST_DIFFERENT:
        return _listed(losses)
    most = max(loss.epsilon for loss in pure)
    least = min(loss.epsilon for loss in pure)
    grid = [most * (least / most) ** (step / MOST_DIFFERENT) for step in range(MOST_DIFFERENT)]
    return [_raised(loss, grid) for loss in _listed(losses)]


def _raised(loss: Loss, grid: Sequence[float]) -> Loss:
    """Returns a loss with the next larger epsilon of a grid whose first is the largest."""
    match loss:
        case LaplaceLoss():
            return LaplaceLoss(min(value for value in grid if value >= loss.epsilon))
        case ApproximateLoss():
            epsilon = min(value for value in grid if value >= loss.epsilon)
            return ApproximateLoss(epsilon, loss.delta, loss.times)
        case _:
            return loss


def _scaled(loss: Loss, scale: float) -> Loss:
    match loss:
        case GaussianLoss():
            return GaussianLoss(loss.mu * scale)
        case LaplaceLoss():
            return LaplaceLoss(loss.epsilon * scale)
        case ApproximateLoss():
            return ApproximateLoss(loss.epsilon * scale, loss.delta, loss.times)
        case FailureLoss():
            return loss
