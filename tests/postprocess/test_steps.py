"""Selecting, clamping and rounding released tables: values, errors, order, and what they read."""

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from released import assert_coverage, draw, released, table
from scipy.integrate import quad

from transforms.postprocess import (
    ClampAtZero,
    Minimum,
    PercentChange,
    Ratio,
    Round,
    Suppress,
    Top,
    clamp_at_zero,
    clamp_bias,
    minimum,
    post_process,
    round_to,
    suppress,
    top_k,
)

N = ["n", "n_std", "n_low", "n_high"]


# Rounding


@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=1),
    st.one_of(st.integers(1, 20), st.integers(1, 10**15)),
)
def test_whole_numbers_are_rounded_exactly(values, multiple):
    frame = pl.DataFrame({"n": values, "n_low": values, "n_high": values, "n_std": 1.0})
    done = round_to(frame, "n", multiple)
    assert done["n"].to_list() == [round(Fraction(v, multiple)) * multiple for v in values]
    assert done["n_low"].to_list() == [v // multiple * multiple for v in values]
    assert done["n_high"].to_list() == [-(-v // multiple) * multiple for v in values]
    assert done.schema["n"] == pl.Int64


def test_halves_go_to_the_even_multiple():
    done = round_to(table(n=([-15, -5, 5, 15, 25, None], [1.0] * 6)), "n", 10)
    assert done["n"].to_list() == [-20, 0, 0, 20, 20, None]


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1),
    st.sampled_from([1e-3, 0.1, 0.25, 0.3, 1, 2.5, 10, 1e6]),
)
def test_numbers_with_a_fraction_are_rounded_to_the_nearest(values, multiple):
    done = round_to(released("n", values, [1.0] * len(values)), "n", multiple)
    for value, row in zip(values, done.iter_rows(named=True), strict=True):
        steps = row["n"] / multiple
        assert abs(steps - round(steps)) <= 1e-6 + 1e-15 * abs(steps)
        assert abs(row["n"] - value) <= multiple / 2 * (1 + 1e-6) + 1e-6
        assert math.copysign(1, row["n"]) == 1 or row["n"] < 0


def test_decimals_stay_decimals():
    done = round_to(released("n", [0.31, 0.68, 1.149, 5.71], [1.0] * 4), "n", 0.1)
    assert done["n"].to_list() == [0.3, 0.7, 1.1, 5.7]


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1),
    st.floats(0.1, 1e6),
    st.sampled_from([0.01, 0.5, 3, 10, 1e5]),
)
def test_rounded_intervals_hold_what_they_held(values, std, multiple):
    before = released("n", values, [std] * len(values))
    after = round_to(before, "n", multiple)
    slack = 1e-9 * (before["n_high"].abs() + before["n_low"].abs())
    assert (after["n_low"] <= before["n_low"] + slack).all()
    assert (after["n_high"] >= before["n_high"] - slack).all()
    assert (
        after["n_high"] - after["n_low"]
        <= 2 * multiple + before["n_high"] - before["n_low"] + slack
    ).all()


@pytest.mark.parametrize("multiple", [1, 2, 3, 4, 5, 10, 25, 1000])
def test_the_variance_of_rounding_whole_numbers_is_exact(multiple):
    values = list(range(40 * multiple, 42 * multiple))
    done = round_to(table(n=(values, [3.0] * len(values))), "n", multiple)
    variance = np.mean((done["n"].to_numpy() - np.array(values)) ** 2)
    assert done["n_std"].to_list() == pytest.approx([math.sqrt(9 + variance)] * len(values))


def test_the_variance_of_rounding_other_numbers():
    values = np.linspace(0, 5, 100_001)[:-1].tolist()
    done = round_to(released("n", values, [0.0] * len(values)), "n", 2.5)
    variance = np.mean((done["n"].to_numpy() - np.array(values)) ** 2)
    assert done["n_std"][0] ** 2 == pytest.approx(variance, rel=1e-6)


def test_rounding_to_one_changes_no_whole_number():
    frame = table(n=([5, -3, None], [1.0, 2.0, None]))
    assert_frame_equal(round_to(frame, "n", 1), frame)


