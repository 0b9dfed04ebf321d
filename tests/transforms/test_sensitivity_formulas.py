"""Sensitivities by hand: what is removed, added or replaced, per entry and in both norms."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.accumulators import Squares, value_name
from transforms.bounds import Bounds, Guarantee
from transforms.grid import Grid
from transforms.metrics import (
    Count,
    DistinctCount,
    Mean,
    PrivacyUnitCount,
    Quantiles,
    Sum,
    Variance,
    VectorSum,
)
from transforms.sensitivity import Entries, Sensitivity, at_least, sensitivity
from transforms.vectors import Vector

BY_LINF, BY_L1 = Bounds(4, 7), Bounds(max_contributions=7)
PER_KEY = Bounds(1, 7)
ROOT = math.sqrt

HEIGHT = Quantiles("x", (0.5,), (0, 10)).shape.height
METRICS = {
    "count": Count(),
    "users": PrivacyUnitCount(),
    "sum": Sum("x", (-3, 5), granularity=1),
    "total": Sum("x", clip_total=(-3, 5), granularity=1),
    "far": Sum("x", (9, 11), granularity=1),
    "mean": Mean("x", (9, 11), granularity=Decimal("0.1")),
    "variance": Variance("x", (-10, 10), granularity=1),
    "distinct": DistinctCount("x"),
    "quantiles": Quantiles("x", (0.5,), (0, 10)),
    "l1": VectorSum(("x", "y", "z"), 5, "l1", 1),
    "l2": VectorSum(("x", "y", "z"), 5, "l2", 1),
    "linf": VectorSum(("x", "y", "z"), 5, "linf", 1),
}


def of(metric, bounds, *guarantee, part=0, merged=False):
    """Entries that change, the change of one, and of all in the L1 and the L2 norm."""
    entries = METRICS[metric].components[part].entries
    moved = sensitivity(entries, bounds, Guarantee(*guarantee), merged=merged)
    return moved.l0, moved.linf, moved.l1, moved.l2


@pytest.mark.parametrize(
    ("metric", "part", "expected"),
    [
        ("count", 0, (4, 7, 28, 2 * 7)),
        ("users", 0, (4, 1, 4, 2)),
        ("sum", 0, (4, 35, 140, 70)),
        ("total", 0, (4, 5, 20, 10)),
        ("far", 0, (4, 77, 308, 154)),
        ("mean", 0, (4, 7, 28, 14)),
        ("mean", 1, (4, 70, 280, 140)),
        ("variance", 1, (4, 70, 280, 140)),
        ("variance", 2, (4, 35, 140, 70)),
        ("distinct", 0, (4, 7, 28, 14)),
        ("quantiles", 0, (28 * HEIGHT, 7, 28 * HEIGHT, 14 * ROOT(HEIGHT))),
        ("l1", 0, (12, 35, 140, 70)),
        ("l2", 0, (12, 35, math.ceil(140 * ROOT(3)), 70)),
        ("linf", 0, (12, 35, 420, 70 * ROOT(3))),
    ],
)
def test_a_unit_with_l0_and_linf(metric, part, expected):
    assert of(metric, BY_LINF, part=part) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("count", (7, 7, 7, 7)),
        ("users", (7, 1, 7, ROOT(7))),
        ("sum", (7, 35, 35, 35)),
        ("total", (7, 5, 35, ROOT(7) * 5)),
        ("distinct", (7, 7, 7, 7)),
        ("quantiles", (7 * HEIGHT, 7, 7 * HEIGHT, 7 * ROOT(HEIGHT))),
        ("l1", (21, 35, 35, 35)),
        ("l2", (21, 35, math.ceil(35 * ROOT(3)), 35)),
        ("linf", (21, 35, 105, 35 * ROOT(3))),
    ],
)
def test_a_unit_with_l1(metric, expected):
    assert of(metric, BY_L1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "bounds", "expected"),
    [
        ("count", BY_LINF, (8, 7, 56, 14 * ROOT(2))),
        ("count", BY_L1, (14, 7, 14, 7 * ROOT(2))),
        ("users", BY_LINF, (8, 1, 8, ROOT(8))),
        ("sum", BY_LINF, (8, 56, 280, 112)),
        ("sum", BY_L1, (14, 56, 70, 56)),
        ("far", BY_LINF, (8, 77, 616, 154 * ROOT(2))),
        ("quantiles", BY_LINF, (56 * HEIGHT, 7, 56 * HEIGHT, 14 * ROOT(2 * HEIGHT))),
        ("l1", BY_LINF, (24, 70, 280, 140)),
        ("l2", BY_LINF, (24, 70, 2 * math.ceil(140 * ROOT(3)), 140)),
        ("linf", BY_LINF, (24, 70, 840, 140 * ROOT(3))),
    ],
)
def test_another_unit_in_its_place(metric, bounds, expected):
    assert of(metric, bounds, "replace") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "expected", "replaced"),
    [
        ("count", (1, 7, 7, 7), (2, 14, 14, 14)),
        ("users", (1, 1, 1, 1), (2, 2, 2, 2)),
        ("sum", (1, 56, 56, 56), (2, 112, 112, 112)),
        ("total", (1, 8, 8, 8), (2, 16, 16, 16)),
        ("far", (1, 77, 77, 77), (2, 154, 154, 154)),
        ("distinct", (1, 7, 7, 7), (2, 14, 14, 14)),
        (
            "quantiles",
            (14 * HEIGHT, 7, 14 * HEIGHT, 7 * ROOT(2 * HEIGHT)),
            (28 * HEIGHT, 14, 28 * HEIGHT, 14 * ROOT(2 * HEIGHT)),
        ),
        ("l1", (6, 70, 70, 70), (12, 140, 140, 140)),
        ("linf", (6, 70, 210, 70 * ROOT(3)), (12, 140, 420, 140 * ROOT(3))),
    ],
)
def test_the_rows_of_a_unit_in_a_partition(metric, expected, replaced):
    """They may make other rows of it count instead, from one end of the range to the other."""
    found = of(metric, PER_KEY, "add_remove", "unit_partition")
    assert found == pytest.approx(expected, rel=1e-12)
    found = of(metric, PER_KEY, "replace", "unit_partition")
    assert found == pytest.approx(replaced, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "expected", "replaced"),
    [
        ("count", (1, 1, 1, 1), (2, 1, 2, ROOT(2))),
        ("sum", (1, 5, 5, 5), (2, 8, 10, 8)),
        ("far", (1, 11, 11, 11), (2, 11, 22, 11 * ROOT(2))),
        (
            "quantiles",
            (HEIGHT, 1, HEIGHT, ROOT(HEIGHT)),
            (2 * HEIGHT, 1, 2 * HEIGHT, ROOT(2 * HEIGHT)),
        ),
        ("l2", (3, 5, 9, 5), (6, 10, 18, 10)),
    ],
)
def test_one_row(metric, expected, replaced):
    assert of(metric, Bounds(), "add_remove", "row") == pytest.approx(expected, rel=1e-12)
    assert of(metric, Bounds(), "replace", "row") == pytest.approx(replaced, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "bounds", "expected"),
    [
        ("count", BY_LINF, (1, 28, 28, 28)),
        ("count", BY_L1, (1, 7, 7, 7)),
        ("total", BY_LINF, (1, 20, 20, 20)),
        ("l2", BY_LINF, (3, 140, math.ceil(140 * ROOT(3)), 140)),
        ("quantiles", BY_LINF, (28 * HEIGHT, 28, 28 * HEIGHT, 28 * ROOT(HEIGHT))),
    ],
)
def test_all_partitions_of_a_unit_in_one_row(metric, bounds, expected):
    assert of(metric, bounds, merged=True) == pytest.approx(expected, rel=1e-12)


def test_a_tree_of_one_level_is_no_single_number():
    few = Quantiles("x", (0.5,), (0, 2), granularity=1).components[0].entries
    assert few.repeats == 1
    moved = sensitivity(few, Bounds(), Guarantee("add_remove", "unit_partition"))
    assert (moved.l0, moved.l1, moved.l2) == (2, 2, pytest.approx(ROOT(2)))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 3000), st.integers(0, 90_000))
def test_norms_are_rounded_up_from_the_least_that_is_known(l0, linf, total, squares):
    moved = Sensitivity(l0, linf, total, squares)
    together = min(total, l0 * linf)
    assert moved.l1 == together
    assert Fraction(moved.l2) ** 2 >= min(l0 * linf**2, linf * together, squares)
    assert moved.l2 == pytest.approx(ROOT(min(l0 * linf**2, linf * together, squares)))


@pytest.mark.parametrize("value", [0, 1, 2, 3, 2**53 + 1, 2**62 - 1])
def test_roots_are_at_least_the_root(value):
    assert Fraction(at_least(value, power=1)) >= value
    assert Fraction(at_least(value, power=2)) ** 2 >= value


@pytest.mark.parametrize(
    ("low", "high", "magnitude", "spread"),
    [(0, 5, 5, 5), (-3, 5, 5, 8), (-5, -1, 5, 5), (9, 11, 11, 11), (0, 0, 0, 0)],
)
def test_a_contribution_may_also_be_missing(low, high, magnitude, spread):
    entries = Entries(low, high)
    assert (entries.magnitude, entries.spread) == (magnitude, spread)


# What the entries promise of single rows.


def evaluate(expression, **columns):
    frame = pl.DataFrame({value_name(name): column for name, column in columns.items()})
    return frame.select(expression).to_series().to_numpy()


@settings(deadline=None, max_examples=100)
@given(
    limit=st.integers(1, 3000),
    norm=st.sampled_from(["l1", "l2", "linf"]),
    vectors=st.lists(
        st.lists(
            st.sampled_from([0.5, 1.5, -2.5, 1e9, -math.inf]) | st.floats(-4000, 4000),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_vectors_are_within_their_norm_exactly(limit, norm, vectors):
    values = pl.DataFrame(vectors, schema=dict.fromkeys("abc", pl.Float64()), orient="row")
    whole = Vector(tuple("abc"), norm, limit, Decimal(1)).granules(values).tolist()
    for vector, exact in zip(whole, vectors, strict=True):
        sizes = [abs(number) for number in vector]
        assert {"l1": sum(sizes), "linf": max(sizes), "l2": 0}[norm] <= limit
        assert norm != "l2" or sum(size**2 for size in sizes) <= limit**2
        for number, original in zip(vector, exact, strict=True):
            assert number == 0 or (number > 0) == (original > 0)
            assert abs(number) <= abs(original) + 0.5


@pytest.mark.parametrize(("interval", "step"), [((-3, 4), 1), ((0, 7), 1), ((9, 11), 0.3)])
def test_squares_are_within_half_of_their_range(interval, step):
    low, high = map(Decimal, interval)
    grid = Grid(interval, Decimal(str(step)), (low + high) / 2)
    squares = Squares("x", grid)
    values = np.linspace(interval[0] - 1, interval[1] + 1, 500)
    found = evaluate(squares.expression(), x=values)
    assert found.min() == -squares.half
    assert found.max() == squares.half


@pytest.mark.parametrize(
    ("centre", "value", "expected"),
    [(0, 2.5, 2), (0, 3.5, 4), (0, -2.5, -2), (0, math.inf, 9), (4, 6.5, 2), (4, -math.inf, -13)],
)
def test_values_on_a_grid_are_rounded_half_to_even_from_its_centre(centre, value, expected):
    grid = Grid((-9, 9), Decimal(1), Decimal(centre))
    assert evaluate(grid.expression(pl.col(value_name("x"))), x=[value]).item() == expected
    assert grid.granules == (-9 - centre, 9 - centre)
    assert grid.largest == 9 + centre


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_vectors_beyond_their_norm_keep_their_direction(norm):
    values = pl.DataFrame({"a": [3000.0, 3e140], "b": [300.0, 3e139]})
    first, second = Vector(("a", "b"), norm, 1000, Decimal(1)).granules(values).tolist()
    assert first[0] == pytest.approx(10 * first[1], abs=10)
    assert first == second
    assert first[0] > 900
