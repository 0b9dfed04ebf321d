"""Noise and selection: as distributed as declared, on whole numbers, never repeated after a fork.

Statistical tests compare with distributions written down here, not with what PyDP says of itself.
Each has a false-alarm rate of at most `FALSE_ALARM` per run, by a bound that holds for every sample
size (Dvoretzky-Kiefer-Wolfowitz-Massart, Hoeffding, exact binomial tails), and a twin that shows
that the same check rejects a mechanism whose scale is wrong by 20 % in either direction.
"""

import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_oracles import FALSE_ALARM, gaussian_delta, phi, rate_fits
from pydp.algorithms.numerical_mechanisms import GaussianMechanism, LaplaceMechanism
from pydp.algorithms.partition_selection import create_partition_strategy
from scipy.stats import binom, chi2

from transforms import noise
from transforms.accounting import GaussianLoss, LaplaceLoss
from transforms.mechanisms import AdditiveMechanism, GeometricSelection
from transforms.noise import (
    MAX_NOISE_SCALE,
    NoiseAfterForkError,
    add_noise,
    half_width_95,
    noise_scale,
    noise_std,
    release_probability,
    select,
)
from transforms.release_curve import selection_threshold
from transforms.sensitivity import Sensitivity
from transforms.threshold_selection import COUNT_GRANULES, threshold_selection

DRAWS = 60_000
WRONG = [1 / 1.2, 1.2]


# Distributions, written independently of transforms.noise and of PyDP.


@lru_cache
def gaussian_sigma(epsilon, delta, l2):
    """Smallest sigma with `gaussian_delta` at most delta."""
    low, high = 0.0, 1.0
    while gaussian_delta(high * l2, epsilon, l2) > delta:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if gaussian_delta(middle * l2, epsilon, l2) > delta:
            low = middle
        else:
            high = middle
    return high * l2


def laplace(epsilon, l0, linf):
    return AdditiveMechanism.of(LaplaceLoss(epsilon), Sensitivity(l0, linf))


LAPLACE = {
    "std 0.5": laplace(math.sqrt(8), 1, 1),
    "std 1": laplace(math.sqrt(2), 1, 1),
    "scale 1": laplace(1.0, 1, 1),
    "scale 40": laplace(0.5, 4, 5),
    "scale 1e6": laplace(1.0, 8, 125_000),
    "scale 2^40": laplace(2.0**-11, 1, 2**29),
}
GAUSSIAN = {
    "std 0.5": AdditiveMechanism("gaussian", 0.5, 1, 1),
    "std 1": AdditiveMechanism("gaussian", 1.0, 1, 1),
    "std 12": AdditiveMechanism("gaussian", 12.3, 2, 2),
    "std 1e6": AdditiveMechanism("gaussian", 1_081_234.5, 4, 85_000),
    "std 2^40": AdditiveMechanism("gaussian", 2.0**40, 1, 2**28),
}
ADDITIVE = [
    pytest.param(mechanism, id=f"{mechanism.noise} {name}")
    for mechanisms in (LAPLACE, GAUSSIAN)
    for name, mechanism in mechanisms.items()
]
LARGE = [
    pytest.param(LAPLACE["scale 1e6"], id="laplace"),
    pytest.param(GAUSSIAN["std 1e6"], id="gaussian"),
]
ROUNDED = [
    pytest.param(LAPLACE["scale 1"], id="laplace scale 1"),
    pytest.param(GAUSSIAN["std 0.5"], id="gaussian std 0.5"),
    pytest.param(GAUSSIAN["std 1"], id="gaussian std 1"),
]
"""Scales at which rounding to whole numbers matters."""


def selection(strategy, epsilon, delta, l0, pre=None):
    """With Gaussian noise, half of delta is for the noise, as PyDP has it."""
    if strategy == "truncated_geometric":
        return GeometricSelection(epsilon, delta, l0, pre)
    if strategy == "laplace":
        return threshold_selection(strategy, LaplaceLoss(epsilon), delta, l0, 1, pre)
    loss = GaussianLoss(math.sqrt(l0) / gaussian_sigma(epsilon, delta / 2, math.sqrt(l0)))
    return threshold_selection(strategy, loss, delta / 2, l0, 1, pre)


