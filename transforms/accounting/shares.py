"""The shares of a budget with which the summed squared error is smallest.

With the share s of a budget, a mechanism has more noise than it would have with all of it:

- `squares`: the variance is divided by s. So it is for Gaussian noise, whose squares of mu are
  divided by the shares (`transforms.accounting.calibration`), and for every noise under a budget of
  rho.
- `linear`: the standard deviation is divided by s. So it is for Laplace noise, whose epsilons are
  divided by the shares.

Let a be the errors with the whole budget each. By the method of Lagrange, the sum of a^2 / s^p over
shares that add up to 1 is smallest where all a^2 / s^(p + 1) are equal: s is proportional to a
for `squares` (p = 1), and to a^(2/3) for `linear` (p = 2). The sum is convex in s, so that is the
only minimum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

ShareRule = Literal["squares", "linear"]

LARGEST_ERROR = 1e100
"""Errors are from one over this to this: shares that add up to 1 are then all above 0."""

_EXPONENT: dict[ShareRule, float] = {"squares": 1.0, "linear": 2 / 3}


def optimal_shares(errors: Mapping[str, float], rule: ShareRule) -> dict[str, float]:
    """Returns the shares with which the sum of the squared errors is smallest.

    Args:
        errors: Relative standard deviation that each mechanism would have alone, with the whole
            budget.
        rule: How a share changes an error.

    Returns:
        Shares by the same names, in the same order, which add up to 1.

    Raises:
        ValueError: There are no errors, one is not from 1e-100 to 1e100, or the rule is unknown.
    """
    if rule not in get_args(ShareRule):
        raise ValueError(f"rule is {rule!r}; allowed: {', '.join(get_args(ShareRule))}")
    _check(errors)
    largest = max(errors.values())
    parts = {name: (error / largest) ** _EXPONENT[rule] for name, error in errors.items()}
    whole = math.fsum(parts.values())
    return {name: part / whole for name, part in parts.items()}


def _check(errors: Mapping[str, float]) -> None:
    if not errors:
        raise ValueError("there are no errors; allowed: one or more")
    for name, error in errors.items():
        if not 1 / LARGEST_ERROR <= error <= LARGEST_ERROR:
            raise ValueError(
                f"the error of {name} is {error}; allowed: from {1 / LARGEST_ERROR:g} "
                f"to {LARGEST_ERROR:g}"
            )
