"""The recipe of post-processing, on the real trips."""

import polars as pl
import pytest
from recipes import STATIONS, TRIPS, copy_recipe, run_recipe

from transforms.table import released_columns


@pytest.mark.statistical
def test_the_busiest_stations_on_the_real_trips(tmp_path):
    """What is checked holds for any noise but that of one in ten million releases or fewer.

    The busiest stations have 2,000 and more bounded trips. Their noise has a scale of 17, at which
    an error of 400 has the probability exp(-400 / 17).
    """
    data = (TRIPS, STATIONS, "bike_stations_until_2019.csv")
    (table,) = run_recipe(copy_recipe(tmp_path, "bike_top_stations", *data)).values()
    frame = table.frame
    metrics = ["trips", "seconds", "seconds_per_trip", "growth"]
    assert frame.columns == ["start_station", *(c for m in metrics for c in released_columns(m))]
    assert frame.height == 20
    assert frame["start_station"].is_sorted()
    busiest = {"Amherst Town Hall", "UMass Southwest", "Northampton Train Station"}
    assert busiest <= set(frame["start_station"])
    assert (frame["trips"] % 10 == 0).all()
    assert (frame["seconds"] % 1000 == 0).all()
    assert frame["seconds_per_trip"].is_between(300, 3600).all()
    few = frame.filter(start_station="Amherst Town Hall")
    assert few["growth"].is_between(5, 60).all()
    for metric in metrics:
        value, std, low, high = (frame[column].drop_nulls() for column in released_columns(metric))
        assert ((low <= value) & (value <= high) & (std > 0)).all()
    written = pl.read_csv(tmp_path / "published" / "bike_top_stations" / "stations.csv")
    assert written["trips"].to_list() == frame["trips"].to_list()
