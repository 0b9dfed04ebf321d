"""Errors of points of the grid: added up over partitions, shards and batches, and split."""

import math

import numpy as np
import polars as pl
import pytest
from tiny_tuning import BUDGET, ROWS, run_stages, table, tuning_table

from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.hashing import HashKey
from transforms.metrics import Count, Sum
from transforms.noise import release_probability
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, PublicKeys, Table
from transforms.tuning.errors import SUMMED, with_empty_partitions
from transforms.tuning.grid import Candidates, table_grid, with_clips
from transforms.tuning.planned import ReleaseCurve, plan_grid

TRIED = Candidates(l0=(1, 3), linf=(2, 5), clip=(0.5, 2))
PUBLIC = PublicKeys(pl.DataFrame({"place": list("uvwxyz")}))


def found_at(totals, tuned, bounds, metric, factor=1.0):
    number = tuned.grid.points.index(bounds)
    factors = tuned.grid.factors[metric]
    (row,) = totals.filter(
        (pl.col("point") == number)
        & (pl.col("metric") == metric)
        & (pl.col("factor") == factors.index(factor))
    ).to_dicts()
    return row


@pytest.mark.parametrize("key", [b"another key only for tests", b"a third key only for tests"])
@pytest.mark.parametrize(("shards", "splits"), [(1, 1), (4, 1), (3, 5)])
@pytest.mark.parametrize("few", [0, 2, 64])
@pytest.mark.parametrize("bounds", [Bounds(2, 2), Bounds(max_contributions=3)])
def test_the_result_does_not_depend_on_keys_shards_and_batches(
    key, shards, splits, few, bounds, monkeypatch
):
    tuned = tuning_table(table(bounds), candidates=TRIED)
    whole = run_stages(ROWS, tuned, shards=1, splits=1)
    monkeypatch.setattr("transforms.tuning.stages.FEW", few)
    split = run_stages(ROWS, tuned, HashKey(key), shards, splits)
    assert whole.select("point", "metric", "factor").equals(
        split.select("point", "metric", "factor")
    )
    for name in SUMMED:
        assert np.allclose(whole[name], split[name], rtol=1e-9, atol=1e-9), name


def test_no_rows_at_all():
    tuned = tuning_table(table(), candidates=TRIED)
    assert run_stages(ROWS.clear(), tuned).height == 0


def test_one_partition_by_hand():
    """Three users with 1, 1 and 4 rows in one public place: with Linf 2, 4 of 6 rows are left."""
    rows = pl.DataFrame({"user": list("abcccc"), "place": ["x"] * 6, "value": [1.0, 9, 1, 1, 1, 5]})
    metrics = {"rows": Count(), "spent": Sum("value", clip=(0, 2), granularity=1)}
    tuned = tuning_table(
        table(Bounds(1, 2), metrics, PublicKeys(pl.DataFrame({"place": ["x", "y"]}))),
        candidates=Candidates(l0=(1,), linf=(2,), clip=(1, 4)),
    )
    totals = run_stages(rows, tuned)
    planned = tuned.planned.points[0]
    std = planned.stds["rows"][0]
    of = found_at(totals, tuned, Bounds(1, 2), "rows")
    assert (of["mass"], of["linf"], of["l0"], of["clip"]) == (6, 2, 0, 0)
    assert of["error"] == pytest.approx(math.sqrt(2**2 + std**2))
    assert (of["noise"], of["selection"]) == (std, 0)
    # Up to 8, values are 1 + 8 + (3 + 5); up to 2 they are 1 + 2 + (3 + 2), of which the last half.
    of = found_at(totals, tuned, Bounds(1, 2), "spent")
    assert (of["mass"], of["clip"], of["linf"], of["l0"]) == (17, 9, 2.5, 0)
    assert of["error"] == pytest.approx(math.hypot(11.5, planned.stds["spent"][0]))
    whole = with_empty_partitions(totals, 2, tuned.grid, tuned.planned)
    of = found_at(whole, tuned, Bounds(1, 2), "rows")
    assert of["error"] == pytest.approx(math.sqrt(2**2 + std**2) + std)
    assert (of["partitions"], of["released"], of["mass"]) == (2, 2, 6)


def test_what_is_not_released_counts_whole():
    of = table(partitions=PrivateSelection("laplace"))
    tuned = tuning_table(of, candidates=TRIED)
    row = found_at(run_stages(ROWS, tuned), tuned, Bounds(2, 2), "users")
    assert row["released"] < 0.01
    assert row["selection"] == pytest.approx(row["mass"], rel=0.01)
    assert row["error"] == pytest.approx(row["mass"], rel=0.01)


