"""Parameters of metrics, bounds and guarantees that cannot be used are refused with a reason."""

import math
import re

import polars as pl
import pytest

from transforms.accounting import price
from transforms.bounds import MAX_LINF, MAX_ROW_SENSITIVITY, Bounds, Guarantee
from transforms.budget import Budget
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
from transforms.metrics.sums import MAX_COORDINATES
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, PublicKeys, Table

BUDGET = Budget(1.0, 1e-6)
PUBLIC = PublicKeys(pl.DataFrame({"k": ["a"]}))


def refused(*parts):
    """An error that says these things in this order."""
    return pytest.raises(ValueError, match=".*".join(re.escape(str(part)) for part in parts))


def plan(metric, bounds=Bounds(), guarantee=Guarantee(), **options):
    (planned,) = plan_tables({"t": Table("k", {"m": metric}, bounds, **options)}, BUDGET, guarantee)
    return planned


# Bounds and guarantees.


@pytest.mark.parametrize("value", [0, -1, 1.0, "3", True, MAX_LINF + 1, math.nan])
def test_l1_is_a_whole_number_up_to_its_limit(value):
    with refused(f"max_contributions is {value!r}; allowed: a whole number from 1 to {MAX_LINF}"):
        Bounds(max_contributions=value)


@pytest.mark.parametrize(
    "others", [{"max_partitions_contributed": 2}, {"max_contributions_per_partition": 3}]
)
def test_l1_stands_alone(others):
    with refused("max_contributions is 5, beside another bound; allowed: max_contributions alone"):
        Bounds(max_contributions=5, **others)


@pytest.mark.parametrize(
    ("bounds", "partitions"),
    [(Bounds(3, 9), 3), (Bounds(), 1), (Bounds(max_contributions=7), 7)],
)
def test_partitions_that_a_unit_may_touch(bounds, partitions):
    assert bounds.max_partitions == partitions


def test_guarantees_are_words():
    with refused("adjacency is 'swap'; allowed: add_remove, replace"):
        Guarantee("swap")
    with refused("bounding is 'user'; allowed: unit, unit_partition, row"):
        Guarantee("replace", "user")


@pytest.mark.parametrize(
    ("level", "bounds", "field"),
    [
        ("unit_partition", Bounds(2, 1), "max_partitions_contributed is 2"),
        ("unit_partition", Bounds(max_contributions=4), "max_contributions is 4"),
        ("row", Bounds(3, 1), "max_partitions_contributed is 3"),
        ("row", Bounds(1, 2), "max_contributions_per_partition is 2"),
        ("row", Bounds(max_contributions=4), "max_contributions is 4"),
    ],
)
def test_only_what_is_protected_is_bounded(level, bounds, field):
    with refused(field, f"bounding: {level} protects less than that; allowed: leave it out"):
        plan(Count(), bounds, Guarantee("add_remove", level))


def test_single_rows_have_no_total():
    with refused("m.clip_total is given", "protects single rows; allowed: clip"):
        plan(Sum("x", clip_total=(0, 1)), guarantee=Guarantee(bounding="row"))


def test_single_rows_have_no_units_to_count():
    with refused("metrics.m counts privacy units", "none with bounding: row; allowed: count"):
        plan(PrivacyUnitCount(), guarantee=Guarantee(bounding="row"))


def test_sums_of_unbounded_rows_have_a_lower_limit():
    assert plan(Count(), guarantee=Guarantee(bounding="row")).max_rows is None
    large = Sum("x", (0, 2**22), granularity=1)
    assert plan(large, partitions=PUBLIC)
    with refused(
        f"can change by {2**22} in one partition", f"allowed: at most {MAX_ROW_SENSITIVITY}"
    ):
        plan(large, guarantee=Guarantee(bounding="row"), partitions=PUBLIC)


# Metrics.


@pytest.mark.parametrize("kind", [Mean, Variance, lambda x, clip: Quantiles(x, (0.5,), clip)])
def test_clips_of_moments_and_quantiles_are_intervals(kind):
    for clip in ((0, math.inf), (math.nan, 1), (5, -2)):
        with refused("clip", "is not an interval of two finite numbers"):
            kind("x", clip)
    with refused("clip [3, 3] leaves nothing to measure"):
        kind("x", (3, 3))


