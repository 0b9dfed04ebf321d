"""The reference price of a release: privacy loss distributions of `dp_accounting`.

Failures are split off exactly first (`room_for_noise`). All Gaussian noise is one mechanism
(`GaussianLoss`). Each kind of loss is discretized so that both distributions of its pair stay
distributions and the pair becomes easier to tell apart, never harder (Doroshenko, Ghazi, Kamath,
Kumar and Manurangsi, *Connect the Dots*, 2022), and composed by fast Fourier transform. So prices
are from above; `_fourier_error` covers the rounding of the transform.

`dp_accounting` takes about a second to import; it is imported when the first price is asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from transforms.accounting.losses import (
    ApproximateLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    failure,
    pure_sum,
    room_for_noise,
    round_up,
)

_STEP_OF_EPSILON = 5e-5
"""Largest grid step as a part of epsilon: with few losses, the price is wrong by about one step.
Where epsilon is small against the standard deviation of the loss, it is a part of that."""

_DEVIATIONS = 3
"""Standard deviations of the loss below which the grid does not get finer with epsilon."""

_STEP_OF_DEVIATION = 0.03
"""Largest grid step as a part of the loss's standard deviation per loss: with many losses, a step
of s adds at most s^2 each to the variance, which is less than 0.1 % of it."""

_TRUNCATED = 1e-4
"""Part of delta that may be lost where tails are cut; it counts as a failure."""

Method = Literal["gaussian", "sum", "distribution", "basic"]


@dataclass(frozen=True)
class _Parts:
    """Losses by kind: mu of all Gaussian noise, how often each epsilon comes, and their sum."""

    mu: float
    laplace: Counter[float]
    response: Counter[float]
    pure: float
    failed: float

    @property
    def times(self) -> int:
        """Number of distributions that are composed; equal responses are one."""
        return self.laplace.total() + len(self.response) + (self.mu > 0)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and variance of the loss, roughly; the variance from above."""
        mean = square = self.mu**2
        mean /= 2
        for epsilon, times in (*self.laplace.items(), *self.response.items()):
            mean += times * epsilon * math.tanh(epsilon / 2)
            square += times * epsilon**2
        return mean, square


def epsilon_for_delta(losses: Sequence[Loss], delta: float) -> float:
    """Returns epsilon of the composition of all losses at a delta, from above.

    Args:
        losses: Losses of the complete release.
        delta: From 0, below 1.

    Returns:
        Epsilon; infinite when nothing finite holds at this delta. For losses that are not all
        Gaussian, and a tiny delta, epsilons are added up (`method`).

    Raises:
        ValueError: A number is outside its range.
    """
    _check_delta(delta)
    parts = _parts(losses)
    room = room_for_noise(delta, parts.failed)
    if room < 0:
        return math.inf
    summed = parts.pure + (_gaussian_epsilon(parts.mu, room) if parts.mu else 0.0)
    if _method(parts, room) != "distribution":
        return summed
    mean, variance = parts.moments
    guess = min(summed, mean + math.sqrt(2 * variance * (1 + math.log(1 / room))))
    guess = max(guess, _DEVIATIONS * math.sqrt(variance))
    composed = _compose(parts, guess, _TRUNCATED * room)
    return min(summed, float(composed.get_epsilon_for_delta(room - _fourier_error(parts))))


def delta_for_epsilon(losses: Sequence[Loss], epsilon: float) -> float:
    """Returns delta of the composition of all losses at an epsilon, from above.

    Args:
        losses: Losses of the complete release.
        epsilon: From 0.

    Raises:
        ValueError: A number is outside its range.
    """
    if not (epsilon >= 0 and math.isfinite(epsilon)):
        raise ValueError(f"epsilon is {epsilon}; allowed: a finite number from 0")
    parts = _parts(losses)
    if not parts.pure:
        noise = _gaussian_delta(parts.mu, epsilon) if parts.mu else 0.0
    elif not parts.mu and epsilon >= parts.pure:
        noise = 0.0
    else:
        guess = max(epsilon, _DEVIATIONS * math.sqrt(parts.moments[1]))
        error = _fourier_error(parts)
        composed = _compose(parts, guess, error)
        noise = min(1.0, float(composed.get_delta_for_epsilon(epsilon)) + error)
    return parts.failed + (1 - parts.failed) * noise


def method(losses: Sequence[Loss], delta: float) -> Method:
    """Returns how epsilon at a delta is found.

    `gaussian` is the exact formula for Gaussian noise alone, and `sum` the sum of epsilons where
    delta leaves no room. `distribution` composes privacy loss distributions. `basic` adds up, where
    delta is not well above the rounding of the Fourier transform, of about 1e-14.
    """
    parts = _parts(losses)
    return _method(parts, room_for_noise(delta, parts.failed))


def _method(parts: _Parts, room: float) -> Method:
    if not parts.pure:
        return "gaussian" if parts.mu else "sum"
    if room <= 0:
        return "sum"
    return "distribution" if 20 * _fourier_error(parts) <= room else "basic"


