"""What cannot be measured is refused, with the value and with what is allowed."""

import math
import re
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from transforms.accounting import GaussianLoss, LaplaceLoss
from transforms.bounds import MAX_L0, MAX_LINF, Bounds
from transforms.budget import Budget
from transforms.grid import MAX_VALUE_GRANULES
from transforms.local import aggregate
from transforms.mechanisms import AdditiveMechanism, GeometricSelection
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.table import PrivateSelection, PublicKeys, Table, released_columns
from transforms.threshold_selection import threshold_selection

NOT_FINITE = [math.nan, math.inf, -math.inf]


def says(*parts):
    """A pattern with the parts in this order."""
    return ".*".join(re.escape(str(part)) for part in parts)


def key_frame(**columns):
    return PublicKeys(pl.DataFrame(columns))


# Bounds.


def test_bounds_default_to_one():
    assert Bounds() == Bounds(1, 1)


@pytest.mark.parametrize("bounds", [(1, 1), (MAX_L0, MAX_LINF), (8, 5)])
def test_bounds_may_be_whole_numbers_up_to_their_limits(bounds):
    assert Bounds(*bounds).max_partitions_contributed == bounds[0]


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, "3", None, MAX_L0 + 1, True, *NOT_FINITE])
def test_other_partition_bounds_are_refused(value):
    expected = says(f"max_partitions_contributed is {value!r}; allowed:", "from 1 to", MAX_L0)
    with pytest.raises(ValueError, match=expected):
        Bounds(max_partitions_contributed=value)


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, "3", None, MAX_LINF + 1, True, *NOT_FINITE])
def test_other_row_bounds_are_refused(value):
    expected = says(f"max_contributions_per_partition is {value!r}; allowed:", "1 to", MAX_LINF)
    with pytest.raises(ValueError, match=expected):
        Bounds(max_contributions_per_partition=value)


# Sum.


@pytest.mark.parametrize("clips", [{}, {"clip": (0, 1), "clip_total": (0, 1)}])
def test_a_sum_has_exactly_one_clip(clips):
    with pytest.raises(ValueError, match=says("exactly one of clip", "and clip_total")):
        Sum("x", **clips)


@pytest.mark.parametrize("name", ["clip", "clip_total"])
@pytest.mark.parametrize("bad", NOT_FINITE)
@pytest.mark.parametrize("position", [0, 1])
def test_clips_are_finite(name, bad, position):
    interval = [1, 1]
    interval[position] = bad
    with pytest.raises(ValueError, match=says(f"[{interval[0]}, {interval[1]}]", "finite")):
        Sum("x", **{name: tuple(interval)})


@pytest.mark.parametrize("name", ["clip", "clip_total"])
def test_clips_go_from_low_to_high(name):
    with pytest.raises(ValueError, match=says("[5, -2] is not an interval")):
        Sum("x", **{name: (5, -2)})


@pytest.mark.parametrize("interval", [(0, 0), (0.0, -0.0), (0, 0.0)])
def test_a_clip_of_zero_is_refused(interval):
    with pytest.raises(ValueError, match="leaves nothing to sum"):
        Sum("x", clip=interval)


def test_a_clip_of_one_other_number_is_allowed():
    assert Sum("x", clip=(2, 2), granularity=1).grid.granules == (2, 2)


@pytest.mark.parametrize("granularity", [0, -1, 0.0, Decimal(0), -0.5, *NOT_FINITE])
def test_granularities_are_above_zero(granularity):
    expected = says(f"granularity is {Decimal(str(granularity))}; allowed: a number above 0")
    with pytest.raises(ValueError, match=expected):
        Sum("x", clip=(0, 1), granularity=granularity)


def test_a_granularity_far_above_the_clip_is_refused():
    with pytest.raises(ValueError, match=says("granularity 100 rounds", "[-3, 5] to zero")):
        Sum("x", clip=(-3, 5), granularity=100)


def test_a_granularity_far_below_the_clip_is_refused():
    expected = says(
        "clip [0, 60] is", "granules of", "overflow; allowed: at most", MAX_VALUE_GRANULES
    )
    with pytest.raises(ValueError, match=expected):
        Sum("x", clip=(0, 60), granularity=Decimal("1e-9"))


