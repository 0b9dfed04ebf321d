"""The recipe of levels on real trips: its rows and the other row are all that was bounded."""

import math

import polars as pl
import pytest
from recipes import CONFIGS, STATIONS, TRIPS, copy_recipe, run_recipe

from transforms.local import exact_partials
from transforms.noise import noise_std

pytestmark = pytest.mark.statistical


def test_bike_levels_on_the_real_trips(tmp_path, key):
    """Noise is within 14 standard deviations; false alarms are far below one in a million."""
    tables = run_recipe(copy_recipe(tmp_path, "bike_levels", TRIPS))
    trips = pl.read_parquet(CONFIGS / "data" / TRIPS)
    assert list(tables) == [
        "trips_by_start_station",
        "trips_by_start_station_end_station",
    ]
    for table in tables.values():
        exact = exact_partials(trips.to_arrow(), ("user_id",), table.plan, key)
        others = table.frame.filter(pl.col("start_station").is_null())
        selected = table.frame.filter(pl.col("start_station").is_not_null())
        assert others.height == 1
        assert selected.height > 20
        left_out = exact.join(selected, on=table.plan.keys, how="anti")["trips"].sum()
        std = noise_std(table.plan.mechanisms["other:trips"])
        assert abs(others["trips"][0] - left_out) < 14 * std  # exp(-14 sqrt(2)) for Laplace
        together = math.hypot(std, *selected["trips_std"])
        assert abs(table.frame["trips"].sum() - exact["trips"].sum()) < 14 * together


def test_bike_days_on_the_real_trips(tmp_path):
    """Noise is within 14 standard deviations; false alarms are far below one in a million."""
    tables = run_recipe(copy_recipe(tmp_path, "bike_days", TRIPS, STATIONS))
    days, stations = (table.frame for table in tables.values())
    assert (
        days["day"].to_list()
        == pl.date_range(pl.date(2019, 7, 1), pl.date(2019, 7, 31), eager=True).to_list()
    )
    assert stations.height == 31 * 54
    of_stations = stations.group_by("day").agg(pl.col("trips_consistent").sum()).sort("day")
    differences = of_stations["trips_consistent"] - days["trips_consistent"]
    assert differences.abs().max() < 1e-6
    assert (days["trips_consistent_std"] < days["trips_std"]).all()
    trips = pl.read_parquet(CONFIGS / "data" / TRIPS).filter(pl.col("start_station").is_not_null())
    clock = (
        pl.col("start_time").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    )
    bounded = (
        trips.group_by("user_id", clock.dt.date().alias("day"))
        .agg(pl.len().clip(upper_bound=2).alias("exact"))
        .group_by("day")
        .agg(pl.col("exact").cast(pl.Int64).sum())
    )
    joined = days.join(bounded, on="day", how="left").fill_null(0)
    assert ((joined["trips"] - joined["exact"]).abs() < 14 * joined["trips_std"]).all()