SELECTIONS = [
    pytest.param(selection(strategy, epsilon, delta, l0, pre), id=name)
    for strategy in ("truncated_geometric", "laplace", "gaussian")
    for name, epsilon, delta, l0, pre in (
        (f"{strategy} l0=1", 0.8, 0.1, 1, None),
        (f"{strategy} l0=3", 1.5, 0.05, 3, None),
        (f"{strategy} pre=5", 0.8, 0.1, 1, 5),
        (f"{strategy} l0=3 pre=2", 1.5, 0.05, 3, 2),
    )
]
COUNTS = [0, 1, 2, 3, 4, 5, 7, 10, 15, 25]


def rounded_cdf(mechanism, k):
    """P(round(X) <= k) for whole numbers k: P(X < k + 1/2)."""
    x = (k + 0.5) / mechanism.scale
    if mechanism.noise == "laplace":
        return np.where(x < 0, np.exp(-np.abs(x)) / 2, 1 - np.exp(-np.abs(x)) / 2)
    return np.fromiter((phi(value) for value in x), float, len(x))


def rounded_variance(mechanism):
    """Variance of round(X); rounding adds 1/12 once the scale is far above 1."""
    scale = mechanism.scale
    if scale > 1000:
        return scale**2 * (2 if mechanism.noise == "laplace" else 1) + 1 / 12
    k = np.arange(-60 * math.ceil(scale), 60 * math.ceil(scale) + 1)
    return float(np.sum(np.diff(rounded_cdf(mechanism, np.append(k[0] - 1, k))) * k**2))


def one_unit_probability(mechanism):
    """Release probability of a partition of one unit: delta divided over l0 partitions."""
    geometric = isinstance(mechanism, GeometricSelection)
    delta = mechanism.drawn_delta if geometric else mechanism.delta
    return -math.expm1(math.log1p(-delta) / mechanism.l0)


def exact_release_probability(mechanism, units):
    """Closed forms (Wilson et al. 2020; Desfontaines, Voss and Gipson 2022, recursion of thm 1)."""
    if mechanism.pre_threshold is not None:
        units -= mechanism.pre_threshold - 1
    if units <= 0:
        return 0.0
    delta = one_unit_probability(mechanism)
    if mechanism.strategy == "truncated_geometric":
        epsilon, keep = mechanism.epsilon / mechanism.l0, 0.0
        for _ in range(units):
            keep = min(
                math.exp(epsilon) * keep + delta, 1 - math.exp(-epsilon) * (1 - keep - delta), 1.0
            )
        return keep
    if mechanism.strategy == "laplace":
        x = (units - 1) / selection_scale(mechanism) + math.log(2 * delta)
        return math.exp(x) / 2 if x < 0 else 1 - math.exp(-x) / 2
    return phi((units - 1) / selection_scale(mechanism) - inverse_phi(1 - delta))


def selection_scale(mechanism):
    """In units."""
    return mechanism.noise.scale / COUNT_GRANULES


def inverse_phi(probability):
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if phi(middle) < probability else (low, middle)
    return low


# Checks.


def fits(draws, mechanism):
    """Kolmogorov-Smirnov; the bound of Massart (1990) holds for discrete distributions too."""
    values, counts = np.unique(draws, return_counts=True)
    upto = np.cumsum(counts) / len(draws)
    before = np.append(0.0, upto[:-1])
    distance = max(
        np.abs(upto - rounded_cdf(mechanism, values)).max(),
        np.abs(before - rounded_cdf(mechanism, values - 1)).max(),
    )
    return distance <= math.sqrt(math.log(2 / FALSE_ALARM) / (2 * len(draws)))


def independent(first, second):
    """Do fair coins (sign, size, parity) of two streams agree in half of the places?"""
    limit = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * len(first)))
    coins = [
        (first > 0, second > 0),
        (abs(first) > np.median(abs(first)), abs(second) > np.median(abs(second))),
        (first % 2 == 0, second % 2 == 0),
    ]
    return all(abs(np.mean(x == y) - 0.5) <= limit for x, y in coins)


def draw_noise(mechanism, size=DRAWS):
    return add_noise(np.zeros(size, np.int64), mechanism)


@lru_cache
def sample(mechanism):
    """One sample that several read-only tests share."""
    draws = draw_noise(mechanism)
    draws.flags.writeable = False
    return draws


