"""The sensitivities are attained: noise for more would be wasted, noise for less would be unsafe.

For each metric, bound and guarantee, hand-made neighbours that are as far apart as can be. None is
further apart than the plan says, and the farthest are as far. So a bound that is 20 % smaller is
noticed as unsafe, and one that is 20 % larger as wasteful.
"""

from __future__ import annotations

import math
from itertools import product

import pytest
from neighbours import assert_hidden, distances, exact

from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.hashing import HashKey
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
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, Table

KEY = HashKey(b"a key only for tests")
ATTAINED = 0.99
CROWD = 800
"""Rows that leave nothing of a few others in an average."""
WORDS = [f"word {number}" for number in range(20)]


def values(*numbers):
    """Rows with the same value each."""
    return [lambda index, number=number: {"value": number, "other": 0.0} for number in numbers]


def vectors(*pairs):
    """Rows with the same vector each."""
    return [lambda index, pair=pair: {"value": pair[0], "other": pair[1]} for pair in pairs]


DEVICES = [lambda index: {"device": f"{index}"}, lambda index: {"device": f"x{index}"}]
LEVEL = [lambda index: {}]
SIGNS = list(product((1, -1), (1, -1)))
HALF = 3 / math.sqrt(2)

CASES = {
    "count": (Count(), LEVEL),
    "privacy_unit_count": (PrivacyUnitCount(), LEVEL),
    "sum_positive": (Sum("value", (0, 60)), values(0.0, 60.0)),
    "sum_straddling": (Sum("value", (-10, 4)), values(-10.0, 4.0)),
    "sum_away_from_zero": (Sum("value", (9, 11)), values(9.0, 11.0)),
    "sum_negative": (Sum("value", (-5, -1)), values(-5.0, -1.0)),
    "total_straddling": (Sum("value", clip_total=(-8, 20)), values(-1e6, 1e6)),
    "total_positive": (Sum("value", clip_total=(0, 7.5)), values(-1e6, 1e6)),
    "mean_around_zero": (Mean("value", (-10, 10)), values(-10.0, 10.0)),
    "mean_away_from_zero": (Mean("value", (9, 11)), values(9.0, 11.0)),
    "variance_around_zero": (Variance("value", (-10, 10)), values(-10.0, 0.0, 10.0)),
    "variance_away_from_zero": (Variance("value", (9, 11)), values(9.0, 10.0, 11.0)),
    "vector_l1": (
        VectorSum(("value", "other"), 3.0, "l1"),
        vectors((9, 0), (-9, 0), *((9 * a, 9 * b) for a, b in SIGNS)),
    ),
    "vector_l2": (
        VectorSum(("value", "other"), 3.0, "l2"),
        vectors((9, 0), (-9, 0), (0, 9), *((HALF * a, HALF * b) for a, b in SIGNS)),
    ),
    "vector_linf": (
        VectorSum(("value", "other"), 3.0, "linf"),
        vectors(*((9 * a, 9 * b) for a, b in SIGNS)),
    ),
    "quantiles": (Quantiles("value", (0.5,), (-10, 10)), values(-10.0, 10.0)),
    "quantiles_of_few_leaves": (
        Quantiles("value", (0.5,), (0, 3), granularity=1),
        values(0.0, 3.0),
    ),
    "distinct_count": (DistinctCount("device"), DEVICES),
}
BOUNDS = [Bounds(1, 1), Bounds(3, 4), Bounds(max_contributions=5)]
ADJACENCIES = ["add_remove", "replace"]


def plan_for(metric, bounds, guarantee, **options):
    options.setdefault("partitions", PrivateSelection("weighted_gaussian"))
    table = Table("word", {"m": metric}, bounds, **options)
    (plan,) = plan_tables({"t": table}, Budget(100.0, 1e-3), guarantee)
    return plan


def rows(user, words, each, family):
    """The rows of one unit: `each` in each of some words."""
    empty = {"device": "a", "day": None, "level": 0.0, "value": 0.0, "other": 0.0}
    return [
        {**empty, "user": user, "word": word, **family(100 * place + index)}
        for place, word in enumerate(words)
        for index in range(each)
    ]


def shapes(bounds):
    """Partitions, and rows in each, of units that reach the bounds."""
    if bounds.max_contributions is not None:
        return [(1, bounds.max_contributions), (bounds.max_contributions, 1)]
    return [bounds.l0_linf]


def unit_neighbours(families, bounds, adjacency):
    """A unit that reaches its bounds is there or not, or another one is, there or elsewhere."""
    for partitions, each in shapes(bounds):
        here, there = WORDS[:partitions], WORDS[partitions : 2 * partitions]
        for family in families:
            own = rows(1, here, each, family)
            if adjacency == "add_remove":
                yield [], own
                continue
            for other in families:
                yield own, rows(2, here, each, other)
                yield own, rows(2, there, each, other)


def unit_partition_neighbours(families, bounds, adjacency):
    """Many rows of a unit in a word that hold another key as well are there or not."""
    linf = bounds.max_contributions_per_partition
    for before, after in product(families, families):
        first = rows(1, WORDS[:1], linf, before)
        crowd = rows(1, WORDS[:1], CROWD, after)
        if adjacency == "add_remove":
            yield [], rows(1, WORDS[:1], linf, after)
            yield first, [*first, *crowd]
            continue
        for word in (WORDS[:1], WORDS[1:2]):
            second, newcomers = rows(2, word, linf, after), rows(2, word, CROWD, before)
            yield [*first, *crowd, *second], [*first, *second, *newcomers]
            yield first, rows(2, word, linf, after)


