"""Slow and obvious prices: by enumeration and by numerical integration."""

import itertools
import math

from scipy import integrate

from transforms.accounting.gaussian import gaussian_delta


def bisect_epsilon(delta_at, delta, high):
    """The smallest epsilon up to `high` with delta_at(epsilon) of at most delta."""
    low = 0.0
    if delta_at(low) <= delta:
        return low
    for _ in range(80):
        middle = (low + high) / 2
        if delta_at(middle) > delta:
            low = middle
        else:
            high = middle
    return high


def responses_delta(responses, epsilon):
    """Delta of randomized responses with failures, over every outcome.

    Args:
        responses: Pairs of epsilon and delta, one per mechanism.
        epsilon: Epsilon of the composition.
    """
    total = 0.0
    for outcome in itertools.product(("fails", "same", "other"), repeat=len(responses)):
        probability, loss = 1.0, 0.0
        for what, (own, failing) in zip(outcome, responses, strict=True):
            truth = math.exp(own) / (1 + math.exp(own))
            probability *= {
                "fails": failing,
                "same": (1 - failing) * truth,
                "other": (1 - failing) * (1 - truth),
            }[what]
            loss += {"fails": math.inf, "same": own, "other": -own}[what]
        if loss > epsilon:
            total += probability * -math.expm1(epsilon - loss)
    return total


def binomial_delta(own, times, epsilon):
    """Delta of one randomized response many times, by the binomial distribution."""
    total = 0.0
    truth = -math.log1p(math.exp(-own))
    for same in range(times + 1):
        loss = (2 * same - times) * own
        if loss > epsilon:
            log = math.lgamma(times + 1) - math.lgamma(same + 1) - math.lgamma(times - same + 1)
            log += same * truth + (times - same) * (truth - own)
            total += math.exp(log) * -math.expm1(epsilon - loss)
    return total


def beside_laplace(delta_of_rest, own, epsilon):
    """Delta of Laplace noise beside something else, by integration over the loss of the Laplace.

    With x drawn from Lap(0, 1) and a shift of own, the loss is own for x < 0, -own for x > own, and
    own - 2 x between.
    """

    def rest(epsilon):
        if epsilon >= 0:
            return delta_of_rest(epsilon)
        return -math.expm1(epsilon) + math.exp(epsilon) * delta_of_rest(-epsilon)

    between, _ = integrate.quad(
        lambda x: math.exp(-x) / 2 * rest(epsilon - own + 2 * x),
        0,
        own,
        epsabs=0,
        epsrel=1e-9,
        limit=200,
        points=[x for x in ((own - epsilon) / 2,) if 0 < x < own],
    )
    return rest(epsilon - own) / 2 + math.exp(-own) / 2 * rest(epsilon + own) + between


def laplace_delta(own, epsilon):
    """Delta of Laplace noise alone."""
    return max(0.0, -math.expm1((epsilon - own) / 2))


def laplace_and_gaussian_delta(own, mu, epsilon):
    """Delta of Laplace noise beside Gaussian noise."""
    return beside_laplace(lambda rest: gaussian_delta(mu, rest), own, epsilon)