@pytest.fixture(params=WRONG, ids=["scale / 1.2", "scale * 1.2"])
def wrong_scale(request, monkeypatch):
    """The module with a bug: PyDP is told a scale that is 20 % off."""

    def wrong(mechanism):
        if mechanism.noise == "laplace":
            return LaplaceMechanism(mechanism.loss.epsilon, request.param * mechanism.l1)
        return GaussianMechanism.create_from_standard_deviation(request.param * mechanism.scale)

    monkeypatch.setattr(noise, "_additive", wrong)


# Additive noise.


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", ADDITIVE)
def test_noise_has_the_rounded_distribution(mechanism):
    """False alarms: 1e-7."""
    assert fits(sample(mechanism), mechanism)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", ADDITIVE)
def test_a_wrong_scale_is_noticed(mechanism, wrong_scale):
    """False alarms: below 1e-12. The distributions differ by 0.028 or more, the limit is 0.012."""
    assert not fits(draw_noise(mechanism), mechanism)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", ADDITIVE)
def test_variance(mechanism):
    """False alarms: below 1e-12. The limit is 12 standard errors, sqrt(5 / n) each for Laplace."""
    assert variance_fits(sample(mechanism), mechanism)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LARGE)
def test_a_wrong_variance_is_noticed(mechanism, wrong_scale):
    """False alarms: below 1e-12. The variance is off by 30 % or 44 %, the limit is 11 %."""
    assert not variance_fits(draw_noise(mechanism), mechanism)


def variance_fits(draws, mechanism):
    limit = 12 * math.sqrt(5 / len(draws))
    return abs(np.mean(draws.astype(float) ** 2) / rounded_variance(mechanism) - 1) < limit


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LARGE)
def test_draws_are_independent(mechanism):
    """False alarms: 9e-7 (nine comparisons)."""
    first, second = sample(mechanism), draw_noise(mechanism)
    assert independent(first, second)
    assert independent(first[1:], first[:-1])
    assert independent(first[: DRAWS // 2], first[DRAWS // 2 :])


@pytest.mark.statistical
def test_laplace_and_gaussian_draws_are_independent():
    """False alarms: 3e-7."""
    assert independent(*(sample(p.values[0]) for p in LARGE))


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LARGE)
@pytest.mark.parametrize("transform", [np.positive, np.negative], ids=["equal", "opposite"])
def test_a_fifth_of_repeated_draws_is_noticed(mechanism, transform):
    """False alarms: below 1e-12. The coins agree in 60 % of the places, the limit is 51.2 %."""
    first, second = sample(mechanism), draw_noise(mechanism)
    second[::5] = transform(first[::5])
    assert not independent(first, second)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LARGE)
def test_two_calls_never_repeat(mechanism):
    """False alarms: below 1e-30, as ten draws agree with probability (4e-7)^10."""
    assert draw_noise(mechanism, 10).tolist() != draw_noise(mechanism, 10).tolist()


@pytest.mark.parametrize("mechanism", ADDITIVE)
@pytest.mark.parametrize("size", [0, 1, 7])
def test_integers_in_integers_out(mechanism, size):
    exact = np.arange(size, dtype=np.int64)
    noisy = add_noise(exact, mechanism)
    assert noisy.dtype == np.int64
    assert noisy.shape == (size,)
    assert exact.tolist() == list(range(size))


@pytest.mark.statistical
@pytest.mark.parametrize("value", [-(2**62), -(2**61) + 1, 2**53 + 1, 2**61 - 1, 2**61 + 3, 2**62])
@pytest.mark.parametrize("name", ["laplace", "gaussian"])
def test_large_values_do_not_wrap_or_lose_digits(name, value):
    """False alarms: 4e-7. Small noise shows lost digits, the largest noise shows wrapping."""
    mechanisms = LAPLACE if name == "laplace" else GAUSSIAN
    largest = list(mechanisms)[-1]
    for mechanism in (mechanisms["std 0.5"], mechanisms[largest]):
        noisy = add_noise(np.full(10_000, value, np.int64), mechanism)
        # The difference of Python integers cannot wrap.
        assert fits(np.array([int(x) - value for x in noisy]), mechanism)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", [p for p in ADDITIVE if p.values[0].scale > 1e5])
@pytest.mark.parametrize("value", [0, 1, 2**53 + 1, 2**61 + 3])
def test_trailing_bits_do_not_depend_on_the_value(mechanism, value):
    """False alarms: 1e-7. Every residue modulo 8 is reached equally often, also at 2^40."""
    noisy = add_noise(np.full(8_000, value, np.int64), mechanism)
    assert residues_are_even(noisy)


