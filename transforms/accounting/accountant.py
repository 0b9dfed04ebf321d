"""The price of a complete release, found in two ways that must agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transforms.accounting import closed_form, reference
from transforms.accounting.losses import Loss, failure

TOLERANCE = 1e-3
"""How far the reference may be above the least upper bound, as a part of it: its grid is coarse."""

ROUNDING = 1e-6
"""How far the reference may be below the greatest lower bound: only by the rounding of floats."""

NEGLIGIBLE = 1e-8
"""Differences in epsilon that are not looked at; floats have no digits for less."""

Method = Literal["gaussian", "sum", "distribution", "closed_form"]


class AccountingError(RuntimeError):
    """The reference price and the formulas disagree, so neither is to be trusted."""


@dataclass(frozen=True)
class Price:
    """What a release costs.

    Attributes:
        epsilon: Price at `delta`, from above.
        delta: Delta that it is stated for.
        lower: Greatest lower bound of epsilon by formula.
        upper: Least upper bound of epsilon by formula.
        method: How epsilon was found: an exact formula for Gaussian noise, a sum, privacy loss
            distributions, or, where delta is too small for these, `upper` itself.
        upper_bounds: Every upper bound by the name of its theorem.
        rho: zCDP, apart from failures.
        failed: Probability of failures; the release is `failed`-approximate `rho`-zCDP.
    """

    epsilon: float
    delta: float
    lower: float
    upper: float
    method: Method
    upper_bounds: dict[str, float]
    rho: float
    failed: float


def price(losses: Sequence[Loss], delta: float) -> Price:
    """Prices the composition of all losses of a release, selection included.

    Args:
        losses: Losses of the complete release.
        delta: From 0, below 1.

    Returns:
        The price; its epsilon is infinite where nothing finite holds at this delta.

    Raises:
        ValueError: A number is outside its range.
        AccountingError: The reference is below what is known to be lost, or above what is known to
            be enough.
    """
    epsilon = reference.epsilon_for_delta(losses, delta)
    bounds = closed_form.upper_bounds(losses, delta)
    upper = min(bounds.values())
    lower = max(closed_form.lower_bounds(losses, delta).values())
    rho = closed_form.rho(losses)
    method = reference.method(losses, delta)
    if method == "basic":
        epsilon = upper
    check_agreement(epsilon, lower, upper, rho)
    return Price(
        epsilon=epsilon,
        delta=delta,
        lower=lower,
        upper=upper,
        method="closed_form" if method == "basic" else method,
        upper_bounds=bounds,
        rho=rho,
        failed=failure(losses),
    )


def check_agreement(epsilon: float, lower: float, upper: float, rho: float) -> None:
    """Raises an AccountingError when a price is not between its bounds.

    Args:
        epsilon: Reference price.
        lower: Lower bound.
        upper: Upper bound.
        rho: zCDP of the release: sqrt(2 rho), about the standard deviation of the loss, gives the
            size that a price near 0 is compared with.
    """
    scale = math.sqrt(2 * rho)
    if lower == upper == epsilon:
        return
    if not epsilon >= lower - ROUNDING * (lower + scale) - NEGLIGIBLE:
        raise AccountingError(
            f"the reference price is epsilon {epsilon}, but at least {lower} is lost"
        )
    if not epsilon <= upper + TOLERANCE * (upper + scale) + NEGLIGIBLE:
        raise AccountingError(
            f"the reference price is epsilon {epsilon}, but {upper} is known to be enough"
        )
