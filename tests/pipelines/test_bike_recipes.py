"""The recipes of metrics, bounds and guarantees, run on the real trips."""

import math

import polars as pl
import pytest
from recipes import CONFIGS, STATIONS, TRIPS, copy_recipe, exact_values, run_recipe

from transforms.bounding import UNITS

pytestmark = pytest.mark.statistical

FALSE_ALARM = 1e-9
"""Probability that one assertion about noise fails although all is well; there are some ten."""


@pytest.fixture
def run(tmp_path):
    """Runs a copy of a recipe and returns its release and its tables."""

    def run(name):
        release = copy_recipe(tmp_path, name, TRIPS, STATIONS)
        return release, run_recipe(release)

    return run


def released_with_truth(release, table, key):
    """Joins a published table with its exact bounded integers, under `exact:` and their names."""
    trips = pl.read_parquet(CONFIGS / "data" / TRIPS).to_arrow()
    exact = exact_values(release, table, trips, key)
    return table.frame.join(exact, on=list(table.plan.keys), how="left")


def largest_noise(std, draws):
    """Returns what none of so many Laplace draws exceeds, but with probability FALSE_ALARM."""
    return std / math.sqrt(2) * math.log(draws / FALSE_ALARM)


def assert_near(frame, column, exact, std):
    """Checks that all numbers of a column are as near to the exact ones as their noise allows."""
    error = (frame[column] - frame.select(exact).to_series()).abs().max()
    assert error <= largest_noise(std, frame.height) + 1


def test_durations(run, key):
    release, tables = run("bike_durations")
    assert set(tables) == {"durations", "quantiles", "effort"}

    joined = released_with_truth(release, tables["durations"], key)
    std = joined["trips_std"][0]
    assert_near(joined, "trips", pl.col("exact:trips"), std)
    distinct = pl.col("exact:bikes:items").list.eval(
        pl.element().struct.field("item").unique().len()
    )
    assert_near(joined, "bikes", distinct.list.first(), joined["bikes_std"][0])
    assert joined["mean_s"].is_between(0, 3600).all()
    assert joined["variance_s2"].is_between(0, 1800**2).all()
    busy = joined.filter(pl.col("exact:trips") > 1000)
    assert busy.height >= 10
    mean = 1800 + busy["exact:mean_s:sum"] / busy["exact:mean_s:rows"]
    assert ((busy["mean_s"] - mean).abs() <= 20 * busy["mean_s_std"]).all()
    assert (busy["mean_s_std"] < 100).all()

    quantiles = tables["quantiles"].frame
    ranks = ["seconds_p25", "seconds_p50", "seconds_p90"]
    assert all(quantiles[rank].is_between(0, 3600).all() for rank in ranks)
    (town_hall,) = quantiles.filter(start_station="Amherst Town Hall").to_dicts()
    assert town_hall["seconds_p25"] <= town_hall["seconds_p50"] <= town_hall["seconds_p90"]
    assert 300 < town_hall["seconds_p50"] < 2500

    joined = released_with_truth(release, tables["effort"], key)
    for column in ("duration_s", "n_points"):
        std = joined[f"effort_{column}_std"][0]
        assert_near(joined, f"effort_{column}", pl.col(f"exact:effort:{column}"), std)
    assert_near(joined, "seconds", pl.col("exact:seconds"), joined["seconds_std"][0])


def test_routes(run):
    _, tables = run("bike_routes")
    ridden = tables["ridden"].frame
    assert ridden.columns == ["start_cell", "end_cell"]
    assert ridden.equals(ridden.unique().sort(ridden.columns))
    trips = pl.read_parquet(CONFIGS / "data" / TRIPS)
    riders = trips.group_by(ridden.columns).agg(pl.col("user_id").n_unique())
    assert ridden.join(riders, on=ridden.columns, how="anti").is_empty()
    # Alone on one route each, 13 riders are as likely to show it as not; 300 are sure to, as they
    # add at least 1 / sqrt(20) each.
    busy = riders.filter(pl.col("user_id") > 300)
    assert busy.height > 20
    assert busy.join(ridden, on=ridden.columns, how="anti").is_empty()
    (file,) = tables["ridden"].files
    assert pl.read_parquet(file).equals(ridden)


def test_riders(run, key):
    release, tables = run("bike_riders")
    joined = released_with_truth(release, tables["riders"], key)
    std = joined["riders_std"][0]
    # A rider who is another one leaves three stations and comes to three others.
    assert std == pytest.approx(math.sqrt(2) * 6 / 2, abs=0.1)
    assert_near(joined, "riders", pl.col(f"exact:{UNITS}"), std)


def test_single_trips(run):
    _, tables = run("bike_trips")
    seconds = pl.col("duration_s").clip(0, 3600)
    truth = (
        pl.read_parquet(CONFIGS / "data" / TRIPS)
        .group_by("start_station")
        .agg(pl.len().cast(pl.Int64).alias("all"), seconds.mean().alias("mean"))
    )
    joined = tables["trips"].frame.join(truth, on="start_station", how="left")
    assert_near(joined, "trips", pl.col("all"), joined["trips_std"][0])
    busy = joined.filter(pl.col("all") > 2000)
    assert busy.height > 20
    assert ((busy["mean_s"] - busy["mean"]).abs() < 100).all()


def test_visits(run):
    _, tables = run("bike_visits")
    truth = (
        pl.read_parquet(CONFIGS / "data" / TRIPS)
        .group_by("start_station", "user_id")
        .agg(pl.len().cast(pl.Int64).alias("rows"))
        .group_by("start_station")
        .agg(pl.col("rows").clip(upper_bound=5).sum().alias("five"), pl.len().alias("all"))
    )
    joined = tables["visits"].frame.join(truth, on="start_station", how="left").fill_null(0)
    assert_near(joined, "trips", pl.col("five"), joined["trips_std"][0])
    assert_near(joined, "riders", pl.col("all").cast(pl.Int64), joined["riders_std"][0])
