"""Changes against noise: an obvious oracle, tails that are never too light, Holm's rule by hand."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from transforms.published.changes import compare, larger_than_noise, p_values
from transforms.published.totals import total_by

KEYS = ["country", "emoji"]


def table(rows):
    """Returns a table of (country, emoji, value, std)."""
    return pl.DataFrame(
        {
            "country": [row[0] for row in rows],
            "emoji": [row[1] for row in rows],
            "n": [row[2] for row in rows],
            "n_std": [row[3] for row in rows],
            "n_low": [None if row[2] is None else row[2] - 1.0 for row in rows],
            "n_high": [None if row[2] is None else row[2] + 1.0 for row in rows],
        },
        schema_overrides={
            "country": pl.String,
            "emoji": pl.String,
            "n": pl.Int64,
            **dict.fromkeys(["n_std", "n_low", "n_high"], pl.Float64),
        },
        strict=False,
    )


numbers = st.one_of(st.none(), st.integers(-50, 50))
published = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y", None])),
    st.tuples(numbers, st.sampled_from([0.0, 1.0, 3.0])),
).map(lambda found: [(*key, *value) for key, value in found.items()])


@settings(deadline=None)
@given(new=published, old=published, kind=st.sampled_from(["laplace", "gaussian"]))
def test_numbers_of_both_releases_are_compared_row_by_row(new, old, kind):
    found = compare(table(new), table(old), KEYS, {"n": kind})
    before = {row[:2]: row[2:] for row in old}
    expected = {}
    for country, emoji, value, std in new:
        other, other_std = before.get((country, emoji), (None, None))
        if value is None or other is None or std == other_std == 0:
            continue
        expected[country, emoji] = (other, value, value - other, math.hypot(std, other_std))
    columns = ["before", "after", "change", "std"]
    rows = {row[:2]: row[2:] for row in found.select(*KEYS, *columns).iter_rows()}
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        assert row == pytest.approx(expected[key])
    half_widths = (found["high"] - found["low"]) / 2 / found["std"]
    width = 1.959964 if kind == "gaussian" else math.log(20) / math.sqrt(2)
    assert half_widths.to_list() == pytest.approx([width] * found.height)


def test_nothing_to_compare_is_no_error():
    assert compare(table([]), table([]), KEYS, {"n": "laplace"}).height == 0
    assert compare(table([]), table([]), KEYS, {}).height == 0


def test_gaussian_p_values_are_those_of_the_normal_distribution():
    ratio = np.array([-3.0, 0.0, 1.96, 8.0])
    assert p_values(ratio, "gaussian") == pytest.approx(2 * stats.norm.sf(np.abs(ratio)))


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("kinds", [("laplace", "laplace"), ("laplace", "gaussian")])
def test_p_values_with_laplace_noise_are_never_too_small_where_it_matters(part, kinds):
    """The exact tail of a sum of two draws with variances `part` and 1 - `part`, by integration."""
    first, second = kinds
    scales = [math.sqrt(1 - part), math.sqrt(part)]
    laplace = stats.laplace(scale=scales[0] / math.sqrt(2))
    other = (
        stats.laplace(scale=scales[1] / math.sqrt(2))
        if second == first
        else stats.norm(0, scales[1])
    )
    for ratio in (2.2, 3.0, 5.0, 8.0):
        exact = 2 * laplace.sf(ratio)
        if part:
            exact = (
                2
                * integrate.quad(
                    lambda x, ratio=ratio: other.pdf(x) * laplace.sf(ratio - x),
                    -40,
                    40,
                    points=[0, ratio],
                )[0]
            )
        assert p_values(np.array([ratio]), "laplace")[0] >= exact * 0.999


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.5))
def test_holms_rule_by_hand(values, false_alarm):
    called = larger_than_noise(np.array(values, dtype=float), false_alarm)
    order = sorted(range(len(values)), key=lambda place: values[place])
    expected = [False] * len(values)
    for rank, place in enumerate(order):
        if values[place] > false_alarm / (len(values) - rank):
            break
        expected[place] = True
    assert called.tolist() == expected


def test_noise_alone_is_called_a_change_in_at_most_one_release_of_twenty():
    """A simulation with a fixed seed: 2,000 releases of 50 numbers in which nothing changed."""
    draws = np.random.Generator(np.random.MT19937(7)).laplace(size=(2, 2000, 50))
    ratio = (draws[0] - draws[1]) / 2.0
    alarms = sum(larger_than_noise(p_values(row, "laplace")).any() for row in ratio)
    assert 0 < alarms <= 0.05 * 2000


def test_sums_over_keys_have_the_error_of_a_sum():
    rows = table(
        [("a", "x", 3, 1.0), ("a", "y", 4, 2.0), ("b", "x", -1, 1.0), ("b", "y", None, 1.0)]
    )
    total = total_by(rows, ["country"], "n", "gaussian")
    assert total["country"].to_list() == ["a", "b"]
    assert total["n"].to_list() == [7, -1]
    assert total["n_std"].to_list() == pytest.approx([math.sqrt(5), 1.0])
    assert (total["n_high"] - total["n"]).to_list() == pytest.approx(
        [1.959964 * math.sqrt(5), 1.959964]
    )
