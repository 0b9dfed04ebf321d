"""Weighted Gaussian selection: its published parameters, its exact privacy, its real noise."""

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from transforms.mechanisms import SelectionMechanism
from transforms.noise import (
    check_mechanism,
    noise_scale,
    release_probability,
    select,
    selection_threshold,
)
from transforms.weighted_selection import WEIGHT_GRANULES, weight_noise, weight_threshold

FALSE_ALARM = 1e-7
"""Of one comparison; no test makes more than ten."""
DRAWS = 40_000
PUBLISHED = {10: 6.4353, 50: 6.6862, 100: 6.8237, 200: 6.9689, 300: 7.0561}
"""Thresholds of Gopi et al. for epsilon 3 and delta exp(-10)."""


def weighted(l0, epsilon=1.0, delta=1e-6, changed=1):
    return SelectionMechanism("weighted_gaussian", epsilon, delta, l0, changed=changed)


def sigma_of(selection):
    """In weights, not in granules."""
    return noise_scale(weight_noise(selection)) / WEIGHT_GRANULES


def threshold_of(selection):
    return weight_threshold(selection, noise_scale(weight_noise(selection))) / WEIGHT_GRANULES


def gaussian_delta(sigma, epsilon, l2):
    """Smallest delta of Gaussian noise (Balle and Wang 2018, theorem 8)."""
    a, b = l2 / (2 * sigma), epsilon * sigma / l2
    return norm.cdf(a - b) - math.exp(epsilon) * norm.cdf(-a - b)


@pytest.mark.parametrize(("l0", "expected"), PUBLISHED.items())
def test_parameters_are_the_published_ones(l0, expected):
    selection = weighted(l0, 3.0, math.exp(-10))
    exact = weight_threshold(selection, 1.3328 * WEIGHT_GRANULES) / WEIGHT_GRANULES
    assert exact == pytest.approx(expected, abs=3e-4)
    # PyDP rounds the noise up, by a thousandth at most.
    assert 1.33275 <= sigma_of(selection) <= 1.3328 * 1.001
    assert expected - 1e-4 <= threshold_of(selection) <= expected * 1.001


@pytest.mark.parametrize("changed", [1, 2])
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0])
def test_half_of_delta_pays_for_the_noise_and_no_more(epsilon, changed):
    """A unit moves the weights by 1; another one in its place by sqrt(2)."""
    selection = weighted(7, epsilon, 1e-6, changed)
    sigma, l2 = sigma_of(selection), math.sqrt(changed)
    assert gaussian_delta(sigma, epsilon, l2) <= 0.5e-6 * (1 + 1e-9)
    assert gaussian_delta(sigma / 1.01, epsilon, l2) > 0.5e-6


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
    sigma = noise_scale(weight_noise(selection))
    threshold = weight_threshold(selection, sigma)
    shown = []
    for t in range(1, l0 + 1):
        weight = math.isqrt(WEIGHT_GRANULES**2 // t)
        each = norm.sf((threshold - 0.5 - weight) / sigma)
        shown.append(-math.expm1(t * math.log1p(-each)))
    assert max(shown) <= delta / 2
    assert max(shown) >= 0.99 * delta / 2


@pytest.mark.parametrize(("l0", "needed", "plain"), [(10, 23.6, 74.6), (100, 25.1, 251.3)])
def test_units_with_few_partitions_show_much_sooner_than_by_plain_counts(l0, needed, plain):
    """Defect 13 of the peers: their weights were scaled by L0 again, and came to the same."""
    ours, theirs = weighted(l0), SelectionMechanism("gaussian", 1.0, 1e-6, l0)
    assert threshold_of(ours) == pytest.approx(needed, abs=0.1)
    assert selection_threshold(theirs) == pytest.approx(plain, abs=0.1)
    # Units that have all L0 partitions need no more units than plain counts do.
    assert selection_threshold(ours) == pytest.approx(needed * math.sqrt(l0), abs=0.5)
    assert selection_threshold(ours) <= selection_threshold(theirs) * 1.001


@pytest.mark.parametrize("l0", [1, 9, 100])
def test_release_probabilities_are_those_of_units_with_l0_partitions(l0):
    selection = weighted(l0)
    sigma = noise_scale(weight_noise(selection))
    for units in (0, 1, 20, 30, 100, 250, 400):
        weight = units * WEIGHT_GRANULES / math.sqrt(l0)
        expected = norm.sf((weight_threshold(selection, sigma) - weight) / sigma)
        assert release_probability(selection, units) == pytest.approx(expected, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("l0", [1, 10, 300])
def test_half_of_partitions_at_the_threshold_are_released(l0):
    selection = weighted(l0)
    assert release_probability(selection, math.ceil(selection_threshold(selection))) >= 0.5
    assert release_probability(selection, math.floor(selection_threshold(selection))) <= 0.5


def rate_fits(hits, probability):
    """Is the probability in the Clopper-Pearson interval of hits of all draws?"""
    tails = binom.cdf(hits, DRAWS, probability), binom.sf(hits - 1, DRAWS, probability)
    return min(tails) >= FALSE_ALARM / 2


@pytest.mark.statistical
@pytest.mark.parametrize("l0", [1, 30])
def test_partitions_are_released_as_often_as_the_noise_says(l0):
    """False alarms: 7e-7. Noise that is 20 % too small or too large is noticed."""
    selection = weighted(l0, 3.0, 0.01)
    sigma = noise_scale(weight_noise(selection))
    threshold = weight_threshold(selection, sigma)
    noticed = dict.fromkeys((1.2, 1 / 1.2), False)
    for distance in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0):
        weight = round(threshold + distance * sigma)
        hits = int(select(np.full(DRAWS, weight, np.int64), selection).sum())
        assert rate_fits(hits, norm.sf((threshold - 0.5 - weight) / sigma))
        for factor in noticed:
            wrong = norm.sf((threshold - 0.5 - weight) / (factor * sigma))
            noticed[factor] |= not rate_fits(hits, wrong)
    assert all(noticed.values())


def test_empty_partitions_and_no_partitions():
    """False alarms: below 1e-9."""
    selection = weighted(10, 1.0, 1e-12)
    assert not select(np.zeros(100, np.int64), selection).any()
    assert select(np.array([], np.int64), selection).tolist() == []


def test_a_selection_that_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="allowed: at most"):
        check_mechanism(weighted(1, 1e-300, 1e-300))
    with pytest.raises(ValueError, match="5, but weighted_gaussian does not count whole units"):
        SelectionMechanism("weighted_gaussian", 1.0, 1e-6, 1, pre_threshold=5)
