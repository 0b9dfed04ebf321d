"""Histograms of contributions: what one unit can do to them, and what they say."""

import math
from itertools import product

import numpy as np
import polars as pl
import pytest
from tiny_tuning import KEY, METRICS, ROWS, run_stages, table, tuning_table

from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.hashing import HashKey
from transforms.metrics import Count
from transforms.table import PrivateSelection
from transforms.tuning import histograms
from transforms.tuning.errors import losses_of
from transforms.tuning.grid import Candidates, table_grid
from transforms.tuning.histograms import (
    CELLS,
    SIZES,
    HistogramBins,
    histogram_sensitivity,
    noisy_histograms,
    size_bin,
    tuning_charge,
    value_bin,
)
from transforms.tuning.population import population

TRIED = Candidates(l0=(1, 2, 4), linf=(1, 2, 4), l1=(1, 3, 9), clip=(0.5, 2))
KEYS = [KEY, HashKey(b"another key only for tests"), HashKey(b"a third key only for tests")]
EXTRA = pl.DataFrame(
    {"user": list("fffgg"), "place": list("vwxvv"), "value": [1.0, 9.0, -3.0, 0.5, 2.0]}
)


def looked_at(of, guarantee=Guarantee()):
    return tuning_table(of, guarantee, TRIED, noise={"any": None})


def exact(rows, tuned, key=KEY):
    """Exact histograms: {(histogram, bin): n}."""
    found = run_stages(rows, tuned, key, shards=1, splits=1, finish=False)
    counted = found.group_by("histogram", "bin").agg(pl.col("n").sum())
    return {row[:2]: row[2] for row in counted.rows()}


def moved(before, after):
    """L1 distances: {histogram: distance}."""
    found = {}
    for at in before.keys() | after.keys():
        change = abs(before.get(at, 0) - after.get(at, 0))
        found[at[0]] = found.get(at[0], 0) + change
    return found


def things(rows, columns):
    kept = rows.drop_nulls(["user", "place"])
    return kept.select(columns).unique(maintain_order=True).rows()


def without(rows, columns, thing):
    same = pl.all_horizontal(
        pl.col(name) == value for name, value in zip(columns, thing, strict=True)
    )
    return rows.filter(~same.fill_null(False))


@pytest.mark.parametrize("adjacency", ["add_remove", "replace"])
@pytest.mark.parametrize("bounding", ["unit", "unit_partition"])
def test_no_histogram_moves_further_than_its_sensitivity(bounding, adjacency):
    """Everything protected is removed, and replaced by everything else there is."""
    guarantee = Guarantee(adjacency, bounding)
    columns = ["user"] if bounding == "unit" else ["user", "place"]
    of = table(Bounds(2, 2) if bounding == "unit" else Bounds(1, 2))
    rows = pl.concat([ROWS, EXTRA])
    tuned, most = looked_at(of, guarantee), {}
    for key in KEYS:
        less = [exact(without(rows, columns, one), tuned, key) for one in things(rows, columns)]
        others = [exact(rows, tuned, key)] if adjacency == "add_remove" else less
        for first, second in product(less, others):
            for name, distance in moved(first, second).items():
                most[name] = max(most.get(name, 0), distance)
    for name in HistogramBins.of(tuned.grid).sizes:
        allowed = histogram_sensitivity(name, guarantee).l1
        assert most[name] <= allowed, name
        if (bounding, adjacency) == ("unit", "add_remove"):
            assert most[name] == allowed, f"{name} has more noise than it needs, or tests too few"


@pytest.mark.parametrize(
    ("guarantee", "cells", "sizes"),
    [
        (Guarantee(), 1, 2),
        (Guarantee("replace"), 2, 4),
        (Guarantee(bounding="unit_partition"), 2, 4),
        (Guarantee("replace", "unit_partition"), 4, 8),
    ],
)
def test_sensitivities(guarantee, cells, sizes):
    assert histogram_sensitivity(CELLS, guarantee).l1 == cells
    assert histogram_sensitivity("values:any", guarantee).l1 == cells
    assert histogram_sensitivity(SIZES, guarantee).l1 == sizes


