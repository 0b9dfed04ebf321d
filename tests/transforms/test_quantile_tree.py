"""Quantiles: exact without noise, in order, from one noisy tree, with honest intervals."""

import math
from collections import Counter
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.budget import Budget
from transforms.draw import draw
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.metrics import Quantiles
from transforms.planning import plan_tables
from transforms.quantile_tree import LeafCounts, TreeShape, search
from transforms.render import render
from transforms.table import PublicKeys, Table

RANKS = (0.01, 0.25, 0.5, 0.75, 0.9, 0.99)
LEAVES = [2, 3, 7, 100, 1001, 2**23]


def unchanged(counts):
    return counts


def leaf_counts(*partitions):
    """Leaves of partitions, in no order and with repeats."""
    rows = [(place, leaf) for place, leaves in enumerate(partitions) for leaf in leaves]
    rows = rows[::2] + rows[1::2]
    return LeafCounts(
        np.array([place for place, _ in rows], np.int64),
        np.array([leaf for _, leaf in rows], np.uint64),
        np.ones(len(rows), np.int64),
        len(partitions),
    )


def gaussian(std, seed=1):
    generator = np.random.default_rng(seed)
    return lambda counts: counts + np.rint(generator.normal(0, std, counts.shape)).astype(np.int64)


@pytest.mark.parametrize("leaves", LEAVES)
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_without_noise_quantiles_are_exact(leaves, data):
    """A share r of the values is at or below the leaf, and no more than that is before it."""
    values = data.draw(st.lists(st.integers(0, leaves - 1), min_size=1, max_size=40))
    others = data.draw(st.lists(st.integers(0, leaves - 1), min_size=1, max_size=5))
    counts = leaf_counts(others, values, others)
    found = search(counts, RANKS, TreeShape.of(leaves), 0.0, unchanged)
    for rank, leaf in zip(RANKS, found.leaf[1].tolist(), strict=True):
        assert leaf in values
        assert sum(value <= leaf for value in values) >= rank * len(values) - 1e-6
        assert sum(value < leaf for value in values) <= rank * len(values) + 1e-6
    assert found.low[1].tolist() == found.leaf[1].tolist() == found.high[1].tolist()


@given(
    leaves=st.sampled_from(LEAVES),
    size=st.integers(0, 300),
    std=st.sampled_from([0.5, 5.0, 100.0]),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=60)
def test_quantiles_and_ends_of_intervals_are_in_order(leaves, size, std, seed):
    values = np.random.default_rng(seed).integers(0, leaves, size).tolist()
    counts = leaf_counts(values, [], values)
    found = search(counts, RANKS, TreeShape.of(leaves), std, gaussian(std, seed))
    for ends in (found.low, found.leaf, found.high):
        assert ends.shape == (3, len(RANKS))
        assert ((ends >= 0) & (ends < leaves)).all()
        assert (np.diff(ends) >= 0).all()
    assert (found.low <= found.leaf).all()
    assert (found.leaf <= found.high).all()


def test_all_searches_of_a_partition_see_the_same_noise():
    """Equal ranks give equal leaves, and what is drawn once is not drawn again."""
    drawn = []

    def counted(counts):
        drawn.append(counts.size)
        return noise(counts)

    noise = gaussian(50.0)
    counts = leaf_counts(*([list(range(0, 1000, 7))] * 20))
    shape = TreeShape.of(1001)
    found = search(counts, (0.5, 0.5, 0.5), shape, 50.0, counted)
    assert (found.leaf == found.leaf[:, :1]).all()
    assert (found.low == found.low[:, :1]).all()
    once = sum(drawn)
    assert once <= 20 * shape.branching * (1 + 3 * (shape.height - 1))
    # Partitions do not share noise.
    assert len(set(found.leaf[:, 0].tolist())) > 10


def test_partitions_without_values_give_the_middle_and_no_bounds():
    found = search(leaf_counts([], []), (0.1, 0.9), TreeShape.of(1001), 3.0, unchanged)
    assert found.leaf.tolist() == [[500, 500]] * 2
    assert found.low.tolist() == [[0, 0]] * 2
    assert found.high.tolist() == [[1000, 1000]] * 2


