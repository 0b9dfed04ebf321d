"""Selection by a threshold: its published parameters, its exact privacy, its real noise."""

import math

import numpy as np
import pytest
from noise_oracles import gaussian_delta, rate_fits
from scipy.optimize import brentq
from scipy.stats import laplace, norm

from transforms.accounting import FailureLoss, GaussianLoss, LaplaceLoss
from transforms.mechanisms import AdditiveMechanism, ThresholdSelection
from transforms.noise import check_mechanism, release_probability, select
from transforms.release_curve import selection_threshold
from transforms.threshold_selection import (
    COUNT_GRANULES,
    WEIGHT_GRANULES,
    threshold,
    threshold_selection,
)

DRAWS = 40_000
PUBLISHED = {10: 6.4353, 50: 6.6862, 100: 6.8237, 200: 6.9689, 300: 7.0561}
"""Thresholds of Gopi et al. for epsilon 3 and delta exp(-10)."""


def weighted(l0, epsilon=1.0, delta=1e-6, changed=1):
    """As published: half of delta for the noise, half for lone units."""
    return gaussian("weighted_gaussian", l0, epsilon, delta, math.sqrt(changed), changed)


def counted(l0, epsilon=1.0, delta=1e-6, changed=1):
    return gaussian("gaussian", l0, epsilon, delta, math.sqrt(l0 * changed), changed)


def gaussian(strategy, l0, epsilon, delta, l2, changed):
    sigma = brentq(lambda s: gaussian_delta(s, epsilon, l2) - delta / 2, 1e-2 * l2, 1e3 * l2)
    return threshold_selection(strategy, GaussianLoss(l2 / sigma), delta / 2, l0, changed)


def sigma_of(selection):
    """In weights, not in granules."""
    return selection.noise.scale / WEIGHT_GRANULES


def threshold_of(selection):
    return threshold(selection) / WEIGHT_GRANULES


@pytest.mark.parametrize(("l0", "expected"), PUBLISHED.items())
def test_parameters_are_the_published_ones(l0, expected):
    selection = weighted(l0, 3.0, math.exp(-10))
    assert 1.33275 <= sigma_of(selection) <= 1.3329
    assert threshold_of(selection) == pytest.approx(expected, abs=4e-4)


@pytest.mark.parametrize("changed", [1, 2])
@pytest.mark.parametrize("strategy", ["laplace", "gaussian", "weighted_gaussian"])
@pytest.mark.parametrize("l0", [1, 7])
def test_the_loss_is_that_of_the_noise_on_what_units_change(strategy, l0, changed):
    """A unit changes L0 counts by 1, or moves the weights by 1; two units by sqrt(2)."""
    loss = LaplaceLoss(0.3) if strategy == "laplace" else GaussianLoss(0.3)
    selection = threshold_selection(strategy, loss, 1e-6, l0, changed)
    moved = {
        "laplace": l0 * changed,
        "gaussian": math.sqrt(l0 * changed),
        "weighted_gaussian": math.sqrt(changed),
    }[strategy]
    granules = WEIGHT_GRANULES if strategy == "weighted_gaussian" else COUNT_GRANULES
    assert selection.noise.scale == pytest.approx(granules * moved / 0.3, rel=1e-12)
    (noise, failure) = selection.losses
    assert noise == selection.noise.loss
    assert vars(noise) == pytest.approx(vars(loss), rel=1e-12)
    assert failure == FailureLoss(1e-6)


@pytest.mark.parametrize("strategy", ["laplace", "gaussian"])
@pytest.mark.parametrize("l0", [1, 2, 10, 300, 1500])
@pytest.mark.parametrize("pre", [None, 1, 6])
@pytest.mark.parametrize(("size", "delta"), [(0.2, 1e-6), (2.0, 1e-10), (0.01, 1e-3), (9.0, 0.2)])
def test_a_lone_count_shows_with_delta_at_most(strategy, l0, pre, size, delta):
    """The exact probability, rounding included, for every number of partitions up to L0."""
    loss = LaplaceLoss(size) if strategy == "laplace" else GaussianLoss(size)
    selection = threshold_selection(strategy, loss, delta, l0, 1, pre)
    scale = selection.noise.scale * (1 + 2**-39 / size)
    tail = (laplace if strategy == "laplace" else norm).sf
    each = tail((threshold(selection) - 0.5 - COUNT_GRANULES) / scale)
    shown = -np.expm1(np.arange(1, l0 + 1) * np.log1p(-each))
    assert shown.max() <= delta
    assert shown.max() >= 0.99 * delta or scale < 2 * COUNT_GRANULES


@pytest.mark.parametrize("strategy", ["laplace", "gaussian"])
def test_partitions_without_units_never_show(strategy):
    """Nor those below the pre-threshold, however low the threshold is: here below 0."""
    loss = LaplaceLoss(0.1) if strategy == "laplace" else GaussianLoss(0.1)
    for pre, none in ((None, 0), (1, 0), (4, 3)):
        selection = threshold_selection(strategy, loss, 0.9, 1, 1, pre)
        assert threshold(selection) < 0
        assert not select(np.full(1000, none, np.int64), selection).any()
        assert select(np.full(1000, none + 1, np.int64), selection).sum() > 800
        assert release_probability(selection, none) == 0
        assert release_probability(selection, none + 1) == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("l0", [1, 2, 10, 100, 999, 1000, 1001, 1500, 5000])