def test_single_rows_have_no_contributions():
    with pytest.raises(ValueError, match=r"bounding is row, .*; allowed: bounding: unit or"):
        histogram_sensitivity(CELLS, Guarantee(bounding="row"))


@pytest.mark.parametrize("bounds", [Bounds(2, 2), Bounds(max_contributions=3)])
def test_each_unit_is_in_one_bin(bounds):
    found = exact(ROWS, looked_at(table(bounds)))
    for name in (CELLS, "values:spent", "values:total"):
        assert sum(n for (histogram, _), n in found.items() if histogram == name) == 5
    assert sum(n for (histogram, _), n in found.items() if histogram == SIZES) <= 5


def test_each_partition_is_looked_at_with_the_same_chance():
    """Over 600 fixed keys; each of 3 partitions is first 200 times, standard deviation 11.5."""
    rows = pl.DataFrame({"user": ["a"] * 7, "place": list("xyyyzzz"), "value": [1.0] * 7})
    rows = rows[:3].vstack(rows[4:])  # 1, 2 and 3 rows
    tuned = looked_at(table(Bounds(1, 1), {"n": Count()}))
    times = np.zeros(4)
    for number in range(600):
        key = HashKey(f"one of many keys, number {number}".encode())
        ((_, cell),) = (at for at in exact(rows, tuned, key) if at[0] == CELLS)
        times[cell % 4] += 1
    assert times[3] == 0
    assert abs(times[:3] - 200).max() < 60


def test_bins_of_values_give_the_mean_cut_off_at_each_clip():
    """With every u from 0 to 1, evenly spaced, the mean of the bins is what the sums say."""
    values, factors = np.array([0.1, 0.4, 0.7, 3.0, 9.0]), (0.5, 1.0, 2.0, 5.0)
    cut_off = [np.minimum(values, factor).mean() for factor in factors]
    u = (np.arange(100_000) + 0.5) / 100_000
    bins = value_bin([np.full(len(u), mean) for mean in cut_off], factors, u)
    widths = np.diff([0.0, *factors])
    beyond = [(bins >= number).mean() for number in range(1, 5)]
    assert np.cumsum(widths * beyond) == pytest.approx(cut_off, abs=1e-4)


def test_bins_of_sizes():
    sizes = np.array([1, 2, 3, 4, 7, 8, 2**20, 2**62])
    assert size_bin(sizes).tolist() == [0, 1, 1, 2, 2, 3, 20, histograms.SIZE_BINS - 1]


@pytest.mark.parametrize("budget", [Budget(1.0), Budget(1.0, 1e-6)])
@pytest.mark.parametrize("guarantee", [Guarantee(), Guarantee("replace", "unit_partition")])
def test_the_charge_is_the_budget(budget, guarantee):
    grids = {
        "t": table_grid(table(Bounds()), guarantee),
        "s": table_grid(table(Bounds()), guarantee),
    }
    charge = tuning_charge(grids, guarantee, budget)
    assert len(charge.mechanisms) == 8
    assert charge.calibration.price.epsilon <= budget.epsilon
    assert charge.calibration.used >= 0.995
    for name, mechanism in charge.mechanisms.items():
        moves = histogram_sensitivity(name.split(".", 1)[1], guarantee).l1
        assert mechanism.noise == "laplace"
        assert moves / mechanism.scale <= charge.calibration.losses[name].epsilon


def test_all_bins_get_noise(monkeypatch):
    """Empty bins too: which bins have somebody must not show."""
    seen = []
    monkeypatch.setattr(
        histograms, "add_noise", lambda values, mechanism: seen.append(mechanism) or values + 100
    )
    grid = table_grid(table(), Guarantee(), TRIED)
    bins = HistogramBins.of(grid)
    noise = {name: name for name in bins.sizes}
    nothing = pl.DataFrame(schema={"histogram": pl.String, "bin": pl.Int64, "n": pl.Int64})
    found = noisy_histograms(nothing, bins, noise)
    assert found["n"].to_list() == [100] * sum(bins.sizes.values())
    assert seen == list(bins.sizes)


