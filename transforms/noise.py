"""The only place where randomness enters a release: PyDP's mechanisms, behind a fork guard.

PyDP's secure generator keeps a process-wide buffer of random bytes and does not notice a fork:
parent and children would draw the same noise, and two releases with the same noise subtract to the
raw difference. Every draw here is refused in a process that was forked after this module loaded. A
process that draws from PyDP itself, forks, and only then loads this module is not noticed.

`AddNoise` on an int64 rounds a sample of PyDP's discrete distribution, whose grid is a power of
two of at most 1 for every scale allowed here, to a whole number (google/differential-privacy,
`cc/algorithms/numerical-mechanisms.cc`). The value is a whole number too, so rounding is
post-processing of the mechanism on that grid.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydp.algorithms.numerical_mechanisms import GaussianMechanism, LaplaceMechanism
from pydp.algorithms.partition_selection import create_partition_strategy

from transforms.accounting.losses import LaplaceLoss
from transforms.intervals import Z95
from transforms.mechanisms import (
    AdditiveMechanism,
    GeometricSelection,
    Mechanism,
    NoiseKind,
    SelectionMechanism,
    ThresholdSelection,
)
from transforms.threshold_selection import (
    compared,
    noisy_units,
    threshold,
    threshold_probability,
)

MAX_NOISE_SCALE = 2.0**40
"""Largest noise scale: beyond it PyDP's grid would be coarser than whole numbers."""

_SMALL_SCALE = 10

_forked = False


def _mark_forked() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_mark_forked)


class NoiseAfterForkError(RuntimeError):
    """Noise was asked for in a forked process, whose generator repeats its parent's draws."""


def add_noise(values: npt.NDArray[np.int64], mechanism: AdditiveMechanism) -> npt.NDArray[np.int64]:
    """Adds an independent draw of the mechanism's noise to each value.

    Args:
        values: Exact values, any shape (n,), in rows, units or granules.
        mechanism: The noise.

    Returns:
        Noisy values of the same shape and unit.

    Raises:
        NoiseAfterForkError: The process was forked after this module loaded.
    """
    _refuse_fork()
    draw = _additive(mechanism).add_noise
    return np.fromiter((draw(value) for value in values.tolist()), np.int64, len(values))


def select(units: npt.NDArray[np.int64], mechanism: SelectionMechanism) -> npt.NDArray[np.bool_]:
    """Chooses the partitions to release.

    Args:
        units: Exact number of privacy units per partition, or for weighted Gaussian selection
            their weight in granules (`transforms.threshold_selection`), shape (n,).
        mechanism: The selection.

    Returns:
        True for each partition to release, shape (n,).

    Raises:
        NoiseAfterForkError: The process was forked after this module loaded.
    """
    if isinstance(mechanism, ThresholdSelection):
        return _above_threshold(units, mechanism)[0]
    _refuse_fork()
    keep = _selection(mechanism).should_keep
    return np.fromiter((keep(count) for count in units.tolist()), np.bool_, len(units))


