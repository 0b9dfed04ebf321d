"""Units for a probability of release, against a scan over all numbers of units."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.accounting import GaussianLoss, LaplaceLoss
from transforms.accounting.losses import largest_geometric_epsilon
from transforms.mechanisms import GeometricSelection
from transforms.noise import release_probability
from transforms.release_curve import selection_threshold, units_for_probability
from transforms.threshold_selection import threshold_selection

PROBABILITIES = (1e-12, 0.05, 0.5, 0.95, 0.99, 1 - 1e-9)


def by_scan(mechanism, probability):
    units = 1
    while release_probability(mechanism, units) < probability:
        units += 1
    return units


def mechanisms(l0, changed, pre_threshold):
    for strategy, loss in (
        ("laplace", LaplaceLoss(0.8)),
        ("gaussian", GaussianLoss(0.5)),
        ("weighted_gaussian", GaussianLoss(0.5)),
    ):
        rule = None if strategy == "weighted_gaussian" else pre_threshold
        yield threshold_selection(strategy, loss, 1e-6, l0, changed, rule)
    yield GeometricSelection(0.8, 1e-6, l0, pre_threshold, changed)


@pytest.mark.parametrize("pre_threshold", [None, 1, 30])
@pytest.mark.parametrize("changed", [1, 2])
@pytest.mark.parametrize("l0", [1, 3])
def test_units_are_the_first_of_a_scan(l0, changed, pre_threshold):
    for mechanism in mechanisms(l0, changed, pre_threshold):
        for probability in PROBABILITIES:
            expected = by_scan(mechanism, probability)
            assert units_for_probability(mechanism, probability) == expected


@settings(max_examples=60, deadline=None)
@given(
    epsilon=st.floats(1e-7, 20),
    delta=st.floats(1e-9, 0.1),
    l0=st.integers(1, 1000),
    probability=st.floats(1e-12, 1 - 1e-9),
)
def test_one_unit_less_is_not_enough(epsilon, delta, l0, probability):
    for mechanism in (
        GeometricSelection(min(epsilon, largest_geometric_epsilon(delta, l0)), delta, l0),
        threshold_selection("gaussian", GaussianLoss(min(epsilon, 20)), delta, l0),
        threshold_selection("weighted_gaussian", GaussianLoss(min(epsilon, 20)), delta, l0),
    ):
        units = units_for_probability(mechanism, probability)
        assert release_probability(mechanism, units) >= probability
        assert units == 1 or release_probability(mechanism, units - 1) < probability


def test_many_units_are_found():
    mechanism = GeometricSelection(1e-7, 1e-9, 1000)
    units = units_for_probability(mechanism, 0.5)
    assert units > 10**10
    assert release_probability(mechanism, units - 1) < 0.5 <= release_probability(mechanism, units)


def test_half_is_the_threshold_rounded_up():
    for mechanism in mechanisms(3, 1, None):
        threshold = selection_threshold(mechanism)
        assert 0 <= units_for_probability(mechanism, 0.5) - threshold < 1


def test_fewer_units_than_the_pre_threshold_are_never_enough():
    for mechanism in mechanisms(1, 1, 1000):
        if mechanism.pre_threshold is not None:
            assert units_for_probability(mechanism, 1e-9) == 1000


@pytest.mark.parametrize("probability", [0, 1, -0.1, 1.5, float("nan")])
def test_a_probability_is_above_0_and_below_1(probability):
    with pytest.raises(ValueError, match=r"probability is .*; allowed: above 0, below 1"):
        units_for_probability(GeometricSelection(1, 1e-6, 1), probability)


def test_what_no_number_of_units_reaches_is_refused(monkeypatch):
    monkeypatch.setattr("transforms.release_curve.release_probability", lambda *_: 0.4)
    with pytest.raises(ValueError, match=r"more than .* units are needed"):
        units_for_probability(GeometricSelection(1, 1e-6, 1), 0.5)