@pytest.mark.parametrize("multiple", [0, -1, 1e-10, 1e16, math.inf, math.nan])
def test_multiples_out_of_range_are_refused(multiple):
    with pytest.raises(ValueError, match=r"^n is .*; allowed: from 1e-09 to 1e"):
        Round({"n": multiple})
    with pytest.raises(ValueError, match="allowed"):
        round_to(table(n=([5], [1.0])), "n", multiple)


# Clamping


def test_values_and_ends_of_intervals_are_clamped_and_std_stays():
    frame = pl.DataFrame(
        {"n": [-50, -5, 5, None], "n_std": [3.0, 3.0, 3.0, 3.0], "n_low": [-60, -15, -5, None]}
    ).with_columns(n_high=pl.Series([-40, 5, 15, None]))
    done = clamp_at_zero(frame, "n")
    assert done["n"].to_list() == [0, 0, 5, None]
    assert done["n_low"].to_list() == [0, 0, 0, None]
    assert done["n_high"].to_list() == [0, 5, 15, None]
    assert done["n_std"].to_list() == [3.0] * 4


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("value", [0.0, 0.5, 3.0, 20.0])
@pytest.mark.parametrize("std", [1.0, 7.0])
def test_the_bias_of_clamping_is_the_integral(noise, value, std):
    def density(x):
        if noise == "laplace":
            return math.exp(-abs(x) * math.sqrt(2) / std) / (std * math.sqrt(2))
        return math.exp(-((x / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))

    # E[max(0, v + X)] - v = E[max(0, -v - X)], which has X below -v only.
    expected, _ = quad(lambda x: (-value - x) * density(x), -value - 60 * std, -value, limit=500)
    assert clamp_bias(noise, std, value) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_bias_at_zero_is_what_the_docstring_says():
    assert clamp_bias("laplace", 1) == pytest.approx(0.354, abs=5e-4)
    assert clamp_bias("gaussian", 1) == pytest.approx(0.399, abs=5e-4)


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("truth", [0, 5, 40])
def test_clamped_and_rounded_intervals_still_hold_the_value(noise, truth):
    rng, size, std = np.random.default_rng(8), 100_000, 12.0
    values = (truth + draw(rng, noise, std, size)).tolist()
    frame = released("n", values, [std] * size, noise)
    for step in (ClampAtZero({"n": 1.0}), Round({"n": 5})):
        frame = step.apply(frame, [])
        held = frame.select(pl.lit(truth).is_between("n_low", "n_high")).to_series()
        assert_coverage(held)
    bias = frame["n"].mean() - truth
    assert bias == pytest.approx(clamp_bias(noise, std, truth), abs=6 * std / math.sqrt(size) + 0.1)


# Selecting


def test_suppression_nulls_all_four_columns_and_keeps_the_row():
    frame = table(
        n=([100, -100, 10, 0, None], [30.0] * 5),
        m=([1, 2, 3, 4, 5], [1.0] * 5),
    )
    done = suppress(frame, "n", 0.3)
    assert done["n"].to_list() == [100, -100, None, None, None]
    for column in N:
        assert done[column].is_null().to_list() == [False, False, True, True, True]
    assert done.drop(N).equals(frame.drop(N))


def test_suppression_reads_each_row_s_own_error():
    assert suppress(table(n=([100, 100], [29.0, 31.0])), "n", 0.3)["n"].to_list() == [100, None]


def test_minimum_keeps_what_is_at_least_that():
    done = minimum(table(n=([19, 20, 21, None, -30], [1.0] * 5)), "n", 20)
    assert done["k"].to_list() == [1, 2]


def test_top_keeps_the_largest_sorted_by_key():
    done = top_k(table(n=([5, 9, None, 7, 9, 1], [1.0] * 6)), ["k"], "n", 3)
    assert done["k"].to_list() == [1, 3, 4]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), unique=True), st.integers(1, 8))
