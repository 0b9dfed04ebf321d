"""The reference price against enumeration, integration and exact formulas; at most 0.1 % above."""

import math
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    beside_laplace,
    binomial_delta,
    bisect_epsilon,
    laplace_and_gaussian_delta,
    laplace_delta,
    responses_delta,
)

from transforms.accounting import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    truncated_geometric_loss,
)
from transforms.accounting.gaussian import gaussian_delta, gaussian_epsilon
from transforms.accounting.reference import delta_for_epsilon, epsilon_for_delta, method

DELTAS = [1e-2, 1e-5, 1e-8, 1e-10]


def assert_just_above(found, exact, scale=0.0):
    assert exact * (1 - 1e-7) <= found <= exact * 1.001 + 5e-4 * scale


# Gaussian noise.


@pytest.mark.parametrize("delta", [0.1, 1e-6, 1e-12, 1e-20, 1e-30])
@pytest.mark.parametrize("mu", [1e-3, 0.1, 1, 5, 22])
def test_gaussian_noise_has_the_exact_price(mu, delta):
    assert epsilon_for_delta([GaussianLoss(mu)], delta) == pytest.approx(
        gaussian_epsilon(mu, delta), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("delta", [1e-4, 1e-8, 1e-12])
def test_the_formula_is_what_the_distribution_gives_where_it_can(delta):
    for mu in (0.1, 1, 5):
        exact = gaussian_epsilon(mu, delta)
        grid = pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=exact * 1e-4)
        assert grid.get_epsilon_for_delta(delta) == pytest.approx(exact, rel=1e-5)


def test_gaussian_noise_adds_up_in_squares_and_so_does_its_distribution():
    mus = [0.1, 0.2, 0.4]
    together = math.sqrt(sum(mu**2 for mu in mus))
    found = epsilon_for_delta([GaussianLoss(mu) for mu in mus], 1e-8)
    assert found == pytest.approx(gaussian_epsilon(together, 1e-8), rel=1e-9)
    one, *others = (
        pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=1e-4) for mu in mus
    )
    for other in others:
        one = one.compose(other)
    assert one.get_epsilon_for_delta(1e-8) == pytest.approx(found, rel=1e-5)


# Exact prices of the others.


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize("own", [0.01, 1, 20, 300])
def test_laplace_noise_alone_costs_its_epsilon_and_a_bit_less(own, delta):
    exact = own + 2 * math.log1p(-delta)
    assert_just_above(epsilon_for_delta([LaplaceLoss(own)], delta), max(exact, 0), own)


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize(("own", "mu"), [(1, 0.3), (0.05, 0.3), (3, 1), (0.5, 0.02), (40, 4)])
def test_laplace_beside_gaussian_noise(own, mu, delta):
    exact = bisect_epsilon(
        lambda epsilon: laplace_and_gaussian_delta(own, mu, epsilon),
        delta,
        own + gaussian_epsilon(mu, delta),
    )
    assert_just_above(epsilon_for_delta([LaplaceLoss(own), GaussianLoss(mu)], delta), exact)


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize(("own", "times"), [(1, 3), (0.1, 50), (0.1, 1000), (0.013, 4000)])
def test_a_response_many_times(own, times, delta):
    exact = bisect_epsilon(lambda epsilon: binomial_delta(own, times, epsilon), delta, own * times)
    assert_just_above(epsilon_for_delta([ApproximateLoss(own, 0, times)], delta), exact)
    single = [ApproximateLoss(own, 0)] * times
    assert epsilon_for_delta(single, delta) == epsilon_for_delta(
        [ApproximateLoss(own, 0, times)], delta
    )


@given(
    responses=st.lists(
        st.tuples(st.floats(0.05, 4), st.sampled_from([0.0, 1e-9, 1e-6, 1e-3])),
        min_size=1,
        max_size=5,
    ),
    delta=st.sampled_from([0.05, 1e-2, 1e-4, 1e-7]),
)
@settings(deadline=None, max_examples=40, database=None)
def test_different_responses_by_enumeration(responses, delta):
    losses = [ApproximateLoss(own, failing) for own, failing in responses]
    summed = sum(own for own, _ in responses)
    if responses_delta(responses, summed) > delta:
        assert epsilon_for_delta(losses, delta) == math.inf
        return
    exact = bisect_epsilon(lambda epsilon: responses_delta(responses, epsilon), delta, summed)
    assert_just_above(epsilon_for_delta(losses, delta), exact, summed)


def test_delta_is_what_integration_gives():
    losses = [LaplaceLoss(1), GaussianLoss(0.3), FailureLoss(1e-7)]
    for epsilon in (0.0, 0.5, 1.5, 2.5):
        exact = 1e-7 + (1 - 1e-7) * laplace_and_gaussian_delta(1, 0.3, epsilon)
        found = delta_for_epsilon(losses, epsilon)
        assert exact <= found <= exact * 1.001


def test_delta_and_epsilon_are_inverse():
    for losses in (
        [GaussianLoss(0.4), FailureLoss(1e-9)],
        [LaplaceLoss(0.4)] * 7,
        [GaussianLoss(0.1), truncated_geometric_loss(0.5, 1e-9, 4)],
    ):
        epsilon = epsilon_for_delta(losses, 1e-6)
        assert delta_for_epsilon(losses, epsilon) == pytest.approx(1e-6, rel=1e-2)


