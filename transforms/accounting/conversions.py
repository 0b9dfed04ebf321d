"""From concentrated differential privacy to (epsilon, delta), and bounds for losses of one kind."""

from __future__ import annotations

import math
from collections.abc import Callable

_GOLDEN = (math.sqrt(5) - 1) / 2


def simple_epsilon(rho: float, delta: float) -> float:
    """Returns epsilon of rho-zCDP by rho + 2 sqrt(rho ln(1 / delta)).

    Bun and Steinke, *Concentrated Differential Privacy*, 2016, proposition 1.3. This is what the US
    Census and Wikimedia state.

    Args:
        rho: zCDP, above 0.
        delta: Above 0, below 1.
    """
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def tight_epsilon(rho: float, delta: float) -> float:
    """Returns epsilon of rho-zCDP by the best Renyi order.

    Canonne, Kamath and Steinke, *The Discrete Gaussian for Differential Privacy*, 2020, corollary
    13. It holds for everything that is rho-zCDP; for Gaussian noise alone there is an exact formula
    that is less (`transforms.accounting.gaussian`).

    Args:
        rho: zCDP, above 0.
        delta: Above 0, below 1.
    """
    return renyi_epsilon(lambda order: rho * order, delta)


def renyi_epsilon(divergence: Callable[[float], float], delta: float) -> float:
    """Returns the least epsilon that a curve of Renyi divergences gives at a delta.

    For every order alpha above 1, epsilon is at most D(alpha) + ln(1 - 1 / alpha) - ln(alpha delta)
    / (alpha - 1) (Canonne, Kamath and Steinke, 2020, proposition 12). As each order gives a bound
    that holds, the search need not be exact.

    Args:
        divergence: Renyi divergence of each order above 1.
        delta: Above 0, below 1.
    """

    def at(log_excess: float) -> float:
        excess = math.exp(log_excess)
        order = 1 + excess
        return (
            divergence(order)
            + math.log(excess / order)
            - (math.log(delta) + math.log(order)) / excess
        )

    best = min((octave * math.log(2) for octave in range(-30, 31)), key=at)
    low, high = best - math.log(2), best + math.log(2)
    for _ in range(30):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if at(left) < at(right):
            high = right
        else:
            low = left
    return max(0.0, min(at(best), at((low + high) / 2)))


def bounded_range_epsilon(epsilon: float, times: int, delta: float) -> float:
    """Returns epsilon of equal mechanisms of bounded range, e.g. exponential or Gumbel ones.

    k (a - 1 - ln a) + epsilon sqrt(k / 2 ln(1 / delta)) with a = epsilon / (1 - e^-epsilon) (Dong,
    Durfee and Rogers, *Optimal Differential Privacy Composition for Exponential Mechanisms*, 2020).
    LinkedIn states this.

    Args:
        epsilon: Range of the loss of one mechanism.
        times: Number of mechanisms, k.
        delta: Above 0, below 1.
    """
    a = epsilon / -math.expm1(-epsilon)
    return times * (a - 1 - math.log(a)) + epsilon * math.sqrt(times / 2 * math.log(1 / delta))
