"""Bounds of the price of a release from formulas alone: the check on the reference.

Every upper bound here holds, and so does every lower bound: the true epsilon of the composition of
the losses' pairs lies between the least upper and the greatest lower one. Failures are independent
events that give everything away, so they are split off exactly (`room_for_noise`), and the formulas
below price the rest, in which an `ApproximateLoss` is randomized response.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from transforms.accounting.conversions import renyi_epsilon, simple_epsilon, tight_epsilon
from transforms.accounting.gaussian import gaussian_epsilon
from transforms.accounting.losses import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    failure,
    pure_sum,
    room_for_noise,
    round_up,
)

_ROUNDING = 2.0**-50


def upper_bounds(losses: Sequence[Loss], delta: float) -> dict[str, float]:
    """Returns upper bounds of epsilon by the name of the theorem.

    `basic` adds up: pure epsilons as exact fractions, rounded up, and the exact epsilon of all
    Gaussian noise. `advanced` is theorem 3.5 of Kairouz, Oh and Viswanath, *The Composition Theorem
    for Differential Privacy*, 2015, for losses without Gaussian noise. `renyi` adds up the Renyi
    divergences of the pairs. `zcdp_tight` and `zcdp_simple` convert rho, where there is Gaussian
    noise.

    Args:
        losses: Losses of the complete release.
        delta: Delta of the release.

    Returns:
        Bounds, infinite where a theorem says nothing at this delta.
    """
    room = room_for_noise(delta, failure(losses))
    mu, pure = _mu(losses), pure_sum(losses)
    if room < 0:
        return {"basic": math.inf}
    bounds = {"basic": round_up(pure) + (gaussian_epsilon(mu, room) if mu else 0.0)}
    if room == 0:
        return bounds
    rest: list[Loss] = [GaussianLoss(mu)] if mu else []
    rest += [loss for loss in losses if isinstance(loss, LaplaceLoss | ApproximateLoss)]
    if rest:
        counted = Counter(rest)
        bounds["renyi"] = renyi_epsilon(lambda order: _divergence(counted, order), room)
    if mu:
        bounds["zcdp_tight"] = tight_epsilon(rho(rest), room)
        bounds["zcdp_simple"] = simple_epsilon(rho(rest), room)
    elif rest:
        bounds["advanced"] = _advanced(rest, room)
    return bounds


def lower_bounds(losses: Sequence[Loss], delta: float) -> dict[str, float]:
    """Returns lower bounds of epsilon by what they look at.

    `gaussian` is the exact epsilon of all Gaussian noise, without the rest. `single` is the exact
    epsilon of the worst of the other losses alone. `worst_case` looks at the outcome where each of
    them has its largest loss: with probability P the loss is the sum S, so that delta is at least
    P (1 - e^(epsilon - S)).

    Args:
        losses: Losses of the complete release.
        delta: Delta of the release.
    """
    room = room_for_noise(delta, failure(losses))
    if room < 0:
        return {"failures": math.inf}
    bounds = {"nothing": 0.0}
    mu = _mu(losses)
    if mu:
        bounds["gaussian"] = gaussian_epsilon(mu, room)
    pure = [loss for loss in losses if isinstance(loss, LaplaceLoss | ApproximateLoss)]
    if pure:
        bounds["single"] = max(_single(loss, room) for loss in pure)
        log_likely = math.fsum(_times(loss) * _log_probability_of_largest(loss) for loss in pure)
        missed = room * math.exp(min(-log_likely, 700.0))
        if missed < 1:
            bounds["worst_case"] = float(pure_sum(losses)) + math.log1p(-missed)
    return bounds


def rho(losses: Sequence[Loss]) -> float:
    """Returns zCDP of a release, apart from its failures.

    With failures of probability f it is f-approximate rho-zCDP. Gaussian noise is mu^2 / 2 (Bun and
    Steinke, 2016, proposition 1.6), Laplace noise epsilon + e^-epsilon - 1, and randomized response
    epsilon tanh(epsilon / 2), the worst of all epsilon-private mechanisms (Harrison and Manurangsi,
    *Exact zCDP Characterizations for Fundamental Differentially Private Mechanisms*, 2025). The
    last two are the Kullback-Leibler divergences of their pairs.
    """
    return math.fsum(_times(loss) * _rho(loss) for loss in losses)


def _rho(loss: Loss) -> float:
    match loss:
        case GaussianLoss():
            return loss.mu**2 / 2
        case LaplaceLoss() if loss.epsilon < 1e-4:
            return loss.epsilon**2 / 2
        case LaplaceLoss():
            return loss.epsilon + math.expm1(-loss.epsilon)
        case ApproximateLoss():
            return loss.epsilon * math.tanh(loss.epsilon / 2)
        case FailureLoss():
            return 0.0


def _divergence(losses: Mapping[Loss, int], order: float) -> float:
    return math.fsum(count * _times(loss) * _renyi(loss, order) for loss, count in losses.items())


def _renyi(loss: Loss, order: float) -> float:
    """Returns the Renyi divergence of a pair, apart from failures.

    Mironov, *Renyi Differential Privacy*, 2017, propositions 5 to 7. Differences of nearly equal
    numbers are rounded up, and bounded by what holds for every epsilon-private mechanism.
    """
    if isinstance(loss, FailureLoss):
        return 0.0
    if isinstance(loss, GaussianLoss):
        return order * loss.mu**2 / 2
    epsilon, excess = loss.epsilon, order - 1
    if isinstance(loss, LaplaceLoss):
        most, least = math.log(order / (2 * order - 1)), math.log(excess / (2 * order - 1))
    else:
        most = least = -math.log1p(math.exp(-epsilon))
    first, second = most + excess * epsilon, least - order * epsilon
    larger = max(first, second)
    total = larger + math.log1p(math.exp(min(first, second) - larger))
    exact = (total + _ROUNDING * (1 + abs(larger))) / excess
    return min(exact, epsilon, order * epsilon**2 / 2)


def _advanced(losses: Sequence[Loss], room: float) -> float:
    mean = squares = 0.0
    for loss in losses:
        if isinstance(loss, LaplaceLoss | ApproximateLoss):
            mean += _times(loss) * loss.epsilon * math.tanh(loss.epsilon / 2)
            squares += _times(loss) * loss.epsilon**2
    least = min(math.log(1 / room), math.log(math.e + math.sqrt(squares) / room))
    return mean + math.sqrt(2 * squares * least)


def _single(loss: LaplaceLoss | ApproximateLoss, room: float) -> float:
    """Returns the exact epsilon E of one loss.

    For Laplace noise delta is 1 - e^((E - epsilon) / 2); for randomized response that fails with
    probability q = 1 / (1 + e^epsilon), it is (1 - q) (1 - e^(E - epsilon)).
    """
    if room >= 1:
        return 0.0
    if isinstance(loss, LaplaceLoss):
        return max(0.0, loss.epsilon + 2 * math.log1p(-room))
    missed = room * math.exp(-_log_probability_of_largest(loss))
    return max(0.0, loss.epsilon + math.log1p(-missed)) if missed < 1 else 0.0


def _log_probability_of_largest(loss: LaplaceLoss | ApproximateLoss) -> float:
    if isinstance(loss, LaplaceLoss):
        return -math.log(2)
    return -math.log1p(math.exp(-loss.epsilon))


def _mu(losses: Sequence[Loss]) -> float:
    return math.sqrt(math.fsum(loss.mu**2 for loss in losses if isinstance(loss, GaussianLoss)))


def _times(loss: Loss) -> int:
    return loss.times if isinstance(loss, ApproximateLoss) else 1
