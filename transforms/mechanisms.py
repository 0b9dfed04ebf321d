"""The mechanisms of a release as plain data, for a plan to list and an accountant to price."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from transforms.metrics import is_whole

MAX_EPSILON = 300
"""Largest epsilon of one mechanism: beyond it PyDP's formulas overflow, and noise vanishes."""

MAX_PRE_THRESHOLD = 2**31 - 1
"""Largest pre-threshold that PyDP takes."""

NoiseKind = Literal["laplace", "gaussian"]
SelectionStrategy = Literal["truncated_geometric", "laplace", "gaussian"]


@dataclass(frozen=True)
class AdditiveMechanism:
    """Integer noise added to one metric in every released partition.

    Attributes:
        noise: Distribution of the noise.
        epsilon: Privacy loss of the mechanism.
        delta: Failure probability of the mechanism; 0 for Laplace.
        l0: Partitions that one privacy unit can change.
        linf: Largest change in one partition, in rows, units or granules.
    """

    noise: NoiseKind
    epsilon: float
    delta: float
    l0: int
    linf: int

    def __post_init__(self) -> None:
        check_noise_kind(self.noise)
        _check_budget(self.epsilon, self.delta, needs_delta=self.noise == "gaussian")

    @property
    def l1(self) -> float:
        """Sensitivity of the vector of all partitions in the L1 norm, rounded up."""
        return _at_least(self.l0 * self.linf, power=1)

    @property
    def l2(self) -> float:
        """Sensitivity of the vector of all partitions in the L2 norm, rounded up."""
        return _at_least(self.l0 * self.linf**2, power=2)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields and the derived sensitivities as JSON values."""
        return {"kind": self.noise, **asdict(self), "l1": self.l1, "l2": self.l2}


@dataclass(frozen=True)
class SelectionMechanism:
    """Private choice of the partitions to release, from their numbers of privacy units.

    Attributes:
        strategy: How the choice is made.
        epsilon: Privacy loss of the choice.
        delta: Probability that a partition of one single unit shows, over all its partitions.
        l0: Partitions that one privacy unit can change.
        pre_threshold: Partitions with fewer units are never released; None for no such rule.
    """

    strategy: SelectionStrategy
    epsilon: float
    delta: float
    l0: int
    pre_threshold: int | None = None

    def __post_init__(self) -> None:
        check_selection_strategy(self.strategy)
        check_pre_threshold(self.pre_threshold)
        _check_budget(self.epsilon, self.delta, needs_delta=True)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {"kind": f"{self.strategy}_selection", **asdict(self)}


Mechanism = AdditiveMechanism | SelectionMechanism


def check_noise_kind(value: str) -> None:
    """Raises a ValueError when a value names no distribution of noise."""
    if value not in get_args(NoiseKind):
        raise ValueError(f"noise is {value!r}; allowed: {', '.join(get_args(NoiseKind))}")


def check_selection_strategy(value: str) -> None:
    """Raises a ValueError when a value names no way to choose partitions."""
    if value not in get_args(SelectionStrategy):
        raise ValueError(
            f"selection strategy is {value!r}; allowed: {', '.join(get_args(SelectionStrategy))}"
        )


def check_pre_threshold(value: int | None) -> None:
    """Raises a ValueError when a pre-threshold is neither None nor a count of privacy units."""
    if value is not None and not (is_whole(value) and 1 <= value <= MAX_PRE_THRESHOLD):
        raise ValueError(
            f"pre_threshold is {value!r}; allowed: a whole number from 1 to {MAX_PRE_THRESHOLD}"
        )


def _at_least(value: int, *, power: int) -> float:
    """Returns a float, at most the next above the root, whose power is at least the value."""
    root = float(value) if power == 1 else math.sqrt(value)
    while Fraction(root) ** power < value:
        root = math.nextafter(root, math.inf)
    return root


def _check_budget(epsilon: float, delta: float, *, needs_delta: bool) -> None:
    if not 0 < epsilon <= MAX_EPSILON:
        raise ValueError(
            f"epsilon is {epsilon} for one mechanism; allowed: above 0, at most {MAX_EPSILON}"
        )
    if not 0 <= delta < 1 or (needs_delta and delta == 0):
        raise ValueError(
            f"delta is {delta}; allowed: {'above' if needs_delta else 'from'} 0, below 1"
        )