@pytest.mark.parametrize(
    ("interval", "step", "granules"),
    [
        ((0, 60), "0.001", (0, 60_000)),
        ((-0.25, 0.75), "0.1", (-2, 8)),
        ((-3, 5), "0.5", (-6, 10)),
        ((0.1, 0.3), "0.1", (1, 3)),
        ((-7, 7), "3", (-2, 2)),
        ((1e-9, 3e-9), "1e-9", (1, 3)),
    ],
)
def test_clips_are_rounded_to_granules_in_decimals(interval, step, granules):
    """Half to even; 0.3 / 0.1 is 3, not 2.9999999999999996."""
    for granularity in (Decimal(step), float(step)):
        assert Sum("x", clip=interval, granularity=granularity).grid.granules == granules
        assert Sum("x", clip_total=interval, granularity=granularity).grid.granules == granules


@pytest.mark.parametrize("number", [np.float64, np.float32, np.int64])
def test_numpy_numbers_are_numbers(number):
    metric = Sum("x", clip=(number(-1), number(2)), granularity=number(1))
    assert metric.grid.granules == (-1, 2)


# Selection.


@pytest.mark.parametrize("strategy", ["truncated_geometric", "laplace", "gaussian"])
@pytest.mark.parametrize("pre_threshold", [None, 1, 100])
def test_selections_that_are_allowed(strategy, pre_threshold):
    assert PrivateSelection(strategy, pre_threshold).pre_threshold == pre_threshold


@pytest.mark.parametrize("strategy", ["exponential", "", "Laplace"])
def test_other_strategies_are_refused(strategy):
    expected = says(repr(strategy), "allowed: auto, truncated_geometric, laplace, gaussian")
    with pytest.raises(ValueError, match=expected):
        PrivateSelection(strategy)


@pytest.mark.parametrize("pre_threshold", [0, -5, 2.5])
def test_other_pre_thresholds_are_refused(pre_threshold):
    expected = says(f"pre_threshold is {pre_threshold}; allowed:", "1")
    with pytest.raises(ValueError, match=expected):
        PrivateSelection(pre_threshold=pre_threshold)


# Public keys.


def test_an_empty_key_list_is_refused():
    with pytest.raises(ValueError, match="public key list is empty"):
        key_frame(k=[])


@pytest.mark.parametrize("values", [[None], ["a", None]])
def test_key_lists_have_no_empty_values(values):
    with pytest.raises(ValueError, match="public key list has empty values"):
        key_frame(k=values)


def test_key_lists_have_no_repeated_rows():
    with pytest.raises(ValueError, match="public key list has repeated rows"):
        key_frame(k=["a", "b", "a"], j=[1, 1, 1])
    key_frame(k=["a", "a", "b"], j=[1, 2, 1])


@pytest.mark.parametrize("columns", [["k"], ["k", "j", "extra"], ["k", "other"]])
def test_key_lists_have_the_columns_of_the_keys(columns):
    listed = key_frame(**{name: ["a"] for name in columns})
    expected = says("the columns", ", ".join(columns), "the keys are k, j")
    with pytest.raises(ValueError, match=expected):
        Table(["k", "j"], {"n": Count()}, partitions=listed)


# Tables.


def table(**options):
    return Table(**{"keys": ["k"], "metrics": {"n": Count()}, **options})


def test_a_table_has_a_key_and_a_metric():
    with pytest.raises(ValueError, match="keys is empty; allowed: one or more column names"):
        table(keys=[])
    with pytest.raises(ValueError, match="public keys needs at least one metric"):
        table(metrics={}, partitions=key_frame(k=["a"]))


def test_a_table_without_metrics_selects_partitions_only():
    assert table(metrics={}).spenders == {"selection": 1.0}


def test_one_key_needs_no_list():
    assert table(keys="country").keys == ("country",)


@pytest.mark.parametrize("name", ["*", "^k.*$", "value:x", "privacy_units:"])
def test_patterns_and_names_of_the_engine_are_no_columns(name):
    with pytest.raises(ValueError, match="cannot be used under this name; allowed: rename it"):
        table(keys=[name])
    with pytest.raises(ValueError, match="cannot be used under this name; allowed: rename it"):
        table(metrics={"s": Sum(name, clip=(0, 1))})


@pytest.mark.parametrize("name", ["a:b", ":", "selection"])
def test_some_names_are_no_names_for_metrics(name):
    with pytest.raises(ValueError, match=says(f"'{name}' is no name for a metric; allowed:")):
        table(metrics={name: Count()})


@pytest.mark.parametrize(
    ("keys", "metrics", "repeated"),
    [
        (["k", "k"], ["n"], "k"),
        (["k", "n"], ["n"], "n"),
        (["n_std"], ["n"], "n_std"),
        (["n_low", "n_high"], ["n"], "n_high, n_low"),
        (["k"], ["n", "n_std"], "n_std"),
    ],
)
def test_no_two_columns_have_one_name(keys, metrics, repeated):
    with pytest.raises(ValueError, match=f"{repeated} names more than one column"):
        table(keys=keys, metrics=dict.fromkeys(metrics, Count()))


