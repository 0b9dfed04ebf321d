"""Means and variances: right on real numbers, within their range on none, with honest intervals."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.budget import Budget
from transforms.draw import draw
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.metrics import Mean, Variance
from transforms.planning import plan_tables
from transforms.quotient import quotient
from transforms.render import render
from transforms.table import PublicKeys, Table

KEY = HashKey(b"a key only for tests")
CLIPS = [(0, 5), (-10, 10), (9, 11), (-3, 40), (1e6, 1e6 + 1)]


def planned(metric, values, *, noise="laplace", epsilon=1.0, copies=1):
    """The plan, and the exact sums of one partition, so many times."""
    table = Table("k", {"m": metric}, partitions=PublicKeys(pl.DataFrame({"k": [0]})), noise=noise)
    (plan,) = plan_tables({"t": table}, Budget(epsilon, 1e-6))
    rows = pl.DataFrame(
        {"u": range(len(values)), "k": [0] * len(values), "x": values},
        schema={"u": pl.Int64, "k": pl.Int64, "x": pl.Float64},
    )
    partials = exact_partials(rows.to_arrow(), ["u"], plan, KEY)
    return plan, pl.concat([partials] * copies).with_columns(k=pl.int_range(copies))


def released(metric, values, **options):
    plan, partials = planned(metric, values, **options)
    return render(draw(partials, plan).drawn, plan)


def without_noise(metric, values):
    plan, partials = planned(metric, values)
    return render(partials.select("k", *plan.drawn_columns), plan)["m"].item()


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("kind", [Mean, Variance])
def test_without_noise_they_are_those_of_clipped_values(kind, clip):
    """Within the rounding to a thousandth of the clip."""
    low, high = clip
    values = np.random.default_rng(1).normal((low + 2 * high) / 3, (high - low) / 3, 5_000)
    clipped = np.clip(values, low, high)
    exact = clipped.mean() if kind is Mean else clipped.var()
    unit = (high - low) if kind is Mean else (high - low) ** 2
    assert without_noise(kind("x", clip), values.tolist()) == pytest.approx(exact, abs=unit / 5_000)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-12, 12), min_size=1, max_size=20))
def test_whole_numbers_give_the_exact_mean_and_variance(values):
    clipped = np.clip(values, -10, 10)
    floats = [float(value) for value in values]
    mean = without_noise(Mean("x", (-10, 10), granularity=1), floats)
    variance = without_noise(Variance("x", (-10, 10), granularity=0.001), floats)
    assert mean == pytest.approx(clipped.mean(), abs=1e-12)
    assert variance == pytest.approx(clipped.var(), abs=0.01)


def test_rows_without_a_value_have_no_part_in_them():
    values = [2.0, None, math.nan, 4.0, None]
    assert without_noise(Mean("x", (0, 10), granularity=1), values) == 3
    assert without_noise(Variance("x", (0, 10)), values) == pytest.approx(1, abs=0.01)


@pytest.mark.statistical
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("kind", [Mean, Variance])
@pytest.mark.parametrize("values", [[], [4.0], [0.0, 5.0]], ids=str)
def test_partitions_of_few_rows_stay_within_the_possible(kind, values, noise):
    """Defect 21 of the peers: an empty partition had a mean of -30 for the clip [0, 5]."""
    frame = released(kind("x", (0, 5)), values, noise=noise, epsilon=0.3, copies=2_000)
    low, high = (0, 5) if kind is Mean else (0, 6.25)
    for column in ("m", "m_low", "m_high"):
        assert frame[column].is_between(low, high).all()
    assert (frame["m_low"] <= frame["m"]).all()
    assert (frame["m"] <= frame["m_high"]).all()
    assert (frame["m_std"] > 0).all()
    # Noise decides, so that both ends of the range are reached.
    assert {frame["m"].min(), frame["m"].max()} == {low, high}


@pytest.mark.statistical
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("kind", [Mean, Variance])
@pytest.mark.parametrize("clip", [(-10, 10), (9, 11)])
def test_on_many_rows_they_are_unbiased_and_as_exact_as_stated(kind, clip, noise):
    """False alarms: below 1e-9: 6.5 standard errors of the mean, 12 of the variance."""
    copies, (low, high) = 2_000, clip
    values = np.random.default_rng(2).uniform(low, high - (high - low) / 4, 4_000)
    exact = without_noise(kind("x", clip), values.tolist())
    frame = released(kind("x", clip), values.tolist(), noise=noise, copies=copies)
    std = frame["m_std"].mean()
    assert abs(frame["m"].mean() - exact) < 6.5 * std / math.sqrt(copies) + std**2
    ratio = ((frame["m"] - exact) ** 2).mean() / std**2
    assert abs(ratio - 1) < 12 * math.sqrt(5 / copies)
    assert ((frame["m_std"] / std - 1).abs() < 0.05).all()


@pytest.mark.statistical
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("kind", [Mean, Variance])
@pytest.mark.parametrize("size", [400, 4_000])
def test_95_percent_of_intervals_hold_the_value_before_noise(kind, size, noise):
    """False alarms: below 1e-6, that of 4000 intervals of 95 % less than 93 % hold it."""
    values = np.random.default_rng(4).uniform(-2, 9, size).tolist()
    metric = kind("x", (-10, 10))
    exact = without_noise(metric, values)
    frame = released(metric, values, noise=noise, epsilon=2.0, copies=4_000)
    held = ((frame["m_low"] <= exact) & (exact <= frame["m_high"])).mean()
    assert 0.93 < held < 0.985


NUMBERS = st.floats(-100, 100)
STDS = st.floats(0.01, 20)


@settings(deadline=None, max_examples=200)
@given(a=NUMBERS, s=STDS, b=NUMBERS.filter(lambda b: abs(b) > 0.1), t=STDS)
def test_the_interval_of_a_quotient_is_that_of_brute_force(a, s, b, t):
    """All r with |a - r b| at most q standard deviations of its noise, on a fine grid."""
    quantile = 1.96
    found = quotient(*(np.array([number]) for number in (a, s, b, t)), quantile)
    low, high = found.low.item(), found.high.item()
    if abs(b) <= quantile * t:
        assert (low, high) == (-math.inf, math.inf)
        return
    centre, width = (low + high) / 2, high - low
    for r in np.linspace(centre - width, centre + width, 201):
        inside = abs(a - r * b) <= quantile * math.hypot(s, r * t)
        slack = 1e-6 * (1 + abs(r) + width)
        assert inside or not low + slack < r < high - slack
        assert not inside or low - slack <= r <= high + slack
    assert low <= a / b <= high


def test_the_parts_of_a_mean_are_of_the_middle_of_the_clip():
    """A clip of [9, 11] costs noise of 1, not of 11."""
    plan, partials = planned(Mean("x", (9, 11), granularity=0.5), [9.0, 11.0, 12.0, 10.5])
    assert partials.select("m:rows", "m:sum").row(0) == (4, -2 + 2 + 2 + 1)
    assert plan.mechanisms["m:sum"].linf == 2
    assert plan.mechanisms["m:rows"].linf == 1


@pytest.mark.parametrize("clip", [(-10, 10), (9, 11), (0, 7)])
def test_squares_are_less_their_middle(clip):
    """So their sensitivity is half of the largest square: 50 for [-10, 10], in its unit."""
    plan, _ = planned(Variance("x", clip), [])
    noise = plan.metrics[0].noises[2]
    half = ((clip[1] - clip[0]) / 2) ** 2 / 2
    stated = noise.mechanism.linf * float(noise.component.granularity)
    assert stated == pytest.approx(half, rel=2e-3)