def test_a_tree_whose_counts_are_all_negative_gives_the_middle():
    found = search(leaf_counts([3]), (0.5,), TreeShape.of(1001), 3.0, lambda counts: counts - 9)
    assert (found.leaf.item(), found.low.item(), found.high.item()) == (500, 0, 1000)


def test_no_partitions_give_no_quantiles():
    found = search(leaf_counts(), (0.5, 0.9), TreeShape.of(1001), 3.0, unchanged)
    assert found.leaf.shape == found.low.shape == found.high.shape == (0, 2)


def test_an_item_that_is_listed_twice_counts_twice():
    once = LeafCounts(np.zeros(3, np.int64), np.array([1, 1, 5], np.uint64), np.array([4, 4, 7]), 1)
    assert search(once, (0.5,), TreeShape.of(7), 0.0, unchanged).leaf.item() == 1


@pytest.mark.parametrize("leaves", [2, 3, 10, 1000, 8191, 2**20, 2**23])
def test_the_shape_has_the_smallest_error_of_a_rank(leaves):
    shape = TreeShape.of(leaves)
    assert shape.branching**shape.height >= leaves
    errors = [
        math.sqrt(height) * math.sqrt(height * (branching / 4 + 1))
        for branching, height in product(range(2, 200), range(1, 24))
        if branching**height >= leaves
    ]
    assert shape.rank_std(math.sqrt(shape.height)) <= min(errors) + 1e-9


def test_every_leaf_of_a_huge_tree_is_found():
    leaves = [0, 1, 2**22, 2**23 - 2, 2**23 - 1]
    counts = leaf_counts(*([leaf] for leaf in leaves))
    found = search(counts, (0.5,), TreeShape.of(2**23), 0.0, unchanged)
    assert found.leaf[:, 0].tolist() == leaves


# The metric.

SHAPES = {
    "uniform": lambda rng: rng.uniform(0, 100, 2_000),
    "skewed": lambda rng: rng.exponential(8, 2_000),
    "two clusters": lambda rng: np.concatenate([rng.normal(10, 1, 900), rng.normal(90, 2, 1_100)]),
    "one value": lambda rng: np.full(2_000, 37.0),
    "few rows": lambda rng: rng.uniform(20, 60, 300),
}
COPIES = 2_000


def released(values, metric, *, noise="gaussian", epsilon=1.0, copies=COPIES):
    """The same partition so many times, each with noise of its own."""
    plan, partials = planned(values, metric, noise=noise, epsilon=epsilon, copies=copies)
    return render(draw(partials, plan).drawn, plan)


def planned(values, metric, *, noise="gaussian", epsilon=1.0, copies=1):
    table = Table("k", {"q": metric}, partitions=PublicKeys(pl.DataFrame({"k": [0]})), noise=noise)
    (plan,) = plan_tables({"t": table}, Budget(epsilon, 1e-6))
    rows = pl.DataFrame({"u": range(len(values)), "k": [0] * len(values), "x": values})
    partials = exact_partials(rows.to_arrow(), ["u"], plan, HashKey.draw())
    return plan, pl.concat([partials] * copies).with_columns(k=pl.int_range(copies))


@pytest.mark.statistical
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_hold_the_exact_quantile_in_90_percent_of_releases(shape, noise):
    """False alarms: below 1e-12, that of 2000 intervals of 94 % more than 10 % do not hold it."""
    values = np.clip(SHAPES[shape](np.random.default_rng(3)), 0, 100)
    metric = Quantiles("x", (0.1, 0.5, 0.9), (0, 100), granularity=0.5)
    frame = released(values.tolist(), metric, noise=noise)
    grid = np.sort(np.rint(values * 2) / 2)
    for name, rank in (("q_p10", 0.1), ("q_p50", 0.5), ("q_p90", 0.9)):
        exact = float(grid[math.ceil(rank * len(grid)) - 1])
        held = ((frame[f"{name}_low"] <= exact) & (exact <= frame[f"{name}_high"])).mean()
        assert held >= 0.9, name


