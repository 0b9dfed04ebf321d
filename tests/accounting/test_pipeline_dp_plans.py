"""Plans that PipelineDP's own accountant overspends cost us what was declared.

Its accountant has no branch for truncated geometric selection, so it composes the mechanism before
once more, and hands the selection an epsilon and a delta that nobody priced.
"""

import math
from functools import cache

import pytest
from pipeline_dp.aggregate_params import MechanismType
from pipeline_dp.budget_accounting import PLDBudgetAccountant

from transforms.accounting import (
    ApproximateLoss,
    Demand,
    GaussianLoss,
    LaplaceLoss,
    calibrate,
    price,
)
from transforms.accounting.losses import failure
from transforms.budget import Budget

DECLARED = Budget(1.0, 1e-6)


@cache
def chosen(kind, counts, weight):
    """The losses of counts, each with its selection, as PipelineDP divides the budget."""
    accountant = PLDBudgetAccountant(DECLARED.epsilon, DECLARED.delta, pld_discretization=1e-3)
    noise = MechanismType.GAUSSIAN if kind == "gaussian" else MechanismType.LAPLACE
    specs = []
    for _ in range(counts):
        count = accountant.request_budget(noise, weight=weight)
        specs.append((count, accountant.request_budget(MechanismType.TRUNCATED_GEOMETRIC)))
    accountant.compute_budgets()
    losses = []
    for count, selection in specs:
        deviation = count.noise_standard_deviation
        losses += [
            GaussianLoss(1 / deviation)
            if kind == "gaussian"
            else LaplaceLoss(math.sqrt(2) / deviation),
            ApproximateLoss(selection.eps, selection.delta),
        ]
    return losses


OVERSPENT = [
    ("gaussian", 5, 1.0, 1.121, 5.3e-7),
    ("gaussian", 10, 1.0, 1.228, 7.5e-7),
    ("gaussian", 20, 1.0, math.inf, 1.06e-6),
    ("laplace", 20, 1.0, 1.075, 7.8e-7),
    ("laplace", 1, 0.5, 1.500, 1.0e-6),
    ("gaussian", 1, 0.1, math.inf, 2.4e-6),
    ("laplace", 1, 0.1, math.inf, 5.0e-6),
]
PLANS = [*OVERSPENT, ("gaussian", 1, 1.0, 0.914, 2.4e-7), ("laplace", 1, 1.0, 1.000, 5.0e-7)]


@pytest.mark.parametrize(("kind", "counts", "weight", "true", "deltas"), PLANS)
def test_what_pipeline_dp_chooses_has_the_price_that_was_measured(
    kind, counts, weight, true, deltas
):
    losses = chosen(kind, counts, weight)
    assert price(losses, DECLARED.delta).epsilon == pytest.approx(true, abs=1e-3)
    assert failure(losses) == pytest.approx(deltas, rel=0.03)


@pytest.mark.parametrize(("kind", "counts", "weight", "true", "deltas"), OVERSPENT)
def test_more_than_was_declared_is_noticed(kind, counts, weight, true, deltas):
    assert price(chosen(kind, counts, weight), DECLARED.delta).epsilon > 1.07 * DECLARED.epsilon


@pytest.mark.parametrize(("kind", "counts", "weight", "true", "deltas"), PLANS)
def test_the_same_plans_cost_what_was_declared_when_we_choose(kind, counts, weight, true, deltas):
    demands = [
        demand
        for i in range(counts)
        for demand in (
            Demand(f"count{i}", kind, weight),
            Demand(f"selection{i}", "truncated_geometric", 1.0),
        )
    ]
    found = calibrate(demands, DECLARED)
    paid = price([found.losses[demand.name] for demand in demands], DECLARED.delta)
    assert 0.995 * DECLARED.epsilon <= paid.epsilon <= DECLARED.epsilon
