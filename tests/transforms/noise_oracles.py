"""What noise is in theory, written independently of the engine and of PyDP."""

import math

from scipy.stats import binom

FALSE_ALARM = 1e-7
"""Of one comparison. No test makes more than ten independent ones per parameter set, so each has a
false-alarm rate of at most 1e-6 per run."""


def phi(x):
    """Distribution function of the standard normal distribution."""
    return math.erfc(-x / math.sqrt(2)) / 2


def gaussian_delta(sigma, epsilon, l2):
    """Smallest delta of Gaussian noise (Balle and Wang 2018, theorem 8)."""
    a, b = l2 / (2 * sigma), epsilon * sigma / l2
    return phi(a - b) - math.exp(epsilon) * phi(-a - b)


def rate_fits(hits, trials, probability, alarm=FALSE_ALARM):
    """Is the probability in the Clopper-Pearson interval of hits of trials, at a level of alarm?"""
    tails = binom.cdf(hits, trials, probability), binom.sf(hits - 1, trials, probability)
    return min(tails) >= alarm / 2
