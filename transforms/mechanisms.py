"""The mechanisms of a release as plain data, for a plan to list and an accountant to price."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from transforms.bounds import is_whole
from transforms.sensitivity import Sensitivity

MAX_EPSILON = 300
"""Largest epsilon of one mechanism: beyond it PyDP's formulas overflow, and noise vanishes."""

MAX_PRE_THRESHOLD = 2**31 - 1
"""Largest pre-threshold that PyDP takes."""

NoiseKind = Literal["laplace", "gaussian"]
SelectionStrategy = Literal["truncated_geometric", "laplace", "gaussian", "weighted_gaussian"]


@dataclass(frozen=True)
class AdditiveMechanism:
    """Integer noise added to one kind of number in every released partition.

    Attributes:
        noise: Distribution of the noise.
        epsilon: Privacy loss of the mechanism.
        delta: Failure probability of the mechanism; 0 for Laplace.
        l0: Numbers that neighbouring data sets change.
        linf: Largest change of one of them, in rows, units or granules.
        total: Largest sum of the absolute changes; None for l0 * linf.
        squares: Largest sum of the squared changes; None for what follows from the others.
    """

    noise: NoiseKind
    epsilon: float
    delta: float
    l0: int
    linf: int
    total: int | None = None
    squares: int | None = None

    def __post_init__(self) -> None:
        check_noise_kind(self.noise)
        _check_budget(self.epsilon, self.delta, needs_delta=self.noise == "gaussian")

    @property
    def sensitivity(self) -> Sensitivity:
        """The change between neighbouring data sets."""
        return Sensitivity(self.l0, self.linf, self.total, self.squares)

    @property
    def l1(self) -> float:
        """Sensitivity of the vector of all numbers in the L1 norm, rounded up."""
        return self.sensitivity.l1

    @property
    def l2(self) -> float:
        """Sensitivity of the vector of all numbers in the L2 norm, rounded up."""
        return self.sensitivity.l2

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields and the derived sensitivities as JSON values."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return {"kind": self.noise, **fields, "l1": self.l1, "l2": self.l2}


@dataclass(frozen=True)
class SelectionMechanism:
    """Private choice of the partitions to release, from their numbers of privacy units.

    Attributes:
        strategy: How the choice is made.
        epsilon: Privacy loss of the choice.
        delta: Probability that a partition of one single unit shows, over all its partitions.
        l0: Partitions that one privacy unit can change.
        pre_threshold: Partitions with fewer units are never released; None for no such rule.
        changed: Privacy units in which neighbouring data sets differ: 1, or 2 for `replace`.
    """

    strategy: SelectionStrategy
    epsilon: float
    delta: float
    l0: int
    pre_threshold: int | None = None
    changed: int = 1

    def __post_init__(self) -> None:
        check_selection_strategy(self.strategy)
        check_pre_threshold(self.pre_threshold, self.strategy)
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


def check_pre_threshold(value: int | None, strategy: SelectionStrategy) -> None:
    """Raises a ValueError when a pre-threshold cannot be used with a selection strategy."""
    if value is None:
        return
    if not (is_whole(value) and 1 <= value <= MAX_PRE_THRESHOLD):
        raise ValueError(
            f"pre_threshold is {value!r}; allowed: a whole number from 1 to {MAX_PRE_THRESHOLD}"
        )
    if strategy == "weighted_gaussian":
        raise ValueError(
            f"pre_threshold is {value}, but {strategy} does not count whole units; "
            "allowed: another strategy, or no pre_threshold"
        )


def _check_budget(epsilon: float, delta: float, *, needs_delta: bool) -> None:
    if not 0 < epsilon <= MAX_EPSILON:
        raise ValueError(
            f"epsilon is {epsilon} for one mechanism; allowed: above 0, at most {MAX_EPSILON}"
        )
    if not 0 <= delta < 1 or (needs_delta and delta == 0):
        raise ValueError(
            f"delta is {delta}; allowed: {'above' if needs_delta else 'from'} 0, below 1"
        )
