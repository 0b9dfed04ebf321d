"""Rendering: granules become units, and every number comes with its error."""

import math
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import binom

from transforms.bounds import Bounds
from transforms.budget import Budget
from transforms.draw import draw
from transforms.local import aggregate
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.noise import half_width_95
from transforms.planning import plan_tables
from transforms.render import render
from transforms.table import PrivateSelection, PublicKeys, Table, released_columns

FALSE_ALARM = 1e-6
"""Of each statistical test, per run."""


def planned(metrics, keys=("k",), frame=None, **options):
    if frame is None:
        frame = pl.DataFrame({key: [0] for key in keys})
    table = Table(list(keys), metrics, partitions=PublicKeys(frame), **options)
    (plan,) = plan_tables({"table": table}, Budget(1.0, 1e-6))
    return plan


def rendered(metric, values, **options):
    plan = planned({"m": metric}, **options)
    drawn = pl.DataFrame({"k": range(len(values)), "m": values}, schema_overrides={"m": pl.Int64})
    return render(drawn, plan), plan.metrics[0]


VALUES = [0, 1, -1, 7, -12345, 10**9 + 1, -(2**40)]
STEPS = ["0.001", "0.25", "0.3", "1", "3", "10", "2.5", "1e-7", "1e3"]


def sum_in_steps(step):
    step = Decimal(step)
    return Sum("x", clip=(0, float(step * 1000)), granularity=step)


@pytest.mark.parametrize("step", STEPS)
def test_values_are_multiples_of_the_granularity(step):
    frame, _ = rendered(sum_in_steps(step), VALUES)
    for granules, value in zip(VALUES, frame["m"], strict=True):
        assert value == pytest.approx(float(granules * Decimal(step)), rel=1e-15)


@pytest.mark.parametrize("step", ["0.001", "0.25", "0.01", "1e-7", "1", "3", "10"])
def test_decimal_granularities_give_the_nearest_float(step):
    """Not 0.30000000000000004: what is printed has as many digits as the granularity."""
    frame, _ = rendered(sum_in_steps(step), VALUES)
    assert frame["m"].to_list() == [float(granules * Decimal(step)) for granules in VALUES]


@pytest.mark.parametrize(
    ("metric", "dtype"),
    [
        (Count(), pl.Int64),
        (PrivacyUnitCount(), pl.Int64),
        (sum_in_steps("1"), pl.Int64),
        (sum_in_steps("3"), pl.Float64),
        (sum_in_steps("0.25"), pl.Float64),
        (sum_in_steps("0.001"), pl.Float64),
        (sum_in_steps("2.5"), pl.Float64),
    ],
)
def test_whole_numbers_stay_whole(metric, dtype):
    frame, _ = rendered(metric, VALUES)
    assert frame.schema["m"] == dtype
    assert [frame.schema[name] for name in ("m_low", "m_high", "m_std")] == [
        dtype,
        dtype,
        pl.Float64,
    ]


def test_large_counts_keep_every_digit():
    values = [2**61 + 1, 2**53 + 1, -(2**62) - 1]
    assert rendered(Count(), values)[0]["m"].to_list() == values


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("step", STEPS)
def test_std_and_interval_are_in_the_unit_of_the_column(step, noise):
    frame, metric = rendered(sum_in_steps(step), VALUES, noise=noise, bounds=Bounds(4, 2))
    size = float(Decimal(step))
    (noise_of,) = metric.noises
    if noise == "laplace":
        std = math.sqrt(2) * 4 * 2 * 1000 * size
        half_width = std / math.sqrt(2) * math.log(20)
    else:
        std = noise_of.std
        half_width = 1.959963984540054 * std
    assert frame["m_std"].to_list() == pytest.approx([std] * len(VALUES), rel=1e-6)
    assert half_width_95(noise_of.mechanism) * size == pytest.approx(half_width, rel=1e-3)
    for granules, low, high in zip(VALUES, frame["m_low"], frame["m_high"], strict=True):
        assert high - low == pytest.approx(2 * half_width, rel=1e-3)
        assert (low + high) / 2 == pytest.approx(granules * size, rel=1e-9, abs=half_width / 1e9)


def test_columns_are_the_keys_and_four_per_metric():
    plan = planned(
        {"rows": Count(), "users": PrivacyUnitCount(), "x": sum_in_steps("0.25")}, ("b", "a")
    )
    drawn = pl.DataFrame({"x": [8], "a": [1], "users": [2], "b": [3], "rows": [4]})
    frame = render(drawn, plan)
    assert frame.columns == [
        *("b", "a"),
        *("rows", "rows_std", "rows_low", "rows_high"),
        *("users", "users_std", "users_low", "users_high"),
        *("x", "x_std", "x_low", "x_high"),
    ]
    assert frame.select("b", "a", "rows", "users", "x").row(0) == (3, 1, 4, 2, 2.0)
    assert released_columns("rows") == ("rows", "rows_std", "rows_low", "rows_high")


def test_rows_are_sorted_by_the_keys_in_their_order():
    keys = [("b", 1), ("a", 10), ("b", -2), ("a", 9), ("Z", 0), ("", 5)]
    frame = pl.DataFrame(keys, schema=["name", "number"], orient="row")
    plan = planned({"rows": Count()}, ("name", "number"), frame)
    results = [
        render(frame.with_columns(rows=pl.lit(1, pl.Int64))[order], plan)
        for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3])
    ]
    assert results[0].select("name", "number").rows() == sorted(keys)
    for result in results[1:]:
        assert_frame_equal(result, results[0])