def select_and_count(
    units: npt.NDArray[np.int64], mechanism: ThresholdSelection
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Chooses the partitions to release, and tells the noisy numbers that were compared.

    The vector of noisy numbers is one mechanism; which of them are above the threshold, and their
    values in units, both follow from it (`transforms.threshold_selection` on partitions that only
    one unit has).

    Args:
        units: Exact number of privacy units per partition, shape (n,).
        mechanism: The selection, which counts units.

    Returns:
        True for each partition to release, and its noisy number of units, both of shape (n,). The
        numbers of other partitions are not to be released.

    Raises:
        NoiseAfterForkError: The process was forked after this module loaded.
    """
    kept, noisy = _above_threshold(units, mechanism)
    return kept, noisy_units(noisy, mechanism)


def _above_threshold(
    units: npt.NDArray[np.int64], mechanism: ThresholdSelection
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    numbers = compared(units, mechanism)
    noisy = add_noise(numbers, mechanism.noise)
    return (numbers > 0) & (noisy >= threshold(mechanism)), noisy


def check_mechanism(mechanism: Mechanism) -> None:
    """Raises a ValueError when PyDP cannot draw from a mechanism, or not on whole numbers."""
    if isinstance(mechanism, AdditiveMechanism):
        _additive(mechanism)
    elif isinstance(mechanism, ThresholdSelection):
        _additive(mechanism.noise)
        threshold(mechanism)
    else:
        _selection(mechanism)


def noise_scale(mechanism: AdditiveMechanism) -> float:
    """Returns the scale parameter: the diversity of Laplace noise, the sigma of Gaussian noise."""
    pydp = _additive(mechanism)
    return float(pydp.diversity if mechanism.noise == "laplace" else pydp.std)


def noise_std(mechanism: AdditiveMechanism) -> float:
    """Returns the standard deviation of the noise, in the unit of the metric's integers.

    Rounding to whole numbers adds 1 / 12 to the variance of noise of a large scale (W. F. Sheppard,
    1897). For a small scale, the variance of a whole number N is the sum over k = 1, 2, ... of
    (2 k - 1) P(|N| >= k), and |N| >= k when the noise was beyond k - 1 / 2 before rounding.
    """
    scale = noise_scale(mechanism)
    if scale < _SMALL_SCALE:
        steps = range(1, 50 * _SMALL_SCALE)
        variance = sum((2 * k - 1) * _tail(mechanism.noise, scale, k - 0.5) for k in steps)
    else:
        variance = (2 if mechanism.noise == "laplace" else 1) * scale**2 + 1 / 12
    return math.sqrt(variance)


def half_width_95(mechanism: AdditiveMechanism) -> int:
    """Returns the smallest whole h such that the noise is within -h..h with probability 0.95.

    Before rounding, P(|X| > q) is exp(-q / b) for Laplace noise of diversity b, and 2 Phi(-q /
    sigma) for Gaussian noise. After it, |X| is at most h as long as it was at most h + 1 / 2.
    """
    scale = noise_scale(mechanism)
    quantile = scale * (math.log(20) if mechanism.noise == "laplace" else Z95)
    return max(0, math.ceil(quantile - 0.5))


def release_probability(mechanism: SelectionMechanism, units: int) -> float:
    """Returns the probability that a partition of so many privacy units is released.

    For weighted Gaussian selection, each unit is taken to have L0 partitions.
    """
    if isinstance(mechanism, ThresholdSelection):
        return threshold_probability(mechanism, units)
    return float(_selection(mechanism).probability_of_keep(units))


def _tail(noise: NoiseKind, scale: float, distance: float) -> float:
    """Returns the probability that noise before rounding is beyond a distance on either side."""
    if noise == "laplace":
        return math.exp(-distance / scale)
    return math.erfc(distance / (scale * math.sqrt(2)))


class _Additive(Protocol):
    diversity: float
    std: float

    def add_noise(self, value: int) -> int: ...


@lru_cache(maxsize=1024)
def _additive(mechanism: AdditiveMechanism) -> _Additive:
    """Returns PyDP's mechanism of exactly the planned scale.

    Laplace noise is asked for by epsilon, which PyDP keeps to; it divides the sensitivity by it.
    """
    pydp: Any
    _check_scale(mechanism.scale)
    with _in_range(f"the noise scale {mechanism.scale:.3g} is", "another scale"):
        loss = mechanism.loss
        if isinstance(loss, LaplaceLoss):
            pydp = LaplaceMechanism(loss.epsilon, mechanism.l1)
            scale = pydp.diversity
        else:
            pydp = GaussianMechanism.create_from_standard_deviation(mechanism.scale)
            scale = pydp.std
    _check_scale(scale)
    return pydp  # type: ignore[no-any-return]


def _check_scale(scale: float) -> None:
    if not scale <= MAX_NOISE_SCALE:
        raise ValueError(
            f"the noise scale is {scale:.3g}; allowed: at most {MAX_NOISE_SCALE:.3g}; "
            "choose a coarser granularity or more epsilon"
        )


@lru_cache(maxsize=1024)
def _selection(mechanism: GeometricSelection) -> Any:
    optional = [] if mechanism.pre_threshold is None else [mechanism.pre_threshold]
    what = f"epsilon {mechanism.epsilon:.3g} and delta {mechanism.delta:.3g} are"
    with _in_range(what, "more of them"):
        return create_partition_strategy(
            mechanism.strategy,
            mechanism.epsilon,
            mechanism.drawn_delta,
            mechanism.l0 * mechanism.changed,
            *optional,
        )


@contextmanager
def _in_range(what: str, allowed: str) -> Iterator[None]:
    """Turns PyDP's refusal of parameters into a ValueError."""
    try:
        yield
    except RuntimeError as error:
        raise ValueError(f"{what} out of the range of the mechanism; allowed: {allowed}") from error


def _refuse_fork() -> None:
    if _forked:
        raise NoiseAfterForkError(
            "noise was asked for in a forked process, where the generator repeats its parent's "
            "draws; start workers with exec or multiprocessing's 'spawn'"
        )
