"""Ratio and percent change: values, errors, coverage, and what cannot be told from zero."""

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from released import assert_coverage, draw, released, table
from scipy.integrate import quad
from scipy.stats import norm

from transforms.postprocess import percent_change, quantile_95, ratio

COLUMNS = ["r", "r_std", "r_low", "r_high"]
STDS = st.floats(0.01, 100)
VALUES = st.floats(-1000, 1000)


def one_ratio(n, s, d, t, noise="laplace"):
    frame = ratio(table(n=([n], [s]), d=([d], [t])), "r", "n", "d", noise)
    return frame.select(COLUMNS).row(0)


# Quantiles


def tail_of_laplace_sum(quantile, stds):
    """P(|X| > q s) for a sum of Laplace noises of different standard deviations."""
    b = [s / math.sqrt(2) for s in stds]
    t = quantile * math.hypot(*stds)
    parts = [math.prod(x**2 / (x**2 - y**2) for y in b if y != x) * math.exp(-t / x) for x in b]
    return sum(parts)


def test_one_draw_is_within_the_quantile_with_probability_95_percent():
    assert 2 * norm.sf(quantile_95("gaussian")) == pytest.approx(0.05, rel=1e-12)
    assert tail_of_laplace_sum(quantile_95("laplace"), [3.0]) == pytest.approx(0.05, rel=1e-12)


@given(st.lists(st.integers(1, 300), min_size=2, max_size=5, unique=True))
def test_sums_of_laplace_noise_are_within_the_quantile_at_least_as_often(stds):
    apart = [s * (1 + 0.01 * number) for number, s in enumerate(sorted(stds))]
    tail = tail_of_laplace_sum(quantile_95("laplace"), apart)
    assert 0.034 < tail < 0.05 + 1e-9


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_laplace_with_gaussian_noise_too(share):
    """`share` of the variance is Laplace noise."""
    b, sigma, q = math.sqrt(share / 2), math.sqrt(1 - share), quantile_95("laplace")

    def density(x):
        return math.exp(-abs(x) / b) / (2 * b) * 2 * norm.sf((q - x) / sigma)

    ends = sorted({-40 * b, -b, 0.0, b, q, 40 * b + q})
    tail = sum(quad(density, a, c, limit=200)[0] for a, c in pairwise(ends))
    assert 0.034 < tail <= 0.05 + 1e-6


# Ratio


def test_a_ratio_by_hand():
    value, std, low, high = one_ratio(30.0, 3.0, 10.0, 1.0, "gaussian")
    q = quantile_95("gaussian")
    assert value == 3
    assert std == pytest.approx(math.sqrt(9 + 9) / 10)
    # Fieller: the roots of (30 - 10 r)^2 = q^2 (9 + r^2).
    a, b, c = 100 - q**2, -600, 900 - 9 * q**2
    root = math.sqrt(b**2 - 4 * a * c)
    assert (low, high) == pytest.approx(((-b - root) / (2 * a), (-b + root) / (2 * a)))


@given(n=VALUES, s=STDS, d=VALUES, t=STDS, noise=st.sampled_from(["laplace", "gaussian"]))
def test_the_ends_of_an_interval_are_q_standard_deviations_off(n, s, d, t, noise):
    """Fieller's theorem itself: the ends solve |n - r d| = q sqrt(s^2 + r^2 t^2)."""
    q = quantile_95(noise)
    row = one_ratio(n, s, d, t, noise)
    if abs(d) <= q * t:
        assert row == (None, None, None, None)
        return
    if abs(d) < 1.001 * q * t:
        return
    value, std, low, high = row
    assert value == pytest.approx(n / d)
    assert std == pytest.approx(math.hypot(s, n / d * t) / abs(d))
    assert low <= value <= high
    for end in (low, high):
        assert abs(n - end * d) == pytest.approx(q * math.hypot(s, end * t), rel=1e-6)


@pytest.mark.parametrize(
    ("n", "s", "d", "t"),
    [
        (5.0, 1.0, 0.0, 1.0),
        (5.0, 1.0, 0.0, 0.0),
        (5.0, 1.0, 2.1, 1.0),
        (5.0, 1.0, -2.1, 1.0),
        (None, 1.0, 100.0, 1.0),
        (5.0, 1.0, None, 1.0),
        (5.0, None, 100.0, 1.0),
        (5.0, 1.0, 100.0, None),
        (math.nan, 1.0, 100.0, 1.0),
        (5.0, 1.0, math.nan, 1.0),
        (5.0, 1.0, 100.0, math.nan),
        (1e300, 1.0, 1e-300, 0.0),
    ],
)
def test_a_ratio_that_says_nothing_is_null(n, s, d, t):
    frame = pl.DataFrame(
        {"n": [n], "n_std": [s], "d": [d], "d_std": [t]},
        schema=dict.fromkeys(["n", "n_std", "d", "d_std"], pl.Float64),
    )
    assert ratio(frame, "r", "n", "d").select(COLUMNS).row(0) == (None,) * 4


def test_a_ratio_of_large_whole_numbers_does_not_overflow():
    frame = ratio(table(n=([2**62], [1.0]), d=([2**61], [1.0])), "r", "n", "d")
    assert frame["r"][0] == 2