def row_neighbours(families, bounds, adjacency):
    """A row of a crowd is there or not, or another one."""
    crowd = rows(1, WORDS[:1], 5, families[0])
    for family in families:
        own = [*crowd, *rows(1, WORDS[:1], 1, family)]
        if adjacency == "add_remove":
            yield crowd, own
            continue
        for other, word in product(families, WORDS[:2]):
            yield own, [*crowd, *rows(1, [word], 1, lambda index, f=other: f(index + 50))]


def farthest(plan, pairs):
    """The share of each sensitivity that some pair of neighbours reaches."""
    reached = {}
    for before, after in pairs:
        tables = [exact(data, ("user",), plan, KEY) for data in (before, after)]
        assert_hidden(*tables, plan)
        for name, changes in distances(*tables, plan).items():
            mechanism = plan.mechanisms.get(name)
            if mechanism is not None:
                found = reached.setdefault(name, {"linf": 0.0, "l1": 0.0, "l2": 0.0})
                sizes = {
                    "linf": max(map(abs, changes), default=0) / mechanism.linf,
                    "l1": sum(map(abs, changes)) / mechanism.l1,
                    "l2": math.hypot(*changes) / mechanism.l2,
                }
                reached[name] = {norm: max(found[norm], size) for norm, size in sizes.items()}
    assert reached.keys() == plan.mechanisms.keys() - {"selection"}
    return reached


def assert_attained(reached):
    for name, norms in reached.items():
        for norm, share in norms.items():
            assert share >= ATTAINED, (name, norm)


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize("bounds", BOUNDS, ids=["1x1", "3x4", "5"])
@pytest.mark.parametrize("case", CASES)
def test_units_move_tables_as_far_as_the_plan_says(case, bounds, adjacency):
    metric, families = CASES[case]
    plan = plan_for(metric, bounds, Guarantee(adjacency))
    assert_attained(farthest(plan, unit_neighbours(families, bounds, adjacency)))


@pytest.mark.parametrize("bounds", BOUNDS[1:], ids=["3x4", "5"])
@pytest.mark.parametrize("case", [name for name in CASES if name != "privacy_unit_count"])
def test_units_move_the_row_of_other_partitions_as_far_as_the_plan_says(case, bounds):
    metric, families = CASES[case]
    plan = plan_for(metric, bounds, Guarantee(), other=True)
    assert_attained(farthest(plan, unit_neighbours(families, bounds, "add_remove")))


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize("bounds", [Bounds(1, 1), Bounds(1, 3)], ids=["1", "3"])
@pytest.mark.parametrize("case", CASES)
def test_rows_of_a_unit_and_partition_move_tables_as_far_as_the_plan_says(case, bounds, adjacency):
    """Numbers that rows only make larger are safe but not tight when two units are involved.

    One of them gets smaller and the other larger, so that no number moves twice as far.
    """
    metric, families = CASES[case]
    guarantee = Guarantee(adjacency, "unit_partition")
    plan = plan_for(metric, bounds, guarantee)
    reached = farthest(plan, unit_partition_neighbours(families, bounds, adjacency))
    if adjacency == "replace":
        for noise in plan.metrics[0].noises:
            entries = noise.component.entries
            if entries.low >= 0 or entries.high <= 0:
                tight = reached.pop("m" + noise.component.suffix)
                assert tight["l1"] >= ATTAINED
                assert tight["l2"] >= math.sqrt(0.5) * ATTAINED
    assert_attained(reached)


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize(
    "case", [name for name in CASES if not name.startswith(("total", "privacy_unit"))]
)
def test_rows_move_tables_as_far_as_the_plan_says(case, adjacency):
    metric, families = CASES[case]
    plan = plan_for(metric, Bounds(), Guarantee(adjacency, "row"))
    assert_attained(farthest(plan, row_neighbours(families, Bounds(), adjacency)))


@pytest.mark.parametrize("partitions", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("bounds", [Bounds(16, 2), Bounds(max_contributions=16)], ids=str)
def test_units_of_any_number_of_partitions_have_a_weight_of_one(bounds, partitions):
    """The squares make at most 1, and less than one granule squared per partition is lost."""
    plan = plan_for(Count(), bounds, Guarantee(), partitions=PrivateSelection("weighted_gaussian"))
    table = exact(rows(1, WORDS[:partitions], 1, LEVEL[0]), ("user",), plan, KEY)
    weights = [values["weight"] / 2**20 for values in table.values()]
    assert len(weights) == partitions
    assert 1 - 1e-5 < sum(weight**2 for weight in weights) <= 1


def test_a_unit_with_more_partitions_than_count_weighs_in_those_that_do():
    plan = plan_for(
        Count(), Bounds(4, 1), Guarantee(), partitions=PrivateSelection("weighted_gaussian")
    )
    table = exact(rows(1, WORDS[:9], 1, LEVEL[0]), ("user",), plan, KEY)
    assert [values["weight"] for values in table.values()] == [2**19] * 4