@pytest.mark.statistical
@pytest.mark.parametrize("step", [2, 3, 4])
def test_a_coarser_grid_is_noticed(step):
    """False alarms: none for steps 2 and 4; below 1e-12 for 3, which reaches all residues."""
    noisy = draw_noise(LAPLACE["scale 1e6"], 8_000) // step * step
    assert residues_are_even(noisy) is (step == 3)


def residues_are_even(noisy):
    counts = np.bincount(noisy & 7, minlength=8)
    statistic = ((counts - len(noisy) / 8) ** 2).sum() / (len(noisy) / 8)
    return bool(chi2.sf(statistic, 7) >= FALSE_ALARM)


# What is said about the noise.


@pytest.mark.parametrize("mechanism", [pytest.param(m, id=name) for name, m in LAPLACE.items()])
def test_laplace_std_is_the_closed_form(mechanism):
    b = mechanism.l0 * mechanism.linf / mechanism.loss.epsilon
    assert mechanism.scale == pytest.approx(b, rel=1e-12)
    p = math.exp(-1 / b)
    variance = 2 * math.sinh(0.5 / b) * p * (1 + p) / (-math.expm1(-1 / b)) ** 3
    assert noise_std(mechanism) == pytest.approx(math.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize("mechanism", ADDITIVE)
def test_pydp_draws_with_the_planned_scale_and_no_smaller_one(mechanism):
    """PyDP divides the sensitivity by epsilon, which rounds the diversity."""
    assert noise_scale(mechanism) == pytest.approx(mechanism.scale, rel=1e-15)
    if mechanism.noise == "gaussian":
        assert noise_scale(mechanism) == mechanism.scale


@given(
    st.sampled_from([GaussianLoss, LaplaceLoss]),
    st.floats(1e-6, 24.9),
    st.integers(1, 10_000),
    st.integers(1, 2**40),
)
@settings(deadline=None, max_examples=300)
def test_noise_loses_what_is_allowed_and_no_more(kind, size, l0, linf):
    """The scale is rounded up by a few floats at most; less noise would lose too much."""
    mechanism = AdditiveMechanism.of(kind(size), Sensitivity(l0, linf))
    (lost,) = asdict(mechanism.loss).values()
    assert size * (1 - 2**-50) <= lost <= size
    smaller = math.nextafter(mechanism.scale, 0) * (1 - 2**-50)
    assert max(asdict(replace(mechanism, scale=smaller).loss).values()) > size


@pytest.mark.parametrize("mechanism", [p for p in ADDITIVE if p.values[0].noise == "gaussian"])
def test_gaussian_std_includes_rounding(mechanism):
    if mechanism.scale > 1:
        expected = math.sqrt(mechanism.scale**2 + 1 / 12)
        assert noise_std(mechanism) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdditiveMechanism("laplace", 0.003, 1, 1), "epsilon of one mechanism is 333"),
        (
            lambda: AdditiveMechanism("gaussian", 0.03, 1, 1),
            "mu of one mechanism is 33.*25",
        ),
        (
            lambda: AdditiveMechanism("gaussian", 0.0, 1, 1),
            "scale is 0.0; allowed: a finite",
        ),
        (lambda: AdditiveMechanism("laplace", math.inf, 1, 1), "scale is inf; allowed"),
        (lambda: AdditiveMechanism("laplace", math.nan, 1, 1), "scale is nan; allowed"),
    ],
)
def test_noise_outside_its_range_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("mechanism", LARGE)
def test_half_width_is_the_quantile_of_the_noise(mechanism):
    h = half_width_95(mechanism)
    upper = rounded_cdf(mechanism, np.array([h - 0.5, -h - 0.5]))
    assert upper[0] - upper[1] == pytest.approx(0.95, abs=2e-4)


@pytest.mark.parametrize("mechanism", ROUNDED)
def test_half_width_covers_the_rounded_noise(mechanism):
    """The noise is rounded: within -h..h are the whole numbers up to floor(h)."""
    h = math.floor(half_width_95(mechanism))
    below = rounded_cdf(mechanism, np.array([-h - 1, h]))
    assert below[1] - below[0] >= 0.95 - 2e-4


@pytest.mark.parametrize("mechanism", ROUNDED)
def test_std_includes_the_rounding(mechanism):
    assert noise_std(mechanism) == pytest.approx(math.sqrt(rounded_variance(mechanism)), rel=0.01)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LARGE)