@pytest.mark.parametrize("kind", [Mean, Variance])
def test_granularities_of_moments_fit_their_clip(kind):
    for granularity in (0, -1):
        with refused(f"granularity is {granularity}; allowed: a number above 0"):
            kind("x", (0, 1), granularity)
    with refused("granularity 100 rounds the whole clip [0, 1] to zero"):
        kind("x", (0, 1), 100)
    with refused("granules", "overflow; allowed: at most"):
        kind("x", (0, 1), 1e-9)


@pytest.mark.parametrize("rank", [0, 1, -0.1, 50, math.nan])
def test_ranks_are_between_0_and_1(rank):
    with refused(f"ranks has {rank:g}; allowed: numbers above 0 and below 1"):
        Quantiles("x", (0.5, rank), (0, 1))


def test_ranks_are_some_and_different():
    with refused("ranks is empty; allowed: numbers above 0 and below 1"):
        Quantiles("x", (), (0, 1))
    with refused("ranks has 0.5 more than once; allowed: once"):
        Quantiles("x", (0.5, 0.9, 0.5), (0, 1))


def test_quantiles_are_named_for_their_percentage():
    metric = Quantiles("x", [0.5, 0.999, 0.05], (0, 1))
    assert metric.released == ("_p50", "_p99.9", "_p5")


@pytest.mark.parametrize("columns", [(), tuple(f"c{i}" for i in range(MAX_COORDINATES + 1))])
def test_vectors_have_some_coordinates(columns):
    with refused(f"vector_sum has {len(columns)} columns; allowed: 1 to {MAX_COORDINATES}"):
        VectorSum(columns, 1.0)


def test_other_vectors_are_refused():
    with refused("vector_sum has a more than once"):
        VectorSum(("a", "b", "a"), 1.0)
    with refused("norm is 'l3'; allowed: l1, l2, linf"):
        VectorSum(("a",), 1.0, "l3")
    for norm in (0, -1.0, math.inf, math.nan):
        with refused(f"max_norm is {norm:g}; allowed: a finite number above 0"):
            VectorSum(("a",), norm)
    with refused("rounds the whole max_norm [-1, 1] to zero"):
        VectorSum(("a",), 1.0, granularity=5)


# Tables.


def test_what_is_measured_is_a_metric():
    with refused("m is 'count'; allowed: a metric such as Count()"):
        Table("k", {"m": "count"})


@pytest.mark.parametrize("column", ["*", "value:x", "privacy_units:"])
@pytest.mark.parametrize("metric", [DistinctCount, lambda column: VectorSum((column,), 1.0)])
def test_columns_have_names_of_their_own(column, metric):
    with refused(f"column {column!r} cannot be used under this name"):
        Table("k", {"m": metric(column)})


def test_no_two_released_columns_have_one_name():
    with refused("m_p50", "names more than one column of the table"):
        Table("k", {"m": Quantiles("x", (0.5,), (0, 1)), "m_p50": Count()})
    with refused("m_a", "names more than one column of the table"):
        Table("m_a", {"m": VectorSum(("a",), 1.0)})


def test_other_partitions_need_a_selection_and_something_that_adds_up():
    with refused("other is for what is not selected, and the partitions are public; allowed"):
        Table("k", {"m": Count()}, partitions=PUBLIC, other=True)
    with refused("other needs a metric that adds up; allowed"):
        Table("k", {"m": PrivacyUnitCount()}, other=True)
    with refused("'other' is no name for a metric"):
        Table("k", {"other": Count()})


def test_a_metric_of_several_numbers_pays_for_each():
    planned = plan(Variance("x", (0, 1)), partitions=PUBLIC)
    assert list(planned.mechanisms) == ["m:rows", "m:sum", "m:squares"]
    epsilons = [m.loss.epsilon for m in planned.mechanisms.values()]
    assert epsilons == pytest.approx([epsilons[0]] * 3)
    assert epsilons[0] >= 1 / 3 - 1e-6
    assert price([m.loss for m in planned.mechanisms.values()], BUDGET.delta).epsilon <= 1


def test_a_selection_alone_gets_the_whole_budget():
    (planned,) = plan_tables(
        {"t": Table("k", {}, partitions=PrivateSelection("truncated_geometric"))}, BUDGET
    )
    (selection,) = planned.mechanisms.values()
    assert selection.epsilon == pytest.approx(1.0, rel=1e-6)
    assert selection.delta == pytest.approx(0.9e-6)
    assert price([selection.loss], BUDGET.delta).epsilon <= 1
