"""What a release costs, as JSON values and in words."""

from __future__ import annotations

from typing import Any

from transforms.accounting import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    Price,
)
from transforms.accounting.losses import failure
from transforms.budget import Budget
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
    budget's epsilon or rho. A budget of rho has a list of these, `at_deltas`.
    """
    if isinstance(cost.budget, Budget):
        return {**_price_to_dict(cost.prices[0]), "used": cost.used}
    first = cost.prices[0]
    at_deltas = [_price_to_dict(price) for price in cost.prices]
    return {"rho": first.rho, "failed": first.failed, "at_deltas": at_deltas, "used": cost.used}


def _price_to_dict(price: Price) -> dict[str, Any]:
    return {
        "epsilon": price.epsilon,
        "delta": price.delta,
        "method": price.method,
        "lower": price.lower,
        "upper": price.upper,
        "upper_bounds": price.upper_bounds,
        "rho": price.rho,
        "failed": price.failed,
    }


def price_in_words(cost: ReleaseCost) -> str:
    """Returns one sentence about the price."""
    if isinstance(cost.budget, Budget):
        price = cost.prices[0]
        return f"costs {_in_words(price)} ({_known(price)}), of the budget {cost.budget.epsilon:g}"
    failed = f" and delta {cost.budget.delta:g}" if cost.budget.delta else ""
    converted = ", or ".join(map(_in_words, cost.prices))
    return (
        f"costs rho {cost.prices[0].rho:.4g} of the budget {cost.budget.rho:g}{failed}, that is "
        f"{converted} ({_known(cost.prices[0])})"
    )


def _in_words(price: Price) -> str:
    return f"epsilon {price.epsilon:.4g} at delta {price.delta:g}"


def _known(price: Price) -> str:
    """Returns how a price was found, and what the formulas say."""
    epsilon, low, high = (f"{bound:.4g}" for bound in (price.epsilon, price.lower, price.upper))
    check = "formulas say the same" if epsilon == low == high else f"formulas say {low} to {high}"
    return f"{_METHODS[price.method]}; {check}"


def price_method(name: str) -> str:
    """Returns how a price was found, in words: the `method` of a price."""
    return _METHODS[name]


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
