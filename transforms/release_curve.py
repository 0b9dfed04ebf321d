"""How many privacy units a partition needs to be released with a given probability."""

from __future__ import annotations

from transforms.mechanisms import SelectionMechanism, ThresholdSelection
from transforms.noise import release_probability
from transforms.threshold_selection import typical_threshold

MAX_UNITS = 2**62
"""Privacy units beyond which nothing is looked for."""


def selection_threshold(mechanism: SelectionMechanism) -> float:
    """Returns the number of privacy units from which a partition is released more often than not.

    For thresholding this is the threshold that the noisy count is compared with; for truncated
    geometric selection it is the smallest count whose release probability is at least one half. For
    weighted Gaussian selection, each unit is taken to have L0 partitions.
    """
    if isinstance(mechanism, ThresholdSelection):
        return typical_threshold(mechanism)
    return float(units_for_probability(mechanism, 0.5))


def units_for_probability(mechanism: SelectionMechanism, probability: float) -> int:
    """Returns the smallest number of privacy units with at least a probability of release.

    The probability grows with the number of units, so bisection finds the smallest one. For
    weighted Gaussian selection, each unit is taken to have L0 partitions.

    Args:
        mechanism: The selection.
        probability: Above 0, below 1.

    Returns:
        Privacy units, at least 1; rows, where single rows are protected.

    Raises:
        ValueError: The probability is outside its range, or more than `MAX_UNITS` are needed.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability is {probability}; allowed: above 0, below 1")
    low, high = 0, 1
    while release_probability(mechanism, high) < probability:
        if high >= MAX_UNITS:
            raise ValueError(
                f"more than {MAX_UNITS} units are needed for a probability of {probability}"
            )
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if release_probability(mechanism, middle) < probability:
            low = middle
        else:
            high = middle
    return high
