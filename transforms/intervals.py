"""How wide a 95 % interval is for a number that is made of several noisy ones."""

from __future__ import annotations

import math

from transforms.mechanisms import NoiseKind

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""

_QUANTILES: dict[NoiseKind, float] = {
    "gaussian": Z95,
    "laplace": math.log(20) / math.sqrt(2),
}


def quantile_95(noise: NoiseKind) -> float:
    """Returns q such that noise is within q standard deviations with probability 0.95 or more.

    The noise may be one draw, or a weighted sum of independent draws. Sums of Gaussian noise are
    Gaussian, and the probability is 0.95. Of Laplace noise of diversity b, P(|X| > q b sqrt(2)) =
    exp(-q sqrt(2)), which is 0.05 for one draw alone; for sums, whose tails are lighter, also with
    Gaussian noise, the probability is between 0.95 and 0.966 (the tests compute it).

    Args:
        noise: Distribution of the draws; `laplace` also where some are Gaussian.
    """
    return _QUANTILES[noise]