def test_equal_values_are_kept_by_key_whatever_the_order_of_the_rows(keys, k):
    frame = pl.DataFrame(keys, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    frame = frame.with_columns(n=pl.col("b") // 3)
    done = top_k(frame, ["a", "b"], "n", k)
    rows = sorted(frame.rows(), key=lambda row: (-row[2], row[0], row[1]))[:k]
    assert done.rows() == sorted(rows)
    assert top_k(frame.reverse(), ["a", "b"], "n", k).equals(done)


def test_selection_biases_what_is_left_as_the_docstrings_say():
    """Of a thousand rows without anything in them, the top ten are all far above their truth, 0."""
    rng = np.random.default_rng(9)
    frame = table(n=(draw(rng, "laplace", 10.0, 1000).tolist(), [10.0] * 1000))
    done = top_k(frame, ["k"], "n", 10)
    assert (done["n_low"] > 0).all()


# Steps


def test_steps_apply_in_the_order_given():
    frame = table(n=([14, 15, -7], [1.0] * 3))
    round_first = post_process(frame, ["k"], [Round({"n": 10}), Minimum({"n": 15})])
    assert round_first["n"].to_list() == [20]
    minimum_first = post_process(frame, ["k"], [Minimum({"n": 14}), Round({"n": 10})])
    assert minimum_first["n"].to_list() == [10, 20]
    assert post_process(frame, ["k"], []).equals(frame)


BASELINE = pl.DataFrame({"k": [0, 1], "n": [50, 60], "n_std": [1.0, 1.0]})
STEPS = [
    Ratio("r", "n", "m", "laplace"),
    PercentChange("c", "n", "old.csv", BASELINE),
    Suppress({"n": 0.5, "r": 0.2}),
    Minimum({"n": 20, "m": 0.5}),
    Top("n", 2),
    ClampAtZero({"n": 3.5355339}),
    Round({"n": 10, "r": 0.5}),
]


def test_every_step_of_a_table_with_a_null_in_it_works():
    frame = table(n=([100, 90, 80, 1, None], [5.0] * 5), m=([10, 9, 20, 10, 10], [0.5] * 5))
    done = post_process(frame, ["k"], STEPS)
    assert done.columns == [
        *("k", *N, "m", "m_std", "m_low", "m_high"),
        *("r", "r_std", "r_low", "r_high", "c", "c_std", "c_low", "c_high"),
    ]
    assert done.select("k", "n", "r", "c").rows() == [(0, 100, 10.0, 100.0), (1, 90, 10.0, 50.0)]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_every_step_takes_a_table_without_rows(step):
    frame = table(n=([1], [1.0]), m=([1], [1.0]), r=([1.0], [1.0])).clear()
    if isinstance(step, Ratio | PercentChange):
        frame = frame.select("k", *N, "m", "m_std")
    assert step.apply(frame, ["k"]).height == 0


def test_steps_say_what_they_do_in_words_and_as_json():
    words = [str(step) for step in STEPS]
    chosen = "what stays was chosen by its noise, so its intervals hold less than 95 %"
    assert words == [
        "r is n / m, with Fieller's interval; null where m cannot be told from 0",
        "c is the change of n against old.csv in percent, with Fieller's interval; null where that "
        "has no such row or is not clearly above 0",
        f"nulled where std / |value| is above: n 0.5, r 0.2; {chosen}",
        f"dropped are rows below: n 20, m 0.5; {chosen}",
        "kept are the 2 rows with the largest n, of equals those with the smaller keys; " + chosen,
        "clamped at 0, which on average raises a true 0 in: n by 3.536",
        "rounded: n to 10, r to 0.5; intervals outwards, std with that of rounding",
    ]
    assert [step.to_dict()["step"] for step in STEPS] == [
        *("ratio", "percent_change", "suppress", "minimum", "top", "clamp_at_zero", "round")
    ]


def test_the_row_of_other_partitions_is_neither_ranked_nor_dropped():
    frame = pl.DataFrame(
        {
            "k": ["a", "b", "c", None],
            **{name: [5, 9, 1, 900] for name in ("n", "n_std", "n_low", "n_high")},
            **{name: [5, 9, 1, None] for name in ("users", "users_std", "users_low", "users_high")},
        }
    )
    top = Top("n", 1).apply(frame, ["k"])
    assert top["k"].to_list() == ["b", None]
    least = Minimum({"users": 4}).apply(frame, ["k"])
    assert least["k"].to_list() == ["a", "b", None]