def test_half_width_covers_95_percent_of_draws(mechanism):
    """False alarms: 1e-7."""
    draws, h = sample(mechanism), half_width_95(mechanism)
    assert rate_fits(int((abs(draws) <= h).sum()), DRAWS, 0.95)
    for wrong in WRONG:
        assert not rate_fits(int((abs(draws) <= wrong * h).sum()), DRAWS, 0.95)


# Refusals.


def test_the_largest_scale_is_allowed_and_no_larger():
    largest = LAPLACE["scale 2^40"]
    assert noise_scale(largest) == MAX_NOISE_SCALE
    for larger in (replace(largest, scale=largest.scale + 1), laplace(2.0**-11, 2, 2**29)):
        with pytest.raises(ValueError, match=r"noise scale is .*allowed: at most .*granularity"):
            noise_scale(larger)


@pytest.mark.parametrize("function", [noise_scale, noise_std, half_width_95, draw_noise])
def test_every_use_of_too_large_a_scale_is_refused(function):
    with pytest.raises(ValueError, match="noise scale"):
        function(AdditiveMechanism("gaussian", 2.0**40 + 1, 100, 2**29))


# Partition selection.


@pytest.mark.parametrize("mechanism", SELECTIONS)
def test_release_probability_is_the_closed_form(mechanism):
    for units in range(60):
        assert release_probability(mechanism, units) == pytest.approx(
            exact_release_probability(mechanism, units), abs=1e-3
        )


ONE_PARTITION = [
    (strategy, epsilon, delta, pre)
    for strategy in ("truncated_geometric", "laplace", "gaussian")
    for epsilon, delta, pre in ((0.8, 0.1, None), (0.8, 0.1, 5), (3.0, 1e-4, 2))
]


@pytest.mark.parametrize(("strategy", "epsilon", "delta", "pre"), ONE_PARTITION)
def test_selection_satisfies_epsilon_delta(strategy, epsilon, delta, pre):
    """For each count and the next, released and not released, in both directions."""
    mechanism = selection(strategy, epsilon, delta, 1, pre)
    keep = [release_probability(mechanism, units) for units in range(100)]
    limit, delta = math.exp(epsilon), delta + 1e-12
    for fewer, more in pairwise(keep):
        assert more <= limit * fewer + delta
        assert fewer <= limit * more + delta
        assert 1 - fewer <= limit * (1 - more) + delta
        assert 1 - more <= limit * (1 - fewer) + delta


@pytest.mark.parametrize("strategy", ["laplace", "gaussian"])
@pytest.mark.parametrize("pre", [None, 1, 7])
@pytest.mark.parametrize(("epsilon", "delta", "l0"), [(0.5, 1e-6, 3), (2.0, 1e-2, 1), (9, 0.2, 40)])
def test_thresholds_are_those_of_pydp(strategy, pre, epsilon, delta, l0):
    """PyDP divides epsilon and delta as `selection` does. It rounds sigma up by 0.3 % at most."""
    ours = selection(strategy, epsilon, delta, l0, pre)
    theirs = create_partition_strategy(strategy, epsilon, delta, l0, *([pre] if pre else []))
    if pre is None:
        assert selection_threshold(ours) == pytest.approx(theirs.threshold, rel=4e-3, abs=3e-3)
    for units in (0, 1, 2, 6, 7, 8, 20, 50, 100, 1000):
        assert release_probability(ours, units) == pytest.approx(
            theirs.probability_of_keep(units), abs=0.01
        )


def release_rates(mechanism, counts=COUNTS, size=10_000):
    kept = select(np.repeat(np.array(counts, np.int64), size), mechanism)
    assert kept.dtype == np.bool_
    return kept.reshape(len(counts), size).sum(axis=1).tolist(), size


def rates_fit(actual, declared):
    hits, size = release_rates(actual)
    return all(
        rate_fits(hit, size, release_probability(declared, units))
        for units, hit in zip(COUNTS, hits, strict=True)
    )


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", SELECTIONS)
def test_release_rate_matches_release_probability(mechanism):
    """False alarms: 1e-6 (ten counts, Clopper-Pearson)."""
    assert rates_fit(mechanism, mechanism)


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", SELECTIONS)
@pytest.mark.parametrize("factor", WRONG)
def test_a_wrong_scale_of_selection_is_noticed(mechanism, factor):
    """False alarms: below 1e-12, worked out from the binomial tails of all counts."""
    assert not rates_fit(with_scale(mechanism, factor), mechanism)


