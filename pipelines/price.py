"""What a release costs, as JSON values and in words."""

from __future__ import annotations

from typing import Any

from transforms.accounting import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
)
from transforms.accounting.losses import failure
from transforms.mechanisms import Mechanism, ThresholdSelection
from transforms.noise import noise_std
from transforms.planning import ReleaseCost
from transforms.threshold_selection import granules

_METHODS = {
    "gaussian": "exact formula for Gaussian noise",
    "sum": "sum",
    "distribution": "privacy loss distributions",
    "closed_form": "closed formulas, as delta is too small for distributions",
}


def price_to_dict(cost: ReleaseCost) -> dict[str, Any]:
    """Returns the price of a release as JSON values.

    `epsilon` is from above, at `delta`; `lower` and `upper` are bounds of it by formulas that share
    no code with it; `failed` is the part of delta that selections have; `used` is the part of the
    budget's epsilon.
    """
    price = cost.price
    return {
        "epsilon": price.epsilon,
        "delta": price.delta,
        "method": price.method,
        "lower": price.lower,
        "upper": price.upper,
        "upper_bounds": price.upper_bounds,
        "rho": price.rho,
        "failed": price.failed,
        "used": cost.used,
    }


def price_in_words(cost: ReleaseCost) -> str:
    """Returns one sentence about the price."""
    price = cost.price
    epsilon, low, high = (f"{bound:.4g}" for bound in (price.epsilon, price.lower, price.upper))
    check = "formulas say the same" if epsilon == low == high else f"formulas say {low} to {high}"
    return (
        f"costs epsilon {epsilon} at delta {price.delta:g} "
        f"({_METHODS[price.method]}; {check}), of the budget {cost.budget.epsilon:g}"
    )


def loss_in_words(mechanism: Mechanism) -> str:
    """Returns the losses of one mechanism: epsilon, or mu of Gaussian noise, and its delta."""
    return ", ".join(_loss_in_words(loss) for loss in mechanism.losses)


def noise_in_words(selection: Mechanism) -> str:
    """Returns the standard deviation of a selection's noise in units, or nothing."""
    if not isinstance(selection, ThresholdSelection):
        return ""
    return f"{noise_std(selection.noise) / granules(selection):.4g}"


def _loss_in_words(loss: Loss) -> str:
    match loss:
        case LaplaceLoss():
            return f"epsilon {loss.epsilon:.4g}"
        case GaussianLoss():
            return f"mu {loss.mu:.4g}"
        case FailureLoss():
            return f"delta {loss.delta:.3g}"
        case ApproximateLoss():
            return f"epsilon {loss.epsilon * loss.times:.4g}, delta {failure([loss]):.3g}"
