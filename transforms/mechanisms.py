"""The mechanisms of a release as plain data, for a plan to list and an accountant to price."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, get_args

from transforms.accounting.losses import (
    MAX_EPSILON,
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    drawn_delta,
    largest_geometric_epsilon,
    truncated_geometric_loss,
)
from transforms.bounds import MAX_L0, is_whole
from transforms.sensitivity import Sensitivity

MAX_PRE_THRESHOLD = 2**31 - 1
"""Largest pre-threshold that PyDP takes."""

NoiseKind = Literal["laplace", "gaussian"]
SelectionStrategy = Literal["truncated_geometric", "laplace", "gaussian", "weighted_gaussian"]

AUTO: Final = "auto"
"""Stands for the kind of noise or selection with the smallest error (`transforms.automatic`)."""

NoiseChoice = Literal["auto", "laplace", "gaussian"]
SelectionChoice = Literal["auto", "truncated_geometric", "laplace", "gaussian", "weighted_gaussian"]

THRESHOLD_NOISE: Mapping[SelectionStrategy, NoiseKind] = {
    "laplace": "laplace",
    "gaussian": "gaussian",
    "weighted_gaussian": "gaussian",
}
"""Noise of each way to choose partitions by a threshold."""


@dataclass(frozen=True)
class AdditiveMechanism:
    """Integer noise added to one kind of number in every released partition.

    Attributes:
        noise: Distribution of the noise.
        scale: Diversity of Laplace noise or sigma of Gaussian noise, in the unit of `linf`.
        l0: Numbers that neighbouring data sets change.
        linf: Largest change of one of them, in rows, units or granules.
        total: Largest sum of the absolute changes; None for l0 * linf.
        squares: Largest sum of the squared changes; None for what follows from the others.

    Raises:
        ValueError: The noise has another name, or its scale is outside its range.
    """

    noise: NoiseKind
    scale: float
    l0: int
    linf: int
    total: int | None = None
    squares: int | None = None

    def __post_init__(self) -> None:
        check_noise_kind(self.noise)
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale is {self.scale}; allowed: a finite number above 0")
        _ = self.loss

    @classmethod
    def of(cls, loss: GaussianLoss | LaplaceLoss, moved: Sensitivity) -> Self:
        """Returns the mechanism with the smallest noise that loses no more than is allowed.

        Args:
            loss: What may be lost.
            moved: Sensitivity of the numbers.
        """
        gaussian = isinstance(loss, GaussianLoss)
        norm = moved.l2 if gaussian else moved.l1
        allowed = loss.mu if isinstance(loss, GaussianLoss) else loss.epsilon
        scale = norm / allowed
        while norm / scale > allowed:
            scale = math.nextafter(scale, math.inf)
        noise: NoiseKind = "gaussian" if gaussian else "laplace"
        return cls(noise, scale, moved.l0, moved.linf, moved.total, moved.squares)

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

    @property
    def loss(self) -> GaussianLoss | LaplaceLoss:
        """Privacy loss of the noise."""
        if self.noise == "laplace":
            return LaplaceLoss(self.l1 / self.scale)
        return GaussianLoss(self.l2 / self.scale)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All that the mechanism costs."""
        return (self.loss,)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, the derived sensitivities and the loss as JSON values."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return {
            "kind": self.noise,
            **fields,
            "l1": self.l1,
            "l2": self.l2,
            "loss": asdict(self.loss),
        }