def test_a_ratio_reads_each_row_s_own_errors():
    frame = ratio(table(n=([30, 30], [1.0, 9.0]), d=([10, 10], [1.0, 1.0])), "r", "n", "d")
    assert frame["r_std"][0] < frame["r_std"][1]
    assert frame["r_high"][0] < frame["r_high"][1]


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize(("n", "d"), [(300, 100), (0, 30), (-50, 12), (7, 7), (2000, 5), (3, 1)])
def test_intervals_and_nulls_hold_the_ratio_in_95_percent_of_releases(noise, n, d):
    """Also close to zero, where most releases have no ratio."""
    rng, size, s, t = np.random.default_rng(5), 200_000, 10.0, 3.0
    frame = pl.DataFrame(
        {
            "n": n + draw(rng, noise, s, size),
            "d": d + draw(rng, noise, t, size),
            "n_std": np.full(size, s),
            "d_std": np.full(size, t),
        }
    )
    rows = ratio(frame, "r", "n", "d", noise)
    held = (
        rows["r"].is_null() | rows.select(pl.lit(n / d).is_between("r_low", "r_high")).to_series()
    )
    assert_coverage(held, at_most=0.967 if d >= 5 * t else 1)
    if noise == "gaussian" and d >= 10 * t:
        assert_coverage(held, at_most=0.95)


def test_the_stated_std_is_that_of_the_ratio():
    rng, size = np.random.default_rng(6), 400_000
    n, d = 300 + draw(rng, "gaussian", 10, size), 200 + draw(rng, "gaussian", 4, size)
    (std,) = ratio(table(n=([300.0], [10.0]), d=([200.0], [4.0])), "r", "n", "d")["r_std"]
    # The error of an empirical std is std / sqrt(2 size), 0.11 %; the delta method's is t^2 / d^2.
    assert np.std(n / d) == pytest.approx(std, rel=0.01)


# Percent change


def change(now, std, before, before_std):
    baseline = pl.DataFrame({"k": [0], "n": [before], "n_std": [before_std]})
    frame = percent_change(table(n=([now], [std])), ["k"], "r", "n", baseline)
    return frame.select(COLUMNS).row(0)


def test_percent_change_is_the_ratio_less_one_in_percent():
    n, s, d, t = 120.0, 3.0, 100.0, 4.0
    value, std, low, high = one_ratio(n, s, d, t)
    expected = (100 * (value - 1), 100 * std, 100 * (low - 1), 100 * (high - 1))
    assert change(n, s, d, t) == pytest.approx(expected)
    assert value == pytest.approx(1.2)


@pytest.mark.parametrize("before", [-100.0, 0.0, 8.0, None])
def test_percent_change_needs_a_baseline_that_is_clearly_above_zero(before):
    assert change(120.0, 3.0, before, 4.0) == (None,) * 4
    assert change(120.0, 3.0, 9.0, 4.0)[0] == pytest.approx(100 * (120 / 9 - 1))


def test_rows_meet_their_own_baseline_in_any_order():
    frame = pl.DataFrame({"a": ["x", "x", "y"], "b": [1, 2, 1]})
    frame = frame.hstack(released("n", [50, 60, 70], [1.0, 1.0, 1.0]))
    baseline = pl.DataFrame(
        {
            "b": [1, 1, 2, 9],
            "n_std": [1.0, 1.0, 1.0, 1.0],
            "n": [100, 10, 30, 77],
            "a": ["y", "x", "z", "x"],
        }
    )
    done = percent_change(frame, ["a", "b"], "r", "n", baseline)
    assert done["r"].to_list() == pytest.approx([400, None, -30])
    assert done.columns == [*frame.columns, *COLUMNS]
    assert done.select(frame.columns).equals(frame)


def test_a_baseline_with_two_rows_for_one_key_is_refused():
    baseline = pl.DataFrame({"k": [0, 0], "n": [1, 2], "n_std": [1.0, 1.0]})
    with pytest.raises(pl.exceptions.ComputeError):
        percent_change(table(n=([5], [1.0])), ["k"], "r", "n", baseline)


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("before", ["laplace", "gaussian"])
@pytest.mark.parametrize(("now", "then"), [(300, 100), (100, 100), (20, 25)])
def test_intervals_hold_the_change_in_95_percent_of_releases(noise, before, now, then):
    rng, size, s, t = np.random.default_rng(7), 100_000, 10.0, 5.0
    frame = pl.DataFrame(
        {
            "k": np.arange(size),
            "n": now + draw(rng, noise, s, size),
            "n_std": np.full(size, s),
        }
    )
    baseline = pl.DataFrame(
        {
            "k": np.arange(size),
            "n": then + draw(rng, before, t, size),
            "n_std": np.full(size, t),
        }
    )
    rows = percent_change(frame, ["k"], "r", "n", baseline)
    truth = 100 * (now / then - 1)
    held = (
        rows["r"].is_null() | rows.select(pl.lit(truth).is_between("r_low", "r_high")).to_series()
    )
    assert_coverage(held, at_most=0.967 if then > 25 else 1)
