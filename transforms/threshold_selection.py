"""Selection of partitions by a threshold: parameters and probabilities.

Each partition has a number m: of its privacy units, or their weight. Noise is added to each m, and
partitions with m > 0 whose noisy m is at least the threshold are released.

- `laplace` and `gaussian` count units. With a pre-threshold p, m = max(n - p + 1, 0) of n units: as
  PyDP does, partitions with fewer than p units have m = 0, and those with p units have m = 1.
- `weighted_gaussian`: a unit with k partitions adds the weight 1 / sqrt(k) to each, so that it
  moves the vector of weights by at most 1 in the L2 norm, however many partitions it has (S. Gopi
  et al., *Differentially private set union*, ICML 2020, algorithm 2 and theorem 5.1).

**Privacy** (A. Korolova et al., 2009). Let D and D' be neighbours, and call a partition lonely in D
when it has m > 0 there, and m = 0 in D'. Only one unit of D is not in D', a lonely partition is one
of its at most L0 partitions, and n counts it, so that m = 1 (counts) or 1 / sqrt(t), if it has t
partitions (weights). All lonely partitions together show with probability at most delta, below. Let
A be the result of D if none of them shows, with D's own noise in all other partitions. As noise is
independent, D's result is that of A with probability 1 - delta, and anything else with probability
delta (where lonely partitions show more rarely, outcomes of A make up the rest). The same holds
for D' and an A' that releases nothing that is lonely in D'. A and A' are computed from noisy
vectors over the partitions with m > 0 in both. Counts move by at most 1 in L0 of them, as max(n - p
+ 1, 0) moves by no more than n; weights by at most 1 in the L2 norm. When a unit is replaced,
counts move by at most 1 in 2 L0 of them (in a partition of both units not at all), and weights by
at most sqrt(2), as the old and the new weights are at right angles or closer. So the selection
costs a `FailureLoss` of delta, and the loss of its noise.

**Threshold.** Of t <= L0 lonely partitions, each shows with P(noise >= threshold - m), so that none
does with probability 1 - delta when this is 1 - (1 - delta)^(1 / t). The threshold is the largest
over t of m + the quantile of the noise. For counts, it is that of t = L0. Noise is rounded to
granules, which one granule allows for, and PyDP enlarges a diversity b of Laplace noise by less
than 2^-39 b / epsilon, by which the quantile is enlarged too (`transforms.accounting.losses`).
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from transforms.accounting.losses import GaussianLoss, LaplaceLoss
from transforms.mechanisms import (
    AdditiveMechanism,
    SelectionStrategy,
    ThresholdSelection,
)
from transforms.sensitivity import Sensitivity

WEIGHT_GRANULES = 2**20
"""Granules of the weight of a privacy unit with one partition."""

COUNT_GRANULES = 2**10
"""Granules of a counted privacy unit."""

_GRID = 2.0**-39
_EXACT_UP_TO = 1000
_GROWTH = 1.01


def threshold_selection(
    strategy: SelectionStrategy,
    loss: GaussianLoss | LaplaceLoss,
    delta: float,
    l0: int,
    changed: int = 1,
    pre_threshold: int | None = None,
) -> ThresholdSelection:
    """Returns the selection with the smallest noise that loses no more than is allowed.

    Args:
        strategy: What is compared with the threshold.
        loss: What the noise may lose.
        delta: Probability that any partition shows that only one unit has.
        l0: Partitions that one privacy unit can change.
        changed: Privacy units in which neighbouring data sets differ: 1, or 2 for `replace`.
        pre_threshold: Partitions with fewer units are never released; None for no such rule.
    """
    if strategy == "weighted_gaussian":
        moved = Sensitivity(changed, WEIGHT_GRANULES)
    else:
        moved = Sensitivity(l0 * changed, COUNT_GRANULES)
    noise = AdditiveMechanism.of(loss, moved)
    return ThresholdSelection(strategy, noise, delta, l0, pre_threshold)


def granules(selection: ThresholdSelection) -> int:
    """Returns the granules of a unit, or of the weight of a unit with one partition."""
    return WEIGHT_GRANULES if selection.strategy == "weighted_gaussian" else COUNT_GRANULES


def compared(units: npt.NDArray[np.int64], selection: ThresholdSelection) -> npt.NDArray[np.int64]:
    """Returns what noise is added to, in granules; 0 where nothing may be released.

    Args:
        units: Number of privacy units per partition, or their weight in granules, shape (n,).
        selection: The selection.
    """
    if selection.strategy == "weighted_gaussian":
        return units
    return np.maximum(units - _shift(selection), 0) * COUNT_GRANULES


def noisy_units(
    noisy: npt.NDArray[np.int64], selection: ThresholdSelection
) -> npt.NDArray[np.int64]:
    """Returns noisy numbers as whole privacy units: how many there are, with noise.

    Args:
        noisy: What `compared` returned, with noise, in granules, shape (n,).
        selection: The selection, which counts units.
    """
    return (noisy + COUNT_GRANULES // 2) // COUNT_GRANULES + _shift(selection)


def unit_noise(selection: ThresholdSelection) -> AdditiveMechanism:
    """Returns the noise on the numbers of privacy units that a selection compares, in units."""
    noise = selection.noise
    return AdditiveMechanism(
        noise.noise, noise.scale / COUNT_GRANULES, noise.l0, noise.linf // COUNT_GRANULES
    )


def threshold(selection: ThresholdSelection) -> int:
    """Returns the noisy number or weight from which a partition is released, in granules.

    Raises:
        ValueError: The probability of one partition is too small for a float.
    """
    if selection.strategy == "weighted_gaussian":
        lonely = [(1 / math.sqrt(first), last) for first, last in _ranges(selection.l0)]
    else:
        lonely = [(1.0, selection.l0)]
    size = granules(selection)
    least = max(size * m + _quantile(selection, last) for m, last in lonely)
    return math.ceil(least) + 1


def typical_threshold(selection: ThresholdSelection) -> float:
    """Returns the number of units, with L0 partitions each, whose noisy number is the threshold."""
    units = threshold(selection) / granules(selection)
    if selection.strategy == "weighted_gaussian":
        return units * math.sqrt(selection.l0)
    return units + _shift(selection)


def threshold_probability(selection: ThresholdSelection, units: int) -> float:
    """Returns the probability that a partition is released, if its units have L0 partitions each.

    Args:
        selection: The selection.
        units: Number of privacy units.
    """
    number = float(max(units - _shift(selection), 0) * granules(selection))
    if number == 0:
        return 0.0
    if selection.strategy == "weighted_gaussian":
        number /= math.sqrt(selection.l0)
    return _above(selection.noise, threshold(selection) - number)


def _shift(selection: ThresholdSelection) -> int:
    return 0 if selection.pre_threshold is None else selection.pre_threshold - 1


def _above(noise: AdditiveMechanism, distance: float) -> float:
    """Returns the probability that noise before rounding is at least a distance."""
    if noise.noise == "gaussian":
        return NormalDist(0.0, noise.scale).cdf(-distance)
    tail = math.exp(-abs(distance) / noise.scale) / 2
    return tail if distance > 0 else 1 - tail


def _quantile(selection: ThresholdSelection, partitions: int) -> float:
    """Returns what the noise is beyond with probability 1 - (1 - delta)^(1 / partitions)."""
    each = -math.expm1(math.log1p(-selection.delta) / partitions)
    if each == 0:
        raise ValueError(
            f"delta {selection.delta:.3g} of {partitions} partitions is out of the range of the "
            "mechanism; allowed: more of it"
        )
    noise = selection.noise
    if noise.noise == "gaussian":
        return -noise.scale * NormalDist().inv_cdf(each)
    scale = noise.scale * (1 + _GRID * noise.scale / noise.l1)
    return scale * (-math.log(2 * each) if each < 0.5 else math.log(2 * (1 - each)))


def _ranges(l0: int) -> list[tuple[int, int]]:
    """Returns ranges of numbers of partitions that cover 1 to L0: single ones, then wider."""
    ends = list(range(min(l0, _EXACT_UP_TO) + 1))
    while ends[-1] < l0:
        ends.append(min(l0, math.ceil(ends[-1] * _GROWTH)))
    return [(before + 1, end) for before, end in pairwise(ends)]