@dataclass(frozen=True)
class GeometricSelection:
    """PyDP's choice of the partitions to release by a truncated geometric distribution.

    Attributes:
        epsilon: Privacy loss of the choice, over all partitions of a unit.
        delta: Probability that a partition of one single unit shows, over all its partitions, and
            what PyDP's rounding adds to it.
        l0: Partitions that one privacy unit can change.
        pre_threshold: Partitions with fewer units are never released; None for no such rule.
        changed: Privacy units in which neighbouring data sets differ: 1, or 2 for `replace`.

    Raises:
        ValueError: A number is outside its range.
    """

    epsilon: float
    delta: float
    l0: int
    pre_threshold: int | None = None
    changed: int = 1

    def __post_init__(self) -> None:
        check_pre_threshold(self.pre_threshold, self.strategy)
        _check_l0(self.l0 * self.changed)
        if not 0 < self.epsilon <= MAX_EPSILON:
            raise ValueError(
                f"epsilon is {self.epsilon} for one mechanism; "
                f"allowed: above 0, at most {MAX_EPSILON}"
            )
        _check_delta(self.delta)
        largest = largest_geometric_epsilon(self.delta, self.l0 * self.changed)
        if self.epsilon > largest:
            raise ValueError(
                f"epsilon is {self.epsilon:.4g} for {self.strategy} selection from {self.l0} "
                f"partitions with delta {self.delta:.3g}; allowed, for its rounding: at most "
                f"{largest:.4g}, more delta, or another selection"
            )

    @property
    def strategy(self) -> SelectionStrategy:
        """Name of the way to choose."""
        return "truncated_geometric"

    @property
    def drawn_delta(self) -> float:
        """What PyDP is told: delta without its rounding."""
        return drawn_delta(self.epsilon, self.delta, self.l0 * self.changed)

    @property
    def loss(self) -> ApproximateLoss:
        """Privacy loss of the choice."""
        return truncated_geometric_loss(self.epsilon, self.delta, self.l0 * self.changed)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All that the mechanism costs."""
        return (self.loss,)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields and the loss as JSON values."""
        return {"kind": f"{self.strategy}_selection", **asdict(self), "loss": asdict(self.loss)}


@dataclass(frozen=True)
class ThresholdSelection:
    """Release of the partitions whose noisy number or weight of privacy units is large enough.

    Attributes:
        strategy: What is compared with the threshold, and the noise on it.
        noise: The noise, in granules of a unit (`transforms.threshold_selection`).
        delta: Probability that any partition shows that only one unit has.
        l0: Partitions that one privacy unit can change.
        pre_threshold: Partitions with fewer units are never released; None for no such rule.

    Raises:
        ValueError: A number is outside its range, or the strategy has other noise.
    """

    strategy: SelectionStrategy
    noise: AdditiveMechanism
    delta: float
    l0: int
    pre_threshold: int | None = None

    def __post_init__(self) -> None:
        if THRESHOLD_NOISE.get(self.strategy) != self.noise.noise:
            allowed = ", ".join(f"{name} with {noise}" for name, noise in THRESHOLD_NOISE.items())
            raise ValueError(
                f"selection strategy is {self.strategy!r} with {self.noise.noise} noise; "
                f"allowed: {allowed}"
            )
        check_pre_threshold(self.pre_threshold, self.strategy)
        _check_l0(self.l0)
        _check_delta(self.delta)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All that the mechanism costs: its noise, and lone units that show."""
        return (self.noise.loss, FailureLoss(self.delta))

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        fields = {**asdict(self), "noise": self.noise.to_dict()}
        return {"kind": f"{self.strategy}_selection", **fields}


SelectionMechanism = GeometricSelection | ThresholdSelection
Mechanism = AdditiveMechanism | SelectionMechanism


def check_noise_kind(value: str) -> None:
    """Raises a ValueError when a value names no distribution of noise."""
    _check_name("noise", value, get_args(NoiseKind))


def check_noise_choice(value: str) -> None:
    """Raises a ValueError when a value is neither `auto` nor the name of a distribution."""
    _check_name("noise", value, (AUTO, *get_args(NoiseKind)))


def check_selection_choice(value: str) -> None:
    """Raises a ValueError when a value is neither `auto` nor names a way to choose partitions."""
    _check_name("selection strategy", value, (AUTO, *get_args(SelectionStrategy)))


def _check_name(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}; allowed: {', '.join(allowed)}")


def check_pre_threshold(value: int | None, strategy: SelectionChoice) -> None:
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


def _check_l0(l0: int) -> None:
    if not 1 <= l0 <= MAX_L0:
        raise ValueError(f"selection is from {l0} partitions of one unit; allowed: 1 to {MAX_L0}")


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; allowed: above 0, below 1")
