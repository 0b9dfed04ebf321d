"""The exact privacy curve of Gaussian noise, and its inverses.

Gaussian noise of parameter mu is (epsilon, delta)-private exactly for delta of at least Phi(-a) -
e^epsilon Phi(-b), with a = epsilon / mu - mu / 2 and b = a + mu (Balle and Wang, *Improving the
Gaussian Mechanism for Differential Privacy*, 2018, theorem 8). As b^2 = a^2 + 2 epsilon, that is
phi(a) (R(a) - R(b)) with the Mills ratio R(x) = Phi(-x) / phi(x), which loses no digits where delta
is tiny.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from transforms.accounting.losses import MAX_MU

STEPS = 200
"""Halvings of a bisection; floats are exhausted before."""


def gaussian_delta(mu: float, epsilon: float) -> float:
    """Returns the smallest delta of Gaussian noise at an epsilon.

    Args:
        mu: L2 sensitivity divided by the standard deviation, above 0.
        epsilon: From 0.
    """
    a = epsilon / mu - mu / 2
    b = a + mu
    density = math.exp(-a * a / 2) / math.sqrt(2 * math.pi)
    if a < 0:
        return math.erfc(a / math.sqrt(2)) / 2 - density * _mills(b)
    return density * (_mills(a) - _mills(b))


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Returns the smallest epsilon of Gaussian noise at a delta, rounded up.

    Args:
        mu: L2 sensitivity divided by the standard deviation, above 0.
        delta: From 0.

    Returns:
        Epsilon, 0 where delta is enough without any; infinite for delta 0.
    """
    if delta <= 0:
        return math.inf
    if gaussian_delta(mu, 0.0) <= delta:
        return 0.0
    high = mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta)) + mu
    return _boundary(lambda epsilon: gaussian_delta(mu, epsilon) > delta, 0.0, high)[1]


def gaussian_mu(epsilon: float, delta: float) -> float:
    """Returns the largest mu, of at most 25, of noise that is (epsilon, delta)-private.

    Args:
        epsilon: From 0.
        delta: Above 0.
    """
    if gaussian_delta(MAX_MU, epsilon) <= delta:
        return MAX_MU
    return _boundary(lambda mu: gaussian_delta(mu, epsilon) <= delta, 0.0, MAX_MU)[0]


def _boundary(is_low: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Returns neighbouring floats of which the lower is low, and the upper is not."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if is_low(middle):
            low = middle
        else:
            high = middle
    return low, high


def _mills(x: float) -> float:
    from scipy.special import erfcx

    return math.sqrt(math.pi / 2) * float(erfcx(x / math.sqrt(2)))
