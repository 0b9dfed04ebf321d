"""The budget of a release, and how a number is divided by shares.

Whatever adds up under composition is divided so: pure epsilons, deltas of failures and rho
(`transforms.accounting.calibration`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

Name = TypeVar("Name")


@dataclass(frozen=True)
class Budget:
    """Privacy loss of one release.

    Attributes:
        epsilon: Largest privacy loss.
        delta: Probability with which the loss may be larger; 0 only without private selection
            and Gaussian noise.

    Raises:
        ValueError: A number is outside its range.
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise ValueError(f"epsilon is {self.epsilon}; allowed: a finite number above 0")
        _check_delta(self.delta)


@dataclass(frozen=True)
class ZcdpBudget:
    """Privacy loss of one release as zero-concentrated differential privacy.

    M. Bun and T. Steinke, *Concentrated Differential Privacy*, 2016, definition 1.1, and 8.1 for
    the delta.

    Attributes:
        rho: zCDP of the release.
        delta: Probability of failures, for private selection; 0 for none.

    Raises:
        ValueError: A number is outside its range.
    """

    rho: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rho) and self.rho > 0):
            raise ValueError(f"rho is {self.rho}; allowed: a finite number above 0")
        _check_delta(self.delta)


AnyBudget = Budget | ZcdpBudget


def split(total: float, shares: Mapping[Name, float | Fraction]) -> dict[Name, float]:
    """Divides a total in proportion to shares.

    Args:
        total: Epsilon, delta or rho of the whole.
        shares: Positive share per name.

    Returns:
        The part of each name. Each is rounded down, so that their exact sum is at most the total.
    """
    whole = sum(Fraction(share) for share in shares.values())
    return {
        name: _round_down(Fraction(total) * Fraction(share) / whole)
        for name, share in shares.items()
    }


def _check_delta(value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"delta is {value}; allowed: from 0, below 1")


def _round_down(value: Fraction) -> float:
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, 0.0)