def test_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="noise is 'uniform'; allowed: auto, laplace, gaussian"):
        table(noise="uniform")
    with pytest.raises(ValueError, match="noise is 'uniform'; allowed: laplace, gaussian"):
        AdditiveMechanism("uniform", 1.0, 1, 1)


@pytest.mark.parametrize("share", [0, -1.0, *NOT_FINITE])
def test_shares_are_finite_and_above_zero(share):
    with pytest.raises(ValueError, match=says(f"share is {share}; allowed: a finite")):
        table(share=share)
    with pytest.raises(ValueError, match=says(f"shares.n is {share}; allowed: a finite")):
        table(shares={"n": share})


def test_shares_are_of_things_that_spend():
    with pytest.raises(ValueError, match="shares names 'm'; allowed: selection, n"):
        table(shares={"m": 1})
    with pytest.raises(ValueError, match="shares names 'selection'; allowed: n"):
        table(shares={"selection": 1}, partitions=key_frame(k=["a"]))
    assert table(shares={"selection": 2}).spenders == {"selection": 2, "n": 1}
    assert table(partitions=key_frame(k=["a"])).spenders == {"n": 1}


def test_a_table_does_not_change_with_what_it_was_made_of():
    keys, metrics, shares = ["k"], {"n": Count()}, {"n": 2.0}
    made = Table(keys, metrics, shares=shares)
    keys.append("j")
    metrics["selection"] = PrivacyUnitCount()
    shares["n"] = 1e9
    assert (made.keys, list(made.metrics), made.shares) == (("k",), ["n"], {"n": 2.0})


@pytest.mark.parametrize("key", ["privacy_units:", "value:x"])
def test_keys_do_not_collide_with_names_of_the_engine(key):
    """A ValueError from the table, or a release: not an error of Polars while rows are read."""
    data = pl.DataFrame({"user": [1, 2], key: ["a", "b"], "x": [1.0, 2.0]})
    try:
        aggregate(
            data,
            unit=["user"],
            keys=[key],
            metrics={"n": Count(), "s": Sum("x", clip=(0, 1))},
            budget=Budget(1.0, 1e-6),
        )
    except ValueError as error:
        assert key in str(error)  # noqa: PT017


def test_released_columns():
    assert released_columns("uses") == ("uses", "uses_std", "uses_low", "uses_high")


# Budgets.


@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 0.0), (5e-324, 5e-324), (100, 1 - 2**-53)])
def test_budgets_that_are_allowed(epsilon, delta):
    assert Budget(epsilon, delta) == Budget(epsilon=epsilon, delta=delta)


@pytest.mark.parametrize("epsilon", [0, 0.0, -1.0, *NOT_FINITE])
def test_epsilon_is_finite_and_above_zero(epsilon):
    expected = says(f"epsilon is {epsilon}; allowed: a finite number above 0")
    with pytest.raises(ValueError, match=expected):
        Budget(epsilon)


@pytest.mark.parametrize("epsilon", [0, 0.0, -1.0, 300.1, *NOT_FINITE])
def test_epsilon_of_a_mechanism_is_in_the_range_that_pydp_computes_with(epsilon):
    expected = says(f"epsilon of one mechanism is {epsilon}; allowed: above 0, at most 300")
    with pytest.raises(ValueError, match=expected):
        LaplaceLoss(epsilon)
    with pytest.raises(ValueError, match=f"epsilon is {epsilon} for one mechanism; allowed"):
        GeometricSelection(epsilon, 1e-6, 1)


@pytest.mark.parametrize("delta", [-1e-9, 1, 1.0, 2.0, *NOT_FINITE])
def test_delta_is_from_zero_and_below_one(delta):
    with pytest.raises(ValueError, match=says(f"delta is {delta}; allowed: from 0, below 1")):
        Budget(1.0, delta)


@pytest.mark.parametrize("delta", [0.0, -1e-9, 1.0, math.nan])
def test_delta_is_above_zero_where_it_is_needed(delta):
    expected = says(f"delta is {delta}; allowed: above 0, below 1")
    with pytest.raises(ValueError, match=expected):
        threshold_selection("gaussian", GaussianLoss(1.0), delta, 1)
    with pytest.raises(ValueError, match=expected):
        GeometricSelection(1.0, delta, 1)
