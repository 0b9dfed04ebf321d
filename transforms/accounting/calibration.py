"""The losses that a budget buys: the whole release costs the budget, and not more.

How a budget is divided:

- Every mechanism has a share of epsilon. All Gaussian noise is one mechanism with the shares of its
  parts added up; inside it, the squares of mu are divided by the shares, as squares add up.
- With delta 0, epsilons are divided by the shares as they are.
- With a delta, the composition costs less than the sum, so the epsilons to divide are scaled up
  together until the price is the budget.
- With rho, each mechanism gets its share of rho.

How delta is divided: thresholds and selections get a fixed part, by their shares, and the noise
what is left. With Gaussian noise that part is 1/4: noise then grows by about ln(4/3) / (2
ln(1/delta)), less than 1 % at delta 1e-8, while thresholds depend on delta in the same weak way.
Without Gaussian noise it is 9/10, as delta serves nothing else but the saving by composition. Under
a budget of rho all of delta is for failures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from transforms.accounting.accountant import AccountingError, Price, price
from transforms.accounting.closed_form import rho as rho_of
from transforms.accounting.gaussian import gaussian_mu
from transforms.accounting.losses import (
    MAX_EPSILON,
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    failure,
    largest_geometric_epsilon,
    room_for_noise,
    truncated_geometric_loss,
)
from transforms.budget import AnyBudget, Budget, ZcdpBudget, split

FAILURES_BESIDE_GAUSSIAN = 0.25
"""Part of delta that thresholds and selections get beside Gaussian noise."""

FAILURES_ALONE = 0.9
"""Part of delta that they get without Gaussian noise."""

ENOUGH = 0.9995
"""The search stops when at least this part of the budget is used."""

_AIM = 0.9998
_SAFETY = 1 - 1e-9
_ATTEMPTS = 30

DemandKind = Literal["gaussian", "laplace", "truncated_geometric", "threshold"]


@dataclass(frozen=True)
class Demand:
    """One mechanism that wants a part of the budget.

    Attributes:
        name: Name of the mechanism.
        kind: Its distribution. `truncated_geometric` is PyDP's selection; `threshold` is
            the release of noisy numbers above a threshold, whose noise is a demand of its own.
        share: Share of the budget, against the other demands; of a threshold, share of the delta
            for failures.
        l0: Partitions that neighbouring data sets can change; only selection needs it.

    Raises:
        ValueError: A number or the kind is not allowed.
    """

    name: str
    kind: DemandKind
    share: float = 1.0
    l0: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(DemandKind):
            raise ValueError(f"kind is {self.kind!r}; allowed: {', '.join(get_args(DemandKind))}")
        if not (self.share > 0 and math.isfinite(self.share)):
            raise ValueError(f"share is {self.share}; allowed: a finite number above 0")
        if not (isinstance(self.l0, int) and self.l0 >= 1):
            raise ValueError(f"l0 is {self.l0!r}; allowed: a whole number of at least 1")

    @property
    def can_fail(self) -> bool:
        """Whether it needs a delta of its own."""
        return self.kind in ("truncated_geometric", "threshold")

    @property
    def is_noise(self) -> bool:
        """Whether it needs epsilon."""
        return self.kind != "threshold"


@dataclass(frozen=True)
class Calibration:
    """The losses that a budget buys.

    Attributes:
        losses: Loss of each demand by its name.
        used: Part of the budget's epsilon or rho that they use, at most 1.
        failures: Delta for failures, by the name of the demand that it is for.
        room: Delta that is left for noise; 0 under a budget of rho.
        price: Price at the budget's delta; None under a budget of rho.
        rho: zCDP, apart from failures.
    """

    losses: Mapping[str, Loss]
    used: float
    failures: Mapping[str, float]
    room: float
    price: Price | None
    rho: float


def calibrate(demands: Sequence[Demand], budget: AnyBudget) -> Calibration:
    """Finds the losses of all mechanisms of a release that use its budget up.

    Args:
        demands: Every mechanism of the release.
        budget: Pure epsilon, (epsilon, delta), or rho.

    Returns:
        Losses whose price, from above, is at most the budget. At least 99.5 % of it is used, unless
        one mechanism would need an epsilon above 300 or, for truncated geometric selection, above
        `largest_geometric_epsilon`, or Gaussian noise a mu above 25.

    Raises:
        ValueError: No demand for noise, a name twice, a demand that this budget has no delta for,
            or a loss outside its range.
        AccountingError: A price is not what two ways of finding it agree on, or even the sum of
            all parts is more than the budget.
    """
    _check(demands, budget)
    failing = {demand.name: demand.share for demand in demands if demand.can_fail}
    gaussian = any(demand.kind == "gaussian" for demand in demands)
    if isinstance(budget, ZcdpBudget):
        part = 1.0
    else:
        part = FAILURES_BESIDE_GAUSSIAN if gaussian else FAILURES_ALONE
    failures = split(part * budget.delta, failing) if failing else {}
    if isinstance(budget, ZcdpBudget):
        return _by_rho(demands, budget, failures)
    if budget.delta == 0:
        losses = _scaled(demands, budget.epsilon, failures, 0.0)
        return _calibration(losses, failures, 0.0, budget)
    failed = failure(FailureLoss(delta) for delta in failures.values())
    room = room_for_noise(budget.delta, failed)
    return _search(
        lambda scale: _scaled(demands, scale, failures, room),
        _largest_scale(demands, failures),
        failures,
        room,
        budget,
    )


def _largest_scale(demands: Sequence[Demand], failures: Mapping[str, float]) -> float:
    """Returns how much epsilon can be divided before one mechanism gets more than is allowed."""
    whole = math.fsum(demand.share for demand in demands if demand.is_noise)
    largest = [
        _largest_epsilon(demand, failures) * whole / demand.share
        for demand in demands
        if demand.is_noise and demand.kind != "gaussian"
    ]
    return min(largest) * _SAFETY if largest else math.inf


def _largest_epsilon(demand: Demand, failures: Mapping[str, float]) -> float:
    if demand.kind == "truncated_geometric":
        return largest_geometric_epsilon(failures[demand.name], demand.l0)
    return MAX_EPSILON


def _search(
    losses_at: Callable[[float], dict[str, Loss]],
    largest: float,
    failures: Mapping[str, float],
    room: float,
    budget: Budget,
) -> Calibration:
    """Raises the scale from the budget's epsilon, which is safe, until the price is the budget.

    Price and scale are compared on logarithmic axes, where their curve is nearly straight: from the
    best scale so far that costs at most the budget, towards the least that costs more. Every fourth
    attempt halves what is between them.
    """
    scale = budget.epsilon * _SAFETY**2
    best = _calibration(losses_at(scale), failures, room, budget)
    low = (math.log(scale), _log_used(best))
    high: tuple[float, float] | None = None
    for attempt in range(_ATTEMPTS):
        if best.used >= ENOUGH:
            break
        slope = (high[1] - low[1]) / (high[0] - low[0]) if high else 1.0
        step = (math.log(_AIM) - low[1]) / slope
        if high:
            width = high[0] - low[0]
            step = min(max(step, 0.02 * width), 0.98 * width) if attempt % 4 < 3 else width / 2
        at = min(low[0] + step, math.log(largest))
        if at <= low[0]:
            break
        tried = _calibration(losses_at(math.exp(at)), failures, room, budget)
        point = (at, _log_used(tried))
        if tried.used <= 1:
            best, low = tried, point
        else:
            high = point
    if best.used > 1:
        raise AccountingError(f"{best.used} of the budget would be used; allowed: at most 1")
    return best


def _log_used(tried: Calibration) -> float:
    """Returns the logarithm of the part used; a price of 0, where delta is large, as 1/1000."""
    return math.log(max(tried.used, 1e-3))


def _scaled(
    demands: Sequence[Demand], scale: float, failures: Mapping[str, float], room: float
) -> dict[str, Loss]:
    """Returns the losses when so much epsilon is divided by shares."""
    noisy = {demand.name: demand.share for demand in demands if demand.is_noise}
    epsilons = split(scale, noisy)
    shares = [demand.share for demand in demands if demand.kind == "gaussian"]
    together = math.fsum(shares)
    mu = 0.0
    if shares:
        mu = gaussian_mu(scale * together / math.fsum(noisy.values()), room) * _SAFETY
    return {
        demand.name: _loss(
            demand,
            epsilons.get(demand.name, 0.0),
            mu * math.sqrt(demand.share / together) if together else 0.0,
            failures.get(demand.name, 0.0),
        )
        for demand in demands
    }


def _by_rho(
    demands: Sequence[Demand], budget: ZcdpBudget, failures: Mapping[str, float]
) -> Calibration:
    noisy = {demand.name: demand.share for demand in demands if demand.is_noise}
    parts = split(budget.rho * _SAFETY, noisy)
    losses = {}
    for demand in demands:
        rho = parts.get(demand.name, 0.0)
        delta = failures.get(demand.name, 0.0)
        epsilon = 0.0
        if demand.kind != "gaussian" and rho:
            epsilon = _epsilon_of_rho(demand, rho, _largest_epsilon(demand, failures))
        losses[demand.name] = _loss(demand, epsilon, math.sqrt(2 * rho), delta)
    rho = rho_of(list(losses.values()))
    return Calibration(losses, rho / budget.rho, failures, 0.0, None, rho)


def _epsilon_of_rho(demand: Demand, rho: float, largest: float) -> float:
    """Returns the largest epsilon of a mechanism that costs at most rho."""

    def fits(epsilon: float) -> bool:
        if demand.kind == "laplace":
            return rho_of([LaplaceLoss(epsilon)]) <= rho
        return rho_of([ApproximateLoss(epsilon / demand.l0, 0.0, demand.l0)]) <= rho

    if largest > 0 and fits(largest):
        return largest
    low, high = 0.0, largest
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _loss(demand: Demand, epsilon: float, mu: float, delta: float) -> Loss:
    largest = float(MAX_EPSILON)
    if demand.kind == "truncated_geometric":
        largest = largest_geometric_epsilon(delta, demand.l0)
    if demand.kind in ("laplace", "truncated_geometric") and not 0 < epsilon <= largest:
        if largest == 0:
            raise ValueError(
                f"delta of {demand.name} is {delta:.3g}, too little for the rounding of "
                "truncated_geometric; allowed: more of it, or another selection"
            )
        another = "" if largest == MAX_EPSILON else ", with this delta; or another selection"
        raise ValueError(
            f"epsilon of {demand.name} is {epsilon:.4g}; allowed: above 0, at most {largest:.4g}"
            f"{another}"
        )
    match demand.kind:
        case "gaussian":
            return GaussianLoss(mu)
        case "laplace":
            return LaplaceLoss(epsilon)
        case "truncated_geometric":
            return truncated_geometric_loss(epsilon, delta, demand.l0)
        case "threshold":
            return FailureLoss(delta)


def _calibration(
    losses: Mapping[str, Loss], failures: Mapping[str, float], room: float, budget: Budget
) -> Calibration:
    paid = price(list(losses.values()), budget.delta)
    return Calibration(losses, paid.epsilon / budget.epsilon, failures, room, paid, paid.rho)


def _check(demands: Sequence[Demand], budget: AnyBudget) -> None:
    names = [demand.name for demand in demands]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is demanded {names.count(name)} times; allowed: once")
    if not any(demand.is_noise for demand in demands):
        raise ValueError("nothing adds noise; allowed: at least one mechanism that needs epsilon")
    for demand in demands:
        pure = isinstance(budget, Budget) and demand.kind == "gaussian"
        if budget.delta == 0 and (demand.can_fail or pure):
            raise ValueError(
                f"delta is 0, but {demand.name} ({demand.kind}) needs some; allowed: a delta "
                "above 0, or public keys with laplace noise"
            )