def with_scale(mechanism, factor):
    """The mechanism whose noise is so many times as large."""
    if mechanism.strategy == "truncated_geometric":
        return replace(mechanism, epsilon=mechanism.epsilon / factor)
    noise = replace(mechanism.noise, scale=mechanism.noise.scale * factor)
    return replace(mechanism, noise=noise)


LONE = [
    selection(strategy, 1.0, 0.2, l0, pre)
    for strategy in ("truncated_geometric", "laplace", "gaussian")
    for l0 in (1, 4)
    for pre in (None, 1)
]


def lone_releases(mechanism, trials=40_000):
    """How often one unit, alone in l0 partitions, makes any of them show."""
    kept = select(np.ones(trials * mechanism.l0, np.int64), mechanism)
    return int(kept.reshape(trials, mechanism.l0).any(axis=1).sum()), trials


def shows_more_than(delta, hits, trials):
    """Is the lower Clopper-Pearson bound above delta?"""
    return binom.sf(hits - 1, trials, delta) < FALSE_ALARM


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LONE)
def test_a_lone_unit_shows_with_probability_at_most_delta(mechanism):
    """False alarms: 1e-7."""
    assert not shows_more_than(mechanism.delta, *lone_releases(mechanism))


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LONE)
def test_a_lone_unit_that_shows_20_percent_more_often_is_noticed(mechanism):
    """False alarms: below 1e-12."""
    wrong = replace(mechanism, delta=mechanism.delta * 1.2)
    assert shows_more_than(mechanism.delta, *lone_releases(wrong))


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", LONE)
def test_a_lone_unit_shows_as_often_as_the_closed_form_says(mechanism):
    """False alarms: 1e-7; the probability that a rate 20 % off passes is below 1e-9."""
    hits, trials = lone_releases(mechanism)
    expected = 1 - (1 - one_unit_probability(mechanism)) ** mechanism.l0
    assert rate_fits(hits, trials, expected)
    assert not rate_fits(hits, trials, expected / 1.2)
    assert not rate_fits(hits, trials, expected * 1.2)


@pytest.mark.parametrize("strategy", ["truncated_geometric", "laplace", "gaussian"])
def test_fewer_units_than_the_pre_threshold_are_never_released(strategy):
    mechanism = selection(strategy, 1.0, 0.4, 1, 6)
    below = np.tile(np.arange(6, dtype=np.int64), 5_000)
    assert not select(below, mechanism).any()
    assert [release_probability(mechanism, units) for units in range(6)] == [0.0] * 6
    # The check has power: without the rule, the same partitions do show.
    assert select(below, replace(mechanism, pre_threshold=None)).any()
    assert select(np.full(5_000, 6, np.int64), mechanism).any()


@pytest.mark.parametrize("mechanism", SELECTIONS)
def test_empty_partitions_are_never_released(mechanism):
    assert not select(np.zeros(20_000, np.int64), mechanism).any()
    assert select(np.empty(0, np.int64), mechanism).tolist() == []