@pytest.mark.parametrize("noise", ["laplace", "gaussian", "auto"])
@pytest.mark.parametrize("strategy", ["truncated_geometric", "laplace", "gaussian", "auto"])
def test_noise_and_selection_are_those_of_the_plan(noise, strategy):
    of = table(noise=noise, partitions=PrivateSelection(strategy))
    grid = table_grid(of, Guarantee(), TRIED)
    planned = plan_grid("t", {"t": of}, grid, BUDGET, Guarantee())
    for point in planned.points:
        for factor in (0.5, 1.0, 2.0):
            scaled = with_clips(
                table(point.bounds, partitions=of.partitions, noise=noise),
                {"spent": factor, "total": factor},
            )
            (plan,) = plan_tables({"t": scaled}, BUDGET)
            for metric in plan.metrics:
                factors = grid.factors[metric.name]
                if factor in factors:
                    expected = metric.noises[0].std
                    assert point.stds[metric.name][factors.index(factor)] == expected
            curve = planned.curves[point.curve]
            if curve.weighted:
                continue
            for units in (1, 7, 30, 100):
                probability = curve.expected(np.array([float(units)]), np.zeros(1))
                assert probability == pytest.approx(
                    release_probability(plan.selection, units), abs=1e-9
                )


def test_points_that_a_plan_refuses_are_never_the_best():
    metrics = {"spent": Sum("value", clip=(0, 1e6), granularity=1)}
    of = table(Bounds(1, 1), metrics, PUBLIC)
    tuned = tuning_table(of, candidates=Candidates(l0=(1,), linf=(1, 2**20)))
    assert math.isinf(tuned.planned.points[-1].stds["spent"][-1])
    assert math.isfinite(tuned.planned.points[0].stds["spent"][-1])


@pytest.mark.parametrize("strategy", ["gaussian", "truncated_geometric"])
@pytest.mark.parametrize("parts", [0.1, 0.5, 0.9])
def test_the_release_probability_of_a_varying_number_of_units(strategy, parts):
    """Against the exact distribution: 200 units that are each there with one probability."""
    (plan,) = plan_tables({"t": table(partitions=PrivateSelection(strategy))}, Budget(2.0, 1e-4))
    n = 200
    exact = sum(
        math.comb(n, kept)
        * parts**kept
        * (1 - parts) ** (n - kept)
        * release_probability(plan.selection, kept)
        for kept in range(n + 1)
    )
    curve = ReleaseCurve.of(plan.selection)
    found = curve.expected(np.array([n * parts]), np.array([n * parts * (1 - parts)]))
    assert found[0] == pytest.approx(exact, abs=0.02)


def test_weighted_selection_counts_units_of_fewer_partitions_more():
    of = table(partitions=PrivateSelection("weighted_gaussian"))
    tuned = tuning_table(of, candidates=TRIED)
    (plan,) = plan_tables({"t": of}, BUDGET)
    assert all(curve.weighted for curve in tuned.planned.curves)
    at = release_probability(plan.selection, 60)
    number = tuned.grid.points.index(Bounds(2, 2))
    curve = tuned.planned.curves[tuned.planned.points[number].curve]
    weight = 60 / math.sqrt(2)
    assert curve.expected(np.array([weight]), np.zeros(1))[0] == pytest.approx(at, abs=1e-9)


def test_grids():
    of = Table("place", table().metrics, Bounds(6, 3))
    grid = table_grid(of, Guarantee())
    assert grid.l0s == (1, 2, 4, 6, 8, 16, 32, 64)
    assert grid.linfs == (1, 2, 3, 4, 8, 16, 32)
    assert grid.l1s == ()
    assert grid.factors == {
        "rows": (1.0,),
        "users": (1.0,),
        "spent": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        "total": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
    }
    assert table_grid(of, Guarantee(), public=5).l0s == (1, 2, 4, 5, 6)
    of = Table("place", {"n": Count()}, Bounds(max_contributions=100))
    grid = table_grid(of, Guarantee())
    assert (grid.l0s, grid.linfs) == ((), ())
    assert grid.l1s == (1, 2, 4, 8, 16, 32, 64, 100, 128, 256)
    of = Table("place", {"s": Sum("value", clip=(2, 9))})
    assert table_grid(of, Guarantee()).factors == {"s": (1.0,)}
    of = Table("place", {"s": Sum("value", clip=(0, 9), granularity=10)})
    assert table_grid(of, Guarantee()).factors == {"s": (1.0, 2.0, 5.0)}  # others are all 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"l0": (0,)}, "l0 is 0; allowed: whole numbers, 1 to 2147483647"),
        ({"linf": (2**20 + 1,)}, "linf is 1048577; allowed: whole numbers, 1 to 1048576"),
        ({"clip": (0.0,)}, "clip is 0; allowed: factors from 1e-6 to 1e6"),
        ({"clip": (math.nan,)}, "clip is nan; allowed"),
    ],
)
def test_other_candidates_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Candidates(**given)


def test_the_noise_of_a_clip_grows_with_it():
    tuned = tuning_table(table(), candidates=TRIED)
    for point in tuned.planned.points:
        spent = point.stds["spent"]
        assert spent[0] == pytest.approx(spent[-1] / 4, rel=0.1)