def test_an_empty_release_has_all_columns_and_no_row():
    plan = planned({"rows": Count(), "x": sum_in_steps("0.25")})
    empty = pl.DataFrame(schema={"k": pl.Int64, "rows": pl.Int64, "x": pl.Int64})
    frame = render(empty, plan)
    assert frame.height == 0
    assert frame.columns == ["k", *released_columns("rows"), *released_columns("x")]


def test_what_was_drawn_is_not_drawn_again():
    plan = planned({"rows": Count()}, frame=pl.DataFrame({"k": range(50)}))
    drawn = pl.DataFrame({"k": range(50), "rows": range(50)})
    assert_frame_equal(render(drawn, plan), render(drawn, plan))
    assert render(drawn, plan)["rows"].to_list() == list(range(50))


@pytest.mark.parametrize(("largest", "granularity"), [(8e21, 10**15), (1e20, None)])
def test_large_units_do_not_wrap(largest, granularity):
    metric = Sum("x", clip=(0, largest), granularity=granularity)
    frame, planned_metric = rendered(metric, [metric.grid.granules[1]])
    assert frame["m"].item() == pytest.approx(largest)
    assert planned_metric.noises[0].component.granularity == metric.step


# Coverage of the interval.

COPIES = 40_000


def covered(metric, exact, **options):
    """How often the interval holds the exact value of `exact` granules, through draw and render."""
    plan = planned({"m": metric}, **options)
    partials = pl.DataFrame({"k": range(COPIES), "m": [exact] * COPIES})
    frame = render(draw(partials, plan).drawn, plan)
    truth = float(exact * plan.metrics[0].noises[0].component.granularity)
    middle = (frame["m_low"] + frame["m_high"]) / 2
    assert ((middle - frame["m"]).abs() <= 1e-6 * frame["m_std"]).all()
    half_widths = frame["m_high"] - middle
    return [
        int(((middle - truth).abs() <= factor * half_widths).sum()) for factor in (1, 1 / 1.2, 1.2)
    ]


def is_95_percent(hits):
    tails = binom.cdf(hits, COPIES, 0.95), binom.sf(hits - 1, COPIES, 0.95)
    return min(tails) >= FALSE_ALARM / 2


@pytest.mark.statistical
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("step", ["0.001", "0.25", "3"])
def test_95_percent_of_intervals_hold_the_exact_value(step, noise):
    """False alarms: 1e-6. Intervals that are 20 % too narrow or too wide are noticed."""
    good, narrow, wide = covered(sum_in_steps(step), 777_777, noise=noise, bounds=Bounds(4, 2))
    assert is_95_percent(good)
    assert not is_95_percent(narrow)
    assert not is_95_percent(wide)


@pytest.mark.statistical
@pytest.mark.parametrize(("epsilon", "noise"), [(1.0, "laplace"), (1.5, "laplace")])
def test_intervals_of_counts_hold_the_exact_value_at_least_as_often(epsilon, noise):
    """False alarms: 1e-6. Whole numbers allow no exact 95 %, but no less either."""
    frame = pl.DataFrame({"k": range(COPIES)})
    table = Table(["k"], {"rows": Count()}, partitions=PublicKeys(frame), noise=noise)
    (plan,) = plan_tables({"table": table}, Budget(epsilon, 1e-6))
    released = render(draw(frame.with_columns(rows=pl.lit(100, pl.Int64)), plan).drawn, plan)
    hits = int(((released["rows_low"] <= 100) & (released["rows_high"] >= 100)).sum())
    assert binom.cdf(hits, COPIES, 0.95) >= FALSE_ALARM


@pytest.mark.statistical
def test_the_std_is_that_of_the_released_column():
    """False alarms: below 1e-12: 12 standard errors; 20 % of the std would be 26 or more."""
    plan = planned({"m": sum_in_steps("0.25")}, noise="laplace")
    partials = pl.DataFrame({"k": range(COPIES), "m": [0] * COPIES})
    frame = render(draw(partials, plan).drawn, plan)
    ratio = (frame["m"] ** 2).mean() / frame["m_std"][0] ** 2
    limit = 12 * math.sqrt(5 / COPIES)
    assert abs(ratio - 1) < limit
    assert abs(ratio / 1.44 - 1) > limit
    assert abs(ratio * 1.44 - 1) > limit


def test_aggregate_returns_rendered_columns():
    data = pl.DataFrame({"user": range(1000), "k": [i % 2 for i in range(1000)], "x": [1.0] * 1000})
    frame = aggregate(
        data,
        unit=["user"],
        keys=["k"],
        metrics={"rows": Count(), "x": sum_in_steps("0.001")},
        budget=Budget(200.0, 1e-3),
        partitions=PrivateSelection(),
    )
    assert frame.columns == ["k", *released_columns("rows"), *released_columns("x")]
    assert frame["k"].to_list() == [0, 1]
    assert frame["rows"].to_list() == [500, 500]
    assert frame["x"].to_list() == pytest.approx([500, 500], abs=0.5)