@pytest.mark.statistical
@pytest.mark.parametrize("mechanism", [p for p in SELECTIONS if p.values[0].l0 == 1])
def test_choices_are_independent(mechanism):
    """False alarms: 2e-7. Partitions next to each other agree as often as their rate says."""
    units = round(selection_threshold(mechanism))
    kept, again = (select(np.full(DRAWS, units, np.int64), mechanism) for _ in range(2))
    rate = release_probability(mechanism, units)
    agree = rate**2 + (1 - rate) ** 2
    assert rate_fits(int((kept == again).sum()), DRAWS, agree)
    assert rate_fits(int((kept[::2] == kept[1::2]).sum()), DRAWS // 2, agree)
    repeated = np.where(np.arange(DRAWS) % 5, again, kept)
    assert not rate_fits(int((kept == repeated).sum()), DRAWS, agree)


@pytest.mark.parametrize("mechanism", SELECTIONS)
def test_threshold_divides_likely_from_unlikely(mechanism):
    threshold = selection_threshold(mechanism)
    below, above = math.ceil(threshold) - 1, math.ceil(threshold)
    assert release_probability(mechanism, above) >= 0.5
    assert release_probability(mechanism, below) < 0.5


@pytest.mark.parametrize("delta", [1e-12, 1e-6, 0.1])
@pytest.mark.parametrize("pre", [None, 1, 20])
@pytest.mark.parametrize("l0", [1, 8])
def test_threshold_is_the_closed_form(delta, pre, l0):
    shift = 0 if pre is None else pre - 1
    by_laplace = selection("laplace", 0.7, delta, l0, pre)
    expected = 1 - l0 / 0.7 * math.log(2 * one_unit_probability(by_laplace)) + shift
    assert selection_threshold(by_laplace) == pytest.approx(expected, rel=1e-3)

    gaussian = selection("gaussian", 0.7, delta, l0, pre)
    quantile = -inverse_phi(one_unit_probability(gaussian))
    expected = 1 + selection_scale(gaussian) * quantile + shift
    assert selection_threshold(gaussian) == pytest.approx(expected, rel=1e-3)

    geometric = selection("truncated_geometric", 0.7, delta, l0, pre)
    exact = next(n for n in range(10**6) if exact_release_probability(geometric, n) >= 0.5)
    assert selection_threshold(geometric) == exact


# Rounding of truncated geometric selection.


@pytest.mark.parametrize(
    ("epsilon", "delta", "l0"),
    [(1.0, 1e-8, 1), (6.0, 1e-9, 1), (1.0, 1e-10, 100), (8.0, 1e-10, 1), (0.01, 1e-12, 1)],
)
def test_the_rounding_of_probabilities_is_within_delta(epsilon, delta, l0):
    """What PyDP returns, as it is: neighbours in one partition, where both are near 0 or near 1."""
    chosen = GeometricSelection(epsilon, delta, l0)
    assert 0 < chosen.drawn_delta < delta
    each, own = epsilon / l0, -math.expm1(math.log1p(-delta) / l0)
    middle = int(selection_threshold(chosen))
    keep = [release_probability(chosen, units) for units in range(max(0, middle - 60), 4 * middle)]
    for one, more in pairwise(keep):
        for first, second in ((one, more), (more, one)):
            assert first - math.exp(each) * second <= own
            assert (1 - first) - math.exp(each) * (1 - second) <= own


@pytest.mark.parametrize(
    ("epsilon", "delta", "l0"),
    [(14.0, 1e-10, 1), (34.88, 1e-8, 1), (1.0, 1e-15, 1), (40.0, 1e-8, 1)],
)
def test_selection_whose_rounding_shows_is_refused(epsilon, delta, l0):
    """PyDP loses 1.7 to 10^8 times delta there (measured from its own probabilities)."""
    with pytest.raises(
        ValueError, match=r"allowed, for its rounding: at most .* another selection"
    ):
        GeometricSelection(epsilon, delta, l0)


# Processes.


def in_fork(action):
    """Runs the action in a forked child and returns what came of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
            outcome = "drew"
        except BaseException as error:
            outcome = type(error).__name__
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        outcome = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return outcome


SELECTION = selection("laplace", 1.0, 0.1, 1)


@pytest.mark.parametrize(
    "action",
    [
        lambda: draw_noise(LAPLACE["scale 1e6"], 1),
        lambda: draw_noise(GAUSSIAN["std 1e6"], 1),
        lambda: draw_noise(LAPLACE["scale 1"], 0),
        lambda: select(np.array([3]), SELECTION),
        lambda: in_fork(lambda: None) and select(np.array([3]), SELECTION),
    ],
    ids=["laplace", "gaussian", "no values", "selection", "after another fork"],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_draws_nothing(action):
    action()
    assert in_fork(action) == NoiseAfterForkError.__name__
    assert in_fork(lambda: in_fork(action) == NoiseAfterForkError.__name__ or 1 / 0) == "drew"
    action()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_that_draws_nothing_may_ask_for_the_error():
    assert in_fork(lambda: noise_std(LAPLACE["scale 1"])) == "drew"


def draw_in_child():
    large = LAPLACE["scale 1e6"]
    return os.getpid(), draw_noise(large, 8).tolist(), select(np.array([10**6]), SELECTION).tolist()


@pytest.mark.statistical
def test_spawned_processes_draw_their_own_noise():
    """False alarms: below 1e-30."""
    context = multiprocessing.get_context("spawn")
    results = [draw_in_child()]
    for _ in range(2):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            results.append(pool.submit(draw_in_child).result())
    assert len({pid for pid, _, _ in results}) == 3
    assert len({tuple(draws) for _, draws, _ in results}) == 3
    assert all(kept == [True] for _, _, kept in results)