# A vector of Laplace noise.


@pytest.mark.parametrize("parts", [(0.5, 0.5), (0.9, 0.1), (2, 1), (0.01, 3)])
def test_a_vector_of_laplace_noise_is_dominated_by_one_number_with_the_whole_shift(parts):
    one, other = parts
    whole = one + other
    for step in range(20):
        epsilon = whole * step / 20
        both = beside_laplace(lambda rest: laplace_delta(other, rest), one, epsilon)
        assert both <= laplace_delta(whole, epsilon) * (1 + 1e-9)


# No delta, and too much of it.


def test_without_delta_epsilons_add_up_exactly():
    assert epsilon_for_delta([LaplaceLoss(0.1)] * 10, 0) >= 1
    assert epsilon_for_delta([LaplaceLoss(0.25), ApproximateLoss(0.5, 0, 3)], 0) == 1.75
    assert epsilon_for_delta([], 0) == 0
    for impure in (GaussianLoss(1), FailureLoss(1e-30), ApproximateLoss(1, 1e-30)):
        assert epsilon_for_delta([LaplaceLoss(1), impure], 0) == math.inf


def test_failures_alone_may_be_more_than_delta():
    losses = [GaussianLoss(0.1), FailureLoss(2e-9)]
    assert epsilon_for_delta(losses, 1.9e-9) == math.inf
    assert epsilon_for_delta(losses, 2e-9) == math.inf
    assert epsilon_for_delta(losses, 2.1e-9) < 1
    assert epsilon_for_delta([FailureLoss(2e-9)], 2e-9) == 0
    assert delta_for_epsilon([FailureLoss(0.5)] * 2, 3) == pytest.approx(0.75)


def test_failures_leave_the_noise_the_room_that_they_do_not_take():
    with_failures = epsilon_for_delta([GaussianLoss(1), FailureLoss(3e-9)], 1e-8)
    assert with_failures == pytest.approx(gaussian_epsilon(1, 7e-9 / (1 - 3e-9)), rel=1e-9)
    assert delta_for_epsilon([GaussianLoss(1), FailureLoss(3e-9)], with_failures) == pytest.approx(
        1e-8, rel=1e-9
    )


def test_a_delta_of_less_than_the_transform_can_tell_is_priced_by_a_sum():
    losses = [LaplaceLoss(0.5), GaussianLoss(0.1)]
    assert method(losses, 1e-10) == "distribution"
    assert method(losses, 1e-25) == "basic"
    summed = 0.5 + gaussian_epsilon(0.1, 1e-25)
    assert epsilon_for_delta(losses, 1e-25) == pytest.approx(summed, rel=1e-9)
    assert method([GaussianLoss(0.1)], 1e-25) == "gaussian"
    assert method([LaplaceLoss(0.1)], 0) == "sum"


@pytest.mark.parametrize("delta", [-1e-9, 1.0, math.nan])
def test_a_delta_out_of_range_is_refused(delta):
    with pytest.raises(ValueError, match=r"delta is .*; allowed: from 0, below 1"):
        epsilon_for_delta([LaplaceLoss(1)], delta)


@pytest.mark.parametrize("epsilon", [-1, math.inf, math.nan])
def test_an_epsilon_out_of_range_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"epsilon is .*; allowed: a finite number from 0"):
        delta_for_epsilon([LaplaceLoss(1)], epsilon)


# Extremes.


def test_epsilons_of_hundreds_and_of_next_to_nothing():
    assert_just_above(
        epsilon_for_delta([LaplaceLoss(250), LaplaceLoss(50)], 1e-8), 300 * (1 - 1e-9)
    )
    tiny = [ApproximateLoss(1e-6, 0, 10), GaussianLoss(1e-6)]
    assert gaussian_epsilon(1e-6, 1e-9) < epsilon_for_delta(tiny, 1e-9) < 1e-4
    large = [GaussianLoss(25), LaplaceLoss(300)]
    assert epsilon_for_delta(large, 1e-8) < gaussian_epsilon(25, 1e-8) + 300.001


def test_noise_where_delta_alone_would_do():
    """The price is next to nothing, but the grid must fit the loss: mu is what delta allows."""
    losses = [GaussianLoss(0.02), LaplaceLoss(1e-9)]
    assert gaussian_delta(0.02, 0) < 1e-2
    assert epsilon_for_delta(losses, 1e-2) <= 1e-8


def test_a_thousand_losses_are_priced_in_a_second():
    losses = [LaplaceLoss(0.01), GaussianLoss(0.01), truncated_geometric_loss(0.05, 1e-12, 8)] * 334
    epsilon_for_delta(losses[:2], 1e-6)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        epsilon_for_delta(losses, 1e-8)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1


def test_importing_the_accountant_imports_neither_scipy_nor_dp_accounting():
    program = (
        "import sys\n"
        "from transforms.accounting import Demand, calibrate, price, LaplaceLoss\n"
        "print(price([LaplaceLoss(0.5)], 0).epsilon)\n"
        "print([name for name in ('scipy', 'dp_accounting') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=50,
    )
    assert done.stdout == "0.5\n[]\n", done.stderr