@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-6), (3.0, 0.1), (0.2, 1e-10), (20.0, 0.5)])
def test_the_threshold_is_the_largest_over_all_numbers_of_partitions(l0, epsilon, delta):
    """Never smaller than by brute force, and no more than a thousandth larger."""
    selection = weighted(l0, epsilon, delta)
    t = np.arange(1, l0 + 1)
    each = -np.expm1(np.log1p(-delta / 2) / t)
    brute = (1 / np.sqrt(t) + sigma_of(selection) * norm.isf(each)).max()
    assert brute - 1e-9 <= threshold_of(selection) <= brute * 1.001 + 3 / WEIGHT_GRANULES


@pytest.mark.parametrize("l0", [1, 2, 10, 300, 1500])
@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-6), (3.0, math.exp(-10)), (10.0, 0.2)])
def test_a_lone_unit_shows_with_half_of_delta_at_most(l0, epsilon, delta):
    """The exact probability that any of its partitions does, whatever their number up to L0."""
    selection = weighted(l0, epsilon, delta)
    sigma, limit = selection.noise.scale, threshold(selection)
    shown = []
    for t in range(1, l0 + 1):
        weight = math.isqrt(WEIGHT_GRANULES**2 // t)
        each = norm.sf((limit - 0.5 - weight) / sigma)
        shown.append(-math.expm1(t * math.log1p(-each)))
    assert max(shown) <= delta / 2
    assert max(shown) >= 0.99 * delta / 2


@pytest.mark.parametrize(("l0", "needed", "plain"), [(10, 23.6, 74.6), (100, 25.1, 251.2)])
def test_units_with_few_partitions_show_much_sooner_than_by_plain_counts(l0, needed, plain):
    """Defect 13 of the peers: their weights were scaled by L0 again, and came to the same."""
    ours, theirs = weighted(l0), counted(l0)
    assert threshold_of(ours) == pytest.approx(needed, abs=0.1)
    assert selection_threshold(theirs) == pytest.approx(plain, abs=0.1)
    # Units that have all L0 partitions need no more units than plain counts do.
    assert selection_threshold(ours) == pytest.approx(needed * math.sqrt(l0), abs=0.5)
    assert selection_threshold(ours) <= selection_threshold(theirs) * 1.001


@pytest.mark.parametrize("l0", [1, 9, 100])
def test_release_probabilities_are_those_of_units_with_l0_partitions(l0):
    selection = weighted(l0)
    sigma = selection.noise.scale
    assert release_probability(selection, 0) == 0
    for units in (1, 20, 30, 100, 250, 400):
        weight = units * WEIGHT_GRANULES / math.sqrt(l0)
        expected = norm.sf((threshold(selection) - weight) / sigma)
        assert release_probability(selection, units) == pytest.approx(expected, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("l0", [1, 10, 300])
def test_half_of_partitions_at_the_threshold_are_released(l0):
    selection = weighted(l0)
    assert release_probability(selection, math.ceil(selection_threshold(selection))) >= 0.5
    assert release_probability(selection, math.floor(selection_threshold(selection))) <= 0.5


@pytest.mark.statistical
@pytest.mark.parametrize("l0", [1, 30])
def test_partitions_are_released_as_often_as_the_noise_says(l0):
    """False alarms: 7e-7. Noise that is 20 % too small or too large is noticed."""
    selection = weighted(l0, 3.0, 0.01)
    sigma, limit = selection.noise.scale, threshold(selection)
    noticed = dict.fromkeys((1.2, 1 / 1.2), False)
    for distance in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0):
        weight = round(limit + distance * sigma)
        hits = int(select(np.full(DRAWS, weight, np.int64), selection).sum())
        assert rate_fits(hits, DRAWS, norm.sf((limit - 0.5 - weight) / sigma))
        for factor in noticed:
            wrong = norm.sf((limit - 0.5 - weight) / (factor * sigma))
            noticed[factor] |= not rate_fits(hits, DRAWS, wrong)
    assert all(noticed.values())


def test_empty_partitions_and_no_partitions():
    """False alarms: below 1e-9."""
    selection = weighted(10, 1.0, 1e-12)
    assert not select(np.zeros(100, np.int64), selection).any()
    assert select(np.array([], np.int64), selection).tolist() == []


def test_a_selection_that_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="allowed: at most"):
        check_mechanism(threshold_selection("gaussian", GaussianLoss(1e-12), 1e-6, 1))
    with pytest.raises(ValueError, match=r"delta 9\.88e-324 of 9 partitions is out of the range"):
        check_mechanism(threshold_selection("gaussian", GaussianLoss(1.0), 1e-323, 9))
    with pytest.raises(ValueError, match="'laplace' with gaussian noise; allowed: laplace with la"):
        ThresholdSelection("laplace", AdditiveMechanism("gaussian", 1.0, 1, 1), 1e-6, 1)
    with pytest.raises(ValueError, match="5, but weighted_gaussian does not count whole units"):
        threshold_selection("weighted_gaussian", GaussianLoss(1.0), 1e-6, 1, pre_threshold=5)
