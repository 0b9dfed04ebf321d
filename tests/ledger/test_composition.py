"""What releases cost together: as the accountant says, never less, and soon."""

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import ONE_OF_EACH

from pipelines.ledger.composition import (
    MOST_DIFFERENT,
    RhoBudget,
    composed,
    epsilon_at,
    fits,
    quick_epsilon,
    rho_and_failure,
    scaled,
)
from transforms.accounting import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    price,
)
from transforms.accounting.closed_form import lower_bounds, rho
from transforms.accounting.losses import failure
from transforms.budget import Budget

FLAT = [loss for mechanism in ONE_OF_EACH for loss in mechanism]
WEEKLY = [
    *(GaussianLoss(0.02 + 0.003 * number) for number in range(4)),
    *(LaplaceLoss(0.004 * number) for number in range(1, 5)),
    ApproximateLoss(0.002, 1e-11, 8),
    FailureLoss(1e-11),
]


@pytest.mark.parametrize("times", [1, 2, 30])
def test_the_price_is_the_accountants(times):
    losses = FLAT * times
    expected = price(losses, 1e-6)
    found = epsilon_at(composed(losses), 1e-6)
    assert found == pytest.approx(min(expected.epsilon, expected.upper), rel=1e-6)
    assert found <= quick_epsilon(composed(losses), 1e-6)
    assert rho_and_failure(composed(losses)) == (rho(losses), failure(losses))


def test_composition_is_at_most_the_sum_and_far_less_for_many():
    alone = epsilon_at(composed(FLAT), 1e-6)
    for times in (2, 10, 50):
        together = epsilon_at(composed(FLAT * times), times * 1e-6)
        assert alone < together <= times * alone
    assert together < 0.5 * times * alone


def test_the_order_of_losses_does_not_matter():
    assert composed(FLAT * 2) == composed(reversed(FLAT * 2))


def test_nothing_costs_nothing():
    assert epsilon_at((), 0.0) == quick_epsilon((), 0.0) == 0
    assert fits((), Budget(1e-9))
    assert fits((), RhoBudget(1e-9))


epsilons = st.floats(0.01, 1.0)
small = st.one_of(
    epsilons.map(LaplaceLoss),
    epsilons.map(GaussianLoss),
    st.builds(ApproximateLoss, epsilons, st.just(1e-9), st.integers(1, 3)),
    st.just(FailureLoss(1e-9)),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(small, min_size=1, max_size=6))
def test_the_boundary_is_exact_for_epsilon(losses):
    """A budget that is just the price is enough; the next smaller float is not."""
    together = composed(losses)
    epsilon = epsilon_at(together, 1e-6)
    if epsilon == 0:
        return
    assert fits(together, Budget(epsilon, 1e-6))
    assert not fits(together, Budget(math.nextafter(epsilon, 0), 1e-6))


@given(st.lists(small, min_size=1, max_size=6))
def test_the_boundary_is_exact_for_rho(losses):
    together = composed(losses)
    lost, failed = rho_and_failure(together)
    if lost == 0:
        return
    assert fits(together, RhoBudget(lost, failed))
    assert not fits(together, RhoBudget(math.nextafter(lost, 0), failed))
    if failed:
        assert not fits(together, RhoBudget(lost, math.nextafter(failed, 0)))


@given(st.lists(epsilons.map(LaplaceLoss), min_size=1, max_size=30))
def test_pure_epsilons_add_up_to_the_last_bit(losses):
    together = composed(losses)
    exact = sum(Fraction(loss.epsilon) for loss in losses)
    assert fits(together, Budget(epsilon_at(together, 0.0)))
    assert epsilon_at(together, 0.0) >= exact
    assert math.nextafter(epsilon_at(together, 0.0), 0) < exact


def test_too_little_delta_is_never_enough():
    losses = composed([LaplaceLoss(0.1), FailureLoss(1e-6)])
    assert epsilon_at(losses, 1e-7) == math.inf
    assert not fits(losses, Budget(1e9, 1e-7))
    assert not fits(losses, RhoBudget(1e9, 1e-7))


def test_what_formulas_cannot_state_is_never_enough():
    losses = composed([GaussianLoss(20.0)] * 2)
    assert epsilon_at(losses, 1e-6) == quick_epsilon(losses, 1e-6) == math.inf
    assert not fits(losses, Budget(1e9, 1e-6))


def test_many_different_epsilons_are_rounded_up_but_little():
    losses = [LaplaceLoss(0.01 + 0.0003 * number) for number in range(100)]
    losses += [ApproximateLoss(0.02 + 0.0001 * number, 0.0) for number in range(40)]
    assert len(set(losses)) > 2 * MOST_DIFFERENT
    found = epsilon_at(composed(losses), 1e-6)
    assert max(lower_bounds(losses, 1e-6).values()) <= found
    exact = price(losses, 1e-6).epsilon
    assert exact * (1 - 1e-6) <= found <= 1.05 * exact


def test_five_years_of_weekly_releases_are_priced_well_within_a_second():
    epsilon_at(composed(FLAT), 1e-6)
    five_years = composed(WEEKLY * 260)
    start = time.process_time()
    known = quick_epsilon(five_years, 1e-6)
    assert fits(five_years, Budget(known, 1e-6))
    assert not fits(five_years, Budget(known / 10, 1e-6))
    quick = time.process_time() - start
    start = time.process_time()
    exact = epsilon_at(five_years, 1e-6)
    assert not fits(five_years, Budget(math.nextafter(exact, 0), 1e-6))
    slow = time.process_time() - start
    assert exact < known
    assert quick < 1
    assert slow < 3


def test_scaling_keeps_proportions_and_failures():
    half = scaled(ONE_OF_EACH, 0.5)
    assert half == (
        (GaussianLoss(0.05),),
        (LaplaceLoss(0.035),),
        (ApproximateLoss(0.025, 1e-10, 4),),
        (LaplaceLoss(0.015), FailureLoss(1e-10)),
    )
    assert scaled(ONE_OF_EACH, 1.0) == ONE_OF_EACH