def _parts(losses: Sequence[Loss]) -> _Parts:
    laplace: Counter[float] = Counter()
    response: Counter[float] = Counter()
    squares = []
    for loss in losses:
        match loss:
            case GaussianLoss():
                squares.append(loss.mu**2)
            case LaplaceLoss():
                laplace[loss.epsilon] += 1
            case ApproximateLoss():
                response[loss.epsilon] += loss.times
    mu, pure = math.sqrt(math.fsum(squares)), round_up(pure_sum(losses))
    return _Parts(mu, laplace, response, pure, failure(losses))


def _fourier_error(parts: _Parts) -> float:
    """Returns a bound of the error in delta from rounding: measured, and times four."""
    return 1e-14 + 2.0**-51 * parts.times


def _compose(parts: _Parts, guess: float, truncated: float) -> Any:
    """Returns the composed distribution, on a grid fit for an epsilon about as large as guessed."""
    from dp_accounting.pld import privacy_loss_distribution as pld

    step = _step(parts, guess)
    cut = truncated / (len(parts.laplace) + len(parts.response) + 1) / 2
    pieces = []
    if parts.mu:
        pieces.append(pld.from_gaussian_mechanism(1 / parts.mu, value_discretization_interval=step))
    for epsilon, times in parts.laplace.items():
        single = pld.from_laplace_mechanism(1 / epsilon, value_discretization_interval=step)
        pieces.append(single.self_compose(times, cut) if times > 1 else single)
    for epsilon, times in parts.response.items():
        pieces.append(_randomized_responses(epsilon, times, step, cut))
    while len(pieces) > 1:
        pairs = zip(pieces[::2], pieces[1::2], strict=False)
        odd = pieces[-1:] if len(pieces) % 2 else []
        pieces = [*odd, *(one.compose(other, cut) for one, other in pairs)]
    return pieces[0]


def _step(parts: _Parts, guess: float) -> float:
    """Returns a grid step; if it can, it divides the epsilon that matters most, to be exact."""
    deviation = math.sqrt(parts.moments[1] / parts.times)
    step = min(_STEP_OF_EPSILON * guess, _STEP_OF_DEVIATION * deviation)
    every = parts.laplace + parts.response
    most = max(every, key=lambda epsilon: every[epsilon] * epsilon**2)
    return most / math.ceil(most / step) if most > step else step


def _randomized_responses(epsilon: float, times: int, step: float, cut: float) -> Any:
    """Returns the distribution of several equal randomized responses on a grid.

    Of n responses, the number that tell the truth is binomial with the probability 1 / (1 +
    e^-epsilon), or e^-epsilon / (1 + e^-epsilon) in the neighbour; k of them mean the loss (2 k -
    n) epsilon (Kairouz, Oh and Viswanath 2015, section 4). Between two of these losses delta is a
    straight line in e^epsilon, so the grid points next to losses are all that is needed.

    Args:
        epsilon: Epsilon of one response.
        times: How many.
        step: Step of the grid.
        cut: Probability of the largest losses, which count as failures.
    """
    from dp_accounting.pld import pld_pmf
    from dp_accounting.pld import privacy_loss_distribution as pld
    from scipy.special import bdtrc

    def more_than(number: Any, probability: float) -> Any:
        return np.where(number < 0, 1.0, bdtrc(np.clip(number, 0, times), times, probability))

    true, false = 1 / (1 + math.exp(-epsilon)), 1 / (1 + math.exp(epsilon))
    numbers = range(times + 1)
    least = bisect_left(numbers, True, key=lambda number: more_than(number, true) < 1 - cut)
    most = bisect_left(numbers, True, key=lambda number: more_than(number, true) <= cut)
    ends = (2 * np.arange(max(least - 1, 0), most + 1) - times) * epsilon / step
    points = np.unique(np.concatenate([np.floor(ends), np.ceil(ends)])).astype(np.int64)
    losses = points * step
    beyond = np.floor((losses / epsilon + times) / 2)
    with np.errstate(divide="ignore"):
        in_neighbour = np.exp(losses + np.log(more_than(beyond, false)))
    deltas = np.clip(more_than(beyond, true) - in_neighbour, 0.0, 1.0)
    deltas = np.maximum.accumulate(deltas[::-1])[::-1]  # Where they are rounded, from above.
    return pld.PrivacyLossDistribution(
        pld_pmf.create_pmf_pessimistic_connect_dots(step, points, deltas)
    )


def _gaussian_delta(mu: float, epsilon: float) -> float:
    from dp_accounting.pld.privacy_loss_mechanism import GaussianPrivacyLoss

    return float(GaussianPrivacyLoss(1 / mu).get_delta_for_epsilon(epsilon))


def _gaussian_epsilon(mu: float, delta: float) -> float:
    """Returns epsilon of Gaussian noise by bisection of dp_accounting's exact formula."""
    from dp_accounting.pld.privacy_loss_mechanism import GaussianPrivacyLoss

    if delta <= 0:
        return math.inf
    curve = GaussianPrivacyLoss(1 / mu).get_delta_for_epsilon
    low, high = 0.0, mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta)) + mu
    if curve(low) <= delta:
        return low
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if curve(middle) > delta:
            low = middle
        else:
            high = middle
    return high


def _check_delta(delta: float) -> None:
    if not 0 <= delta < 1:
        raise ValueError(f"delta is {delta}; allowed: from 0, below 1")
