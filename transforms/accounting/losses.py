"""Privacy losses of single mechanisms, as an accountant composes them.

A loss stands for a pair of distributions that is at least as easy to tell apart as the outputs of
the mechanism on any two neighbouring data sets (a dominating pair: Zhu, Dong and Wang, *Optimal
Accounting of Differential Privacy via Characteristic Function*, 2022). Each pair here is the same
in both directions, so adding and removing a unit cost the same. Prices of dominating pairs hold for
adaptive composition too (theorem 10 there).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

MAX_EPSILON = 300
"""Largest epsilon of one mechanism: beyond it PyDP's formulas overflow, and noise vanishes."""

MAX_MU = 25.0
"""Largest mu of one Gaussian mechanism: its epsilon is beyond 300 at every delta below 1/2."""


@dataclass(frozen=True)
class GaussianLoss:
    """Gaussian noise: the pair N(0, 1) and N(mu, 1).

    A vector with noise of variance sigma^2 in each entry may be rotated so that the change lies
    along one axis; the other axes tell nothing. So only the L2 norm of the change counts, and
    several mechanisms with mu_1, mu_2, ... are one with sqrt(mu_1^2 + mu_2^2 + ...), exactly (Dong,
    Roth and Su, *Gaussian Differential Privacy*, 2022, corollary 3.3).

    Attributes:
        mu: L2 sensitivity divided by the standard deviation of the noise.

    Raises:
        ValueError: A number is outside its range.
    """

    mu: float

    def __post_init__(self) -> None:
        if not 0 < self.mu <= MAX_MU:
            raise ValueError(
                f"mu of one mechanism is {self.mu}; allowed: above 0, at most {MAX_MU:g}"
            )


@dataclass(frozen=True)
class LaplaceLoss:
    """Laplace noise: the pair Lap(0, 1) and Lap(epsilon, 1).

    A vector mechanism whose entries change by shifts s_1, s_2, ... diversities is dominated by the
    one-dimensional mechanism with the whole shift, epsilon = s_1 + s_2 + .... Proof. Write f_s for
    the trade-off function between Lap(0, 1) and Lap(s, 1). The density is log-concave, so the best
    tests are thresholds: with F the distribution function, f_s(a) = F(F^-1(1 - a) - s). Hence
    f_t(1 - f_s(a)) = F(F^-1(1 - a) - s - t) = f_(s+t)(a), and f_s falls as s grows. Now change one
    entry after the other. The pair of the first step has trade-off function f_s, that of the
    second f_t, and by the lemma of group privacy (Dong, Roth and Su, 2022, lemma A.5) the first and
    the last distribution have a trade-off function of at least f_t(1 - f_s) = f_(s+t). More entries
    follow by induction. This is group privacy met with equality.

    PyDP draws from a geometric distribution on a grid of at most 2^-40 diversities, and enlarges
    the diversity by the grid, so its losses are at most epsilon, and each differs from that of the
    continuous pair by at most 2^-40 epsilon.

    Attributes:
        epsilon: L1 sensitivity divided by the diversity of the noise.

    Raises:
        ValueError: A number is outside its range.
    """

    epsilon: float

    def __post_init__(self) -> None:
        _check_epsilon(self.epsilon)


@dataclass(frozen=True)
class ApproximateLoss:
    """Any (epsilon, delta)-private mechanism, several times.

    The pair is randomized response that gives the answer away with probability delta (Kairouz, Oh
    and Viswanath, *The Composition Theorem for Differential Privacy*, 2015, theorem 3.4). It
    dominates every mechanism with that guarantee.

    Attributes:
        epsilon: Epsilon of one time.
        delta: Delta of one time; 0 for pure privacy.
        times: How many times.

    Raises:
        ValueError: A number is outside its range.
    """

    epsilon: float
    delta: float
    times: int = 1

    def __post_init__(self) -> None:
        _check_epsilon(self.epsilon)
        _check_delta(self, self.delta)
        if not (isinstance(self.times, int) and self.times >= 1):
            raise ValueError(f"times is {self.times!r}; allowed: a whole number of at least 1")


@dataclass(frozen=True)
class FailureLoss:
    """An event of some probability that gives everything away; otherwise nothing is lost.

    A table whose noisy numbers are released only above a threshold costs its noise and this: the
    probability that any of the partitions that only one unit touches shows.

    Attributes:
        delta: Probability of the event.

    Raises:
        ValueError: A number is outside its range.
    """

    delta: float

    def __post_init__(self) -> None:
        _check_delta(self, self.delta)


