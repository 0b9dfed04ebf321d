"""Losses, conversions, and the formulas that check the reference."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydp.algorithms.partition_selection import create_partition_strategy

from transforms.accounting import (
    AccountingError,
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    price,
    truncated_geometric_loss,
)
from transforms.accounting.accountant import check_agreement
from transforms.accounting.closed_form import lower_bounds, rho, upper_bounds
from transforms.accounting.conversions import renyi_epsilon, simple_epsilon, tight_epsilon
from transforms.accounting.gaussian import gaussian_delta, gaussian_epsilon, gaussian_mu
from transforms.accounting.losses import failure, pure_sum, round_up

# Losses.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianLoss(0), r"mu of one mechanism is 0; allowed: above 0, at most 25"),
        (lambda: GaussianLoss(math.nan), "mu of one mechanism is nan"),
        (lambda: GaussianLoss(25.1), "mu of one mechanism is 25.1"),
        (lambda: LaplaceLoss(-1), "epsilon of one mechanism is -1; allowed: above 0, at most 300"),
        (lambda: LaplaceLoss(301), "epsilon of one mechanism is 301"),
        (lambda: ApproximateLoss(0, 0), "epsilon of one mechanism is 0"),
        (lambda: ApproximateLoss(1, 1), "delta of ApproximateLoss is 1; allowed: from 0, below 1"),
        (lambda: ApproximateLoss(1, 0, 0), "times is 0; allowed: a whole number of at least 1"),
        (lambda: ApproximateLoss(1, 0, 1.5), "times is 1.5"),
        (lambda: FailureLoss(-1e-9), "delta of FailureLoss is -1e-09; allowed: from 0, below 1"),
    ],
)
def test_a_number_out_of_range_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("l0", [1, 2, 7, 100])
def test_selection_is_split_over_partitions_as_pydp_splits_it(l0):
    epsilon, delta = 2 * math.log(2), 0.2
    loss = truncated_geometric_loss(epsilon, delta, l0)
    assert loss.times == l0
    assert loss.times * loss.epsilon == pytest.approx(epsilon)
    assert failure([loss]) == pytest.approx(delta, rel=1e-12)
    pydp = create_partition_strategy("truncated_geometric", epsilon, delta, l0)
    assert pydp.probability_of_keep(1) == pytest.approx(loss.delta, rel=1e-9)


def test_tiny_failures_do_not_get_lost():
    assert failure([FailureLoss(1e-30)] * 3) == pytest.approx(3e-30, rel=1e-12)
    assert failure([ApproximateLoss(1, 0.5, 2), FailureLoss(0.5)]) == pytest.approx(0.875)


def test_sums_are_exact_and_rounded_up():
    losses = [LaplaceLoss(0.1)] * 10
    assert pure_sum(losses) == 10 * Fraction(0.1)
    assert Fraction(round_up(pure_sum(losses))) >= 10 * Fraction(0.1) > 1


# The Gaussian curve.


def test_the_gaussian_curve_at_its_ends():
    assert gaussian_delta(2, 0) == pytest.approx(math.erf(1 / math.sqrt(2)))
    assert gaussian_delta(20, 0) == pytest.approx(1)
    assert gaussian_epsilon(1, 0.5) == 0
    assert gaussian_epsilon(1, 0) == math.inf
    assert gaussian_mu(1e4, 0.1) == 25


@given(mu=st.floats(1e-4, 24), log_delta=st.floats(-70, -1))
@settings(deadline=None, max_examples=100, database=None)
def test_the_inverses_of_the_gaussian_curve(mu, log_delta):
    delta = math.exp(log_delta)
    epsilon = gaussian_epsilon(mu, delta)
    if epsilon:
        assert gaussian_delta(mu, epsilon) <= delta
        assert gaussian_delta(mu, epsilon) == pytest.approx(delta, rel=1e-6)
        found = gaussian_mu(epsilon, delta)
        assert found == pytest.approx(mu, rel=1e-6)
        assert gaussian_delta(found, epsilon) <= delta


# Concentrated privacy.


def kullback_leibler(upper, lower):
    return float(np.sum(upper * np.log(upper / lower)))


@pytest.mark.parametrize("epsilon", [1e-5, 0.01, 0.5, 3, 30])
def test_rho_is_the_most_that_any_order_needs(epsilon):
    """Renyi divergence over order, of the pairs themselves, on a fine grid of outcomes."""
    response = np.array([math.exp(epsilon), 1]) / (1 + math.exp(epsilon))
    between = np.linspace(0, epsilon, 20_001)
    middle = (between[1:] + between[:-1]) / 2
    ends = (0.5, math.exp(-epsilon) / 2)
    upper = np.array([ends[0], *(np.exp(-between[:-1]) - np.exp(-between[1:])) / 2, ends[1]])
    loss = np.array([epsilon, *(epsilon - 2 * middle), -epsilon])
    for pair, exact in (
        ((response, np.log(response / response[::-1])), rho([ApproximateLoss(epsilon, 0)])),
        ((upper, loss), rho([LaplaceLoss(epsilon)])),
    ):
        weights, losses = pair
        for order in (1 + 1e-4, 1.1, 2, 5, 50, 1000):
            excess = order - 1
            top = float(np.max(excess * losses))
            log_mean = top + math.log(np.sum(weights * np.exp(excess * losses - top)))
            assert log_mean / excess / order <= exact * 1.001
        mean = float(np.sum(weights * losses))
        assert mean == pytest.approx(exact, rel=2e-3)
        assert exact <= epsilon**2 / 2 * (1 + 1e-9)


def test_rho_of_gaussian_noise_adds_up_and_failures_have_none():
    losses = [GaussianLoss(1), GaussianLoss(2), FailureLoss(1e-9)]
    assert rho(losses) == 2.5
    assert rho([ApproximateLoss(1, 1e-9, 3)]) == pytest.approx(3 * math.tanh(0.5))


@given(rho=st.floats(1e-4, 30), log_delta=st.floats(-60, -2))
@settings(deadline=None, max_examples=60, database=None)
def test_conversions_from_the_exact_to_the_simple(rho, log_delta):
    delta = math.exp(log_delta)
    exact = gaussian_epsilon(math.sqrt(2 * rho), delta)
    tight = tight_epsilon(rho, delta)
    assert exact <= tight * (1 + 1e-9)
    assert tight <= simple_epsilon(rho, delta)


def test_the_best_order_is_found():
    for concentrated, delta in ((0.81, 1e-10), (1e-4, 1e-12), (50, 1e-3)):
        tight = tight_epsilon(concentrated, delta)
        orders = 1 + np.exp(np.linspace(-12, 20, 200_000))
        terms = concentrated * orders + np.log1p(-1 / orders)
        best = np.min(terms - np.log(orders * delta) / (orders - 1))
        assert tight == pytest.approx(best, rel=1e-6)
    assert renyi_epsilon(lambda order: 0.0, 0.5) == 0


# Bounds.

LOSSES = st.lists(
    st.one_of(
        st.builds(GaussianLoss, st.floats(0.01, 3)),
        st.builds(LaplaceLoss, st.floats(0.01, 3)),
        st.builds(
            ApproximateLoss,
            st.floats(0.01, 3),
            st.sampled_from([0.0, 1e-12, 1e-10]),
            st.integers(1, 20),
        ),
        st.builds(FailureLoss, st.sampled_from([1e-12, 1e-10])),
    ),
    min_size=1,
    max_size=8,
)


@given(losses=LOSSES, delta=st.sampled_from([0.0, 1e-20, 1e-8, 1e-6, 1e-3, 0.05]))
@settings(deadline=None, max_examples=30, database=None)
def test_both_ways_agree_on_random_plans(losses, delta):
    found = price(losses, delta)
    assert found.lower <= found.upper
    if math.isfinite(found.upper):
        scale = found.upper + math.sqrt(2 * found.rho)
        assert found.lower * (1 - 1e-6) - 1e-8 <= found.epsilon <= found.upper + 1e-3 * scale
    else:
        assert found.epsilon == math.inf


@given(losses=LOSSES, more=LOSSES, delta=st.sampled_from([0.0, 1e-8, 1e-3]))
@settings(deadline=None, max_examples=20, database=None)
def test_more_losses_never_cost_less_and_more_delta_never_costs_more(losses, more, delta):
    found = price(losses, delta)
    if math.isfinite(found.epsilon):
        slack = 1e-3 * (found.epsilon + math.sqrt(2 * found.rho))
        assert price(losses + more, delta).epsilon >= found.epsilon - slack
        assert price(losses, delta + 0.01).epsilon <= found.epsilon + slack


def test_bounds_that_are_exact():
    gaussian = [GaussianLoss(1), FailureLoss(1e-9)]
    assert min(upper_bounds(gaussian, 1e-6).values()) == max(lower_bounds(gaussian, 1e-6).values())
    pure = [LaplaceLoss(0.25), LaplaceLoss(0.5)]
    assert max(lower_bounds(pure, 0).values()) == min(upper_bounds(pure, 0).values()) == 0.75
    assert max(lower_bounds([LaplaceLoss(1)], 0.1).values()) == pytest.approx(1 + 2 * math.log(0.9))
    response = [ApproximateLoss(1, 0)]
    assert max(lower_bounds(response, 0.1).values()) == pytest.approx(
        math.log(math.e - 0.1 * (1 + math.e))
    )


def test_the_theorems_that_apply_are_named():
    assert set(upper_bounds([GaussianLoss(1)], 1e-6)) == {
        "basic",
        "renyi",
        "zcdp_tight",
        "zcdp_simple",
    }
    assert set(upper_bounds([LaplaceLoss(1)], 1e-6)) == {"basic", "renyi", "advanced"}
    assert set(upper_bounds([LaplaceLoss(1)], 0)) == {"basic"}


def test_advanced_composition_as_published():
    """Kairouz, Oh and Viswanath, theorem 3.5, at 100 times 0.1."""
    bound = upper_bounds([LaplaceLoss(0.1)] * 100, 1e-6)["advanced"]
    mean = 10 * (math.exp(0.1) - 1) / (math.exp(0.1) + 1)
    assert bound == pytest.approx(
        mean + math.sqrt(2 * math.log(math.e + 1 / 1e-6) * 100 * 0.1**2), rel=1e-6
    )


def test_selection_is_a_part_of_the_price():
    noise = [GaussianLoss(0.2)]
    with_selection = price([*noise, truncated_geometric_loss(0.5, 1e-9, 4)], 1e-8)
    assert with_selection.epsilon > price(noise, 1e-8).epsilon + 0.05
    assert with_selection.failed == pytest.approx(1e-9)
    assert price([truncated_geometric_loss(0.5, 1e-9, 4)], 0).epsilon == math.inf


def test_a_price_tells_how_it_was_found():
    assert price([GaussianLoss(1)], 1e-30).method == "gaussian"
    assert price([LaplaceLoss(1)], 0).method == "sum"
    assert price([LaplaceLoss(1), GaussianLoss(1)], 1e-8).method == "distribution"
    tiny = price([LaplaceLoss(1), GaussianLoss(1)], 1e-25)
    assert (tiny.method, tiny.epsilon) == ("closed_form", tiny.upper)


# Disagreement.


@pytest.mark.parametrize(
    ("epsilon", "message"),
    [
        (0.99, r"the reference price is epsilon 0.99, but at least 1.0 is lost"),
        (2.1, r"the reference price is epsilon 2.1, but 2.0 is known to be enough"),
        (math.nan, "at least 1.0 is lost"),
        (math.inf, "2.0 is known to be enough"),
    ],
)
def test_a_price_outside_its_bounds_is_refused(epsilon, message):
    with pytest.raises(AccountingError, match=message):
        check_agreement(epsilon, 1.0, 2.0, 0.5)


def test_a_price_within_its_bounds_is_not_refused():
    for epsilon in (1.0, 1.5, 2.0, 2.001):
        check_agreement(epsilon, 1.0, 2.0, 0.5)
    check_agreement(math.inf, math.inf, math.inf, 0.5)
    with pytest.raises(AccountingError):
        check_agreement(3.0, math.inf, math.inf, 0.5)


@pytest.mark.parametrize("wrong", [0.5, 3.0])
def test_a_wrong_reference_is_noticed(monkeypatch, wrong):
    from transforms.accounting import reference

    losses = [GaussianLoss(0.3), LaplaceLoss(1)]
    right = reference.epsilon_for_delta(losses, 1e-6)
    monkeypatch.setattr(reference, "epsilon_for_delta", lambda *_: wrong * right)
    with pytest.raises(AccountingError):
        price(losses, 1e-6)
