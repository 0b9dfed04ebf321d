"""Losses about groups, against mechanisms whose probabilities can be listed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.accounting import (
    ApproximateLoss,
    FailureLoss,
    GaussianLoss,
    LaplaceLoss,
    price,
    truncated_geometric_loss,
)
from transforms.accounting.gaussian import gaussian_epsilon
from transforms.accounting.group_privacy import group_losses


def test_one_unit_is_no_group():
    losses = (LaplaceLoss(0.3), FailureLoss(1e-9))
    assert group_losses(losses, 1) == losses


def test_noise_without_failures_is_scaled():
    losses = (LaplaceLoss(0.25), GaussianLoss(0.5), ApproximateLoss(0.125, 0.0, 3))
    expected = (LaplaceLoss(1.0), GaussianLoss(2.0), ApproximateLoss(1.5, 0.0))
    assert group_losses(losses, 4) == expected


@pytest.mark.parametrize("units", [0, -1])
def test_groups_have_members(units):
    with pytest.raises(ValueError, match="at least 1"):
        group_losses((LaplaceLoss(1.0),), units)


@pytest.mark.parametrize(
    ("losses", "units"),
    [
        ((LaplaceLoss(50.0),), 7),
        ((GaussianLoss(5.0),), 6),
        ((LaplaceLoss(50.0), FailureLoss(1e-300)), 7),
        ((LaplaceLoss(1.0), FailureLoss(0.2)), 4),
        ((GaussianLoss(20.0), GaussianLoss(20.0), FailureLoss(1e-9)), 2),
    ],
)
def test_there_is_no_bound_beyond_what_a_loss_can_state(losses, units):
    assert group_losses(losses, units) is None


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("units", [2, 3, 7])
def test_lone_groups_pass_a_threshold_no_more_often_than_is_stated(epsilon, units):
    """A partition of only the group, noise of a two-sided geometric distribution, epsilon each.

    Without the group, the partition is not there. So all that can be seen is a failure.
    """
    threshold = math.ceil(20 / epsilon)
    stay = math.exp(-epsilon)

    def shows(count):
        """Probability that count + noise reaches the threshold."""
        return stay ** (threshold - count) / (1 + stay)

    (grouped,) = group_losses((LaplaceLoss(epsilon), FailureLoss(shows(1))), units)
    assert shows(units) <= grouped.delta * (1 + 1e-12)
    if epsilon == 2.0:
        assert shows(units) > units * shows(1), "adding deltas would not do"


def truncated_geometric(users, epsilon, delta):
    """Probability that a partition is kept (Desfontaines, Voss, Gipson and Mandayam, 2022)."""
    kept = 0.0
    for _ in range(users):
        kept = min(math.exp(epsilon) * kept + delta, 1 - math.exp(-epsilon) * (1 - kept - delta), 1)
    return kept


@pytest.mark.parametrize("units", [2, 3, 6])
@pytest.mark.parametrize(("epsilon", "delta"), [(0.4, 1e-3), (1.0, 1e-6)])
def test_selection_keeps_what_is_stated_for_groups(epsilon, delta, units):
    (grouped,) = group_losses((truncated_geometric_loss(epsilon, delta, 1),), units)
    for users in range(60):
        fewer = truncated_geometric(users, epsilon, delta)
        more = truncated_geometric(users + units, epsilon, delta)
        for one, other in ((more, fewer), (fewer, more), (1 - more, 1 - fewer)):
            assert one <= math.exp(grouped.epsilon) * other + grouped.delta + 1e-12


def test_gaussian_thresholds_have_their_noise_inside_the_failure():
    mu, delta = 0.3, 1e-8
    (grouped,) = group_losses((GaussianLoss(mu), FailureLoss(delta)), 2)
    epsilon = gaussian_epsilon(mu, delta)
    assert grouped.epsilon == pytest.approx(2 * epsilon)
    assert grouped.delta == pytest.approx(2 * delta * (1 + math.exp(epsilon)))


positive = st.floats(1e-3, 3.0)


@given(
    st.lists(st.builds(LaplaceLoss, positive) | st.builds(GaussianLoss, positive), min_size=1),
    st.integers(2, 6),
)
def test_a_group_loses_at_least_what_one_unit_loses(losses, units):
    grouped = group_losses(losses, units)
    if grouped is None:
        return
    assert all(
        getattr(big, name) >= getattr(small, name)
        for big, small in zip(grouped, losses, strict=True)
        for name in ("epsilon", "mu")
        if hasattr(small, name)
    )


def test_failures_alone_add_up():
    (grouped,) = group_losses((FailureLoss(1e-9),), 5)
    assert isinstance(grouped, FailureLoss)
    assert grouped.delta == pytest.approx(5e-9)
    assert price([grouped], 1e-8).epsilon == 0


@pytest.mark.parametrize("losses", [(GaussianLoss(25.0), FailureLoss(1e-9)), (LaplaceLoss(150.0),)])
def test_what_is_just_at_the_limit_is_no_error(losses):
    group_losses(losses, 2)
    group_losses((*losses, FailureLoss(1e-300)), 2)


def test_prices_of_groups_are_from_above():
    """Laplace noise, exactly: the sum of three days with noise for one."""
    (grouped,) = group_losses((LaplaceLoss(0.2),), 3)
    assert price([grouped], 0.0).epsilon >= 0.6
    assert price([grouped], 0.0).epsilon == pytest.approx(0.6)