Loss = GaussianLoss | LaplaceLoss | ApproximateLoss | FailureLoss


GEOMETRIC_ROUNDING = 2.0**-46
"""Rounding of PyDP's truncated geometric selection, as a part of 1 + e^epsilon of one partition.

PyDP releases a partition when a random double is at most its probability of release, a double too
(google/differential-privacy, `cc/algorithms/partition-selection.h`). A probability near 1 is wrong
by up to 2^-53, and so is that of no release, which e^epsilon multiplies where it is compared with
the neighbour's. What was measured is up to 2^-49 (1 + e^epsilon); this is eight times as much.
"""


def truncated_geometric_loss(epsilon: float, delta: float, l0: int) -> ApproximateLoss:
    """Returns the loss of PyDP's truncated geometric selection over all partitions of a unit.

    PyDP decides each partition with epsilon / L0 and 1 - (1 - delta)^(1 / L0)
    (google/differential-privacy, `cc/algorithms/partition-selection.h`), so all L0 decisions fail
    with probability delta. What PyDP is told is less, for its rounding (`drawn_delta`).

    Args:
        epsilon: Epsilon of the selection.
        delta: Delta of the selection.
        l0: Partitions that neighbouring data sets can change.
    """
    return ApproximateLoss(epsilon / l0, _each(delta, l0), l0)


def drawn_delta(epsilon: float, delta: float, l0: int) -> float:
    """Returns the delta that PyDP is told, so that with its rounding a selection loses delta.

    Args:
        epsilon: Epsilon of the selection, at most `largest_geometric_epsilon`.
        delta: Delta of the selection.
        l0: Partitions that neighbouring data sets can change.
    """
    rounding = GEOMETRIC_ROUNDING * (1 + math.exp(epsilon / l0))
    return -math.expm1(l0 * math.log1p(rounding - _each(delta, l0)))


def largest_geometric_epsilon(delta: float, l0: int) -> float:
    """Returns the largest epsilon with which rounding takes at most half of delta.

    Args:
        delta: Delta of the selection.
        l0: Partitions that neighbouring data sets can change.

    Returns:
        Epsilon of the selection; 0 where no epsilon is small enough.
    """
    room = _each(delta, l0) / 2 / GEOMETRIC_ROUNDING - 1
    return min(l0 * math.log(room), float(MAX_EPSILON)) if room > 1 else 0.0


def _each(delta: float, l0: int) -> float:
    return -math.expm1(math.log1p(-delta) / l0)


def failure(losses: Iterable[Loss]) -> float:
    """Returns the probability that at least one of the independent failures happens."""
    logs = [
        (loss.times if isinstance(loss, ApproximateLoss) else 1) * math.log1p(-loss.delta)
        for loss in losses
        if isinstance(loss, ApproximateLoss | FailureLoss)
    ]
    return 0.0 - math.expm1(math.fsum(logs))


def room_for_noise(delta: float, failed: float) -> float:
    """Returns the delta that is left for losses without failures.

    Failures are independent of everything else, so delta in all is failed + (1 - failed) * room.

    Args:
        delta: Delta of everything.
        failed: Probability of the failures.

    Returns:
        The room; below 0 when the failures alone are more than delta.
    """
    return (delta - failed) / (1 - failed)


def pure_sum(losses: Iterable[Loss]) -> Fraction:
    """Returns the exact sum of the epsilons of all losses that are not Gaussian."""
    terms = (
        Fraction(loss.epsilon) * (loss.times if isinstance(loss, ApproximateLoss) else 1)
        for loss in losses
        if isinstance(loss, LaplaceLoss | ApproximateLoss)
    )
    return sum(terms, Fraction(0))


def round_up(value: Fraction) -> float:
    """Returns the smallest float that is not below a value."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def _check_epsilon(value: float) -> None:
    if not 0 < value <= MAX_EPSILON:
        raise ValueError(
            f"epsilon of one mechanism is {value}; allowed: above 0, at most {MAX_EPSILON}"
        )


def _check_delta(loss: Loss, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"delta of {type(loss).__name__} is {value}; allowed: from 0, below 1")