@pytest.mark.parametrize(
    ("deviations", "median", "others"), [(1, (0.85, 0.95), (0.7, 0.95)), (10, (0.95, 1), (0.94, 1))]
)
@pytest.mark.parametrize("leaves", [101, 10_001])
def test_intervals_hold_less_where_there_are_few_rows(leaves, deviations, median, others):
    """As the docstring of the module says; rows are counted in standard deviations of a rank."""
    shape, std, copies = TreeShape.of(leaves), 10.0, 2_000
    rows = round(deviations * shape.rank_std(std))
    values = np.sort(np.random.default_rng(1).integers(0, leaves, rows))
    counts = LeafCounts(
        np.repeat(np.arange(copies), rows),
        np.tile(values, copies).astype(np.uint64),
        np.ones(rows * copies, np.int64),
        copies,
    )
    ranks = (0.1, 0.5, 0.9)
    found = search(counts, ranks, shape, std, gaussian(std))
    exact = values[[math.ceil(rank * rows) - 1 for rank in ranks]]
    low, middle, high = ((found.low <= exact) & (exact <= found.high)).mean(axis=0)
    assert median[0] <= middle <= median[1]
    assert others[0] <= min(low, high) <= max(low, high) <= others[1]


@pytest.mark.statistical
def test_intervals_get_narrow_with_much_budget():
    values = np.random.default_rng(3).uniform(0, 100, 5_000)
    frame = released(values.tolist(), Quantiles("x", (0.5,), (0, 100)), epsilon=40.0, copies=20)
    assert (frame["q_p50_high"] - frame["q_p50_low"]).max() < 2
    assert (frame["q_p50"] - np.median(values)).abs().max() < 1


@pytest.mark.parametrize(
    ("clip", "step", "values", "median"),
    [
        ((-10, 10), 1, [-10, -7, 9], -7),
        ((-10, 10), 0.5, [-9.75, -9.25, 9], -9.0),
        ((2.5, 10), 1, [3.4, 3.6, 3.7], 3.5),
        ((0, 1), 0.001, [0.1, 0.3, 0.7], 0.3),
        ((0, 10), 1, [-99, 99, 99], 10),
    ],
)
def test_values_are_rounded_to_the_grid_of_the_lowest(clip, step, values, median, monkeypatch):
    """Distances from the lowest value, half to even; beyond the clip they are its ends."""
    monkeypatch.setattr("transforms.metrics.quantiles.add_noise", lambda values, mechanism: values)
    frame = released(values, Quantiles("x", (0.5,), clip, granularity=step), copies=1)
    assert frame["q_p50"].item() == pytest.approx(median)


def test_nulls_and_nan_have_no_quantile(monkeypatch):
    monkeypatch.setattr("transforms.metrics.quantiles.add_noise", lambda values, mechanism: values)
    values = [None, math.nan, None, 7.0]
    frame = released(values, Quantiles("x", (0.01, 0.5), (0, 10), granularity=1), copies=1)
    assert frame["q_p1"].item() == frame["q_p50"].item() == 7


def test_a_partition_sums_up_leaves():
    _, partials = planned([1.0, 1.0, 4.0], Quantiles("x", (0.5,), (0, 10), granularity=1))
    counts = Counter()
    for item in partials["q:items"].item().to_list():
        counts[item["item"]] += item["count"]
    assert counts == {1: 2, 4: 1}


def test_the_upper_end_is_where_the_share_is_reached_last():
    """Noise is -9 in one leaf: half of the rows are reached at leaf 0, and again at leaf 4."""
    shape = TreeShape(6, 6, 1)
    noise = np.array([0, -9, 0, 0, 9, 0])
    counts = LeafCounts(np.zeros(1, np.int64), np.array([0], np.uint64), np.array([10]), 1)
    found = search(counts, (0.5,), shape, 0.0, lambda exact: exact + noise)
    assert (found.low.item(), found.leaf.item(), found.high.item()) == (0, 0, 4)