def test_where_no_bin_is_beyond_its_noise_nothing_is_known(monkeypatch):
    grid = table_grid(table(), Guarantee(), TRIED)
    mechanisms = of_grid(grid)
    monkeypatch.setattr(histograms, "add_noise", lambda values, mechanism: values + 1)
    nothing = pl.DataFrame(schema={"histogram": pl.String, "bin": pl.Int64, "n": pl.Int64})
    noisy = noisy_histograms(nothing, HistogramBins.of(grid), mechanisms)
    assert population(noisy, grid, mechanisms) is None


def test_no_partition_is_taken_to_be_much_larger_than_there_are_units():
    grid = table_grid(table(), Guarantee(), TRIED)
    bins = HistogramBins.of(grid)
    counts = {name: np.zeros(size, np.int64) for name, size in bins.sizes.items()}
    counts["cells"][0] = 1000
    counts["sizes"][[9, 10, 11, 39]] = 100
    noisy = pl.concat(
        pl.DataFrame({"histogram": name, "bin": np.arange(len(n)), "n": n})
        for name, n in counts.items()
    )
    found = population(noisy, grid, of_grid(grid))
    assert len(found.times) == 2  # from 512 and from 1024 units; not from 2048, nor from 2^39


def of_grid(grid, epsilon=1.0):
    charge = tuning_charge({"t": grid}, Guarantee(), Budget(epsilon))
    return {name.removeprefix("t."): mechanism for name, mechanism in charge.mechanisms.items()}


@pytest.mark.parametrize("bounds", [Bounds(2, 2), Bounds(max_contributions=3)])
def test_the_population_is_like_the_data(bounds, monkeypatch):
    """Many equal units, without noise: totals and losses come out as they are, or nearly."""
    monkeypatch.setattr(histograms, "add_noise", lambda values, mechanism: values)
    users = 3000
    rows = pl.DataFrame(
        {
            "user": np.repeat(np.arange(users), 8),
            "place": (np.repeat(np.arange(users), 8) * 7 + np.tile(np.arange(8), users) // 2) % 50,
            "value": np.tile([1.0, 3.0], users * 4),
        }
    )  # every user has 4 places with 2 rows each, of 1 and 3
    metrics = {name: METRICS[name] for name in ("rows", "users", "spent")}
    of = table(bounds, metrics, PrivateSelection("laplace"))
    tried = Candidates(l0=(1, 2, 4), linf=(1, 2), l1=(2, 4, 8), clip=(0.5, 2))
    grid = table_grid(of, Guarantee(), tried)
    mechanisms = of_grid(grid)
    found = run_stages(rows, tuning_table(of, candidates=tried, noise=mechanisms))
    people = population(found, grid, mechanisms)
    losses = losses_of(grid)
    # The middle of 4 to 4, or of 3 to 4; of 1 to 2, or of 2 to 2.
    k, c = (4, math.sqrt(2)) if grid.l1s else (math.sqrt(3 * 4), 2)

    def total(value, point, name, by_rows):
        kept = getattr(losses.kept(people.cells, point, value, by_rows=by_rows), name)
        return np.dot(people.times, np.bincount(people.codes, kept, len(people.times)))

    last = len(grid.points) - 1
    assert total("units", last, "whole", False) == pytest.approx(users * k, rel=1e-6)
    assert total("rows", last, "whole", True) == pytest.approx(users * k * c, rel=1e-6)
    if not grid.l1s:
        here = grid.points.index(Bounds(2, 1))
        assert total("units", here, "expected", False) == pytest.approx(users * 2, rel=1e-6)
        assert total("rows", here, "expected", True) == pytest.approx(users * 2, rel=1e-6)
    means = [
        total(f"spent:{number}", last, "whole", True) / total("rows", last, "whole", True)
        for number in range(3)
    ]
    # Clips to 2, 4 and 8: means of 1.5, 2 and 2, each by 3000 draws of a place's value.
    assert means == pytest.approx([1.5, 2, 2], abs=0.1)
