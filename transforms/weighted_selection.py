"""Weighted Gaussian selection of partitions: parameters and probabilities.

A privacy unit with k partitions adds the weight 1 / sqrt(k) to each, so that it moves the vector of
weights by at most 1 in the L2 norm, however many partitions it has. Gaussian noise is added to each
weight, and partitions from a threshold on are released (S. Gopi et al., *Differentially private set
union*, ICML 2020, algorithm 2 and theorem 5.1; A. Korolova et al., 2009).

Half of delta pays for the noise. The other half is the probability that a unit alone in t <= L0
partitions makes one of them show. Each shows with probability
1 - Phi((threshold - 1 / sqrt(t)) / sigma), so the threshold is the largest over t of
1 / sqrt(t) + sigma Phi^-1((1 - delta / 2)^(1 / t)).

When a unit is replaced, the old weights are at right angles to the new ones or closer to them, so
the vector moves by at most sqrt(2). The partitions that only one data set has are those of one unit
alone, as before.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

from transforms.mechanisms import AdditiveMechanism, SelectionMechanism

WEIGHT_GRANULES = 2**20
"""Granules of the weight of a privacy unit with one partition."""

_EXACT_UP_TO = 1000
_GROWTH = 1.01


def weight_noise(selection: SelectionMechanism) -> AdditiveMechanism:
    """Returns the noise on weights, in granules."""
    return AdditiveMechanism(
        "gaussian",
        selection.epsilon,
        selection.delta / 2,
        l0=selection.changed,
        linf=WEIGHT_GRANULES,
    )


def weight_threshold(selection: SelectionMechanism, sigma: float) -> int:
    """Returns the noisy weight from which a partition is released, in granules.

    Rounding of the noise to whole granules is allowed for by one granule.

    Args:
        selection: The selection.
        sigma: Standard deviation of the noise, in granules.
    """
    scale = sigma / WEIGHT_GRANULES
    threshold = max(
        1 / math.sqrt(first) + scale * _quantile(selection.delta / 2, last)
        for first, last in _ranges(selection.l0)
    )
    return math.ceil(threshold * WEIGHT_GRANULES) + 1


def weight_probability(selection: SelectionMechanism, sigma: float, units: int) -> float:
    """Returns the probability that a partition is released, if its units have L0 partitions each.

    Args:
        selection: The selection.
        sigma: Standard deviation of the noise, in granules.
        units: Number of privacy units.
    """
    weight = WEIGHT_GRANULES * units / math.sqrt(selection.l0)
    return NormalDist(weight, sigma).cdf(2 * weight - weight_threshold(selection, sigma))


def _quantile(delta: float, partitions: int) -> float:
    """Returns Phi^-1((1 - delta)^(1 / partitions))."""
    return -NormalDist().inv_cdf(-math.expm1(math.log1p(-delta) / partitions))


def _ranges(l0: int) -> list[tuple[int, int]]:
    """Returns ranges of numbers of partitions that cover 1 to L0: single ones, then wider."""
    ends = list(range(min(l0, _EXACT_UP_TO) + 1))
    while ends[-1] < l0:
        ends.append(min(l0, math.ceil(ends[-1] * _GROWTH)))
    return [(before + 1, end) for before, end in pairwise(ends)]
