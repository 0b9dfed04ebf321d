"""The recipe of post-processing, on the real trips."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from pipelines.plan import plan_release
from pipelines.run import run_release
from pipelines.spec import load_release
from transforms.table import released_columns

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = [
    "bike_top_stations.yaml",
    *(f"data/bike_stations{part}.csv" for part in ("", "_until_2019")),
    "data/valleybike_trips.parquet",
]


@pytest.mark.statistical
def test_the_busiest_stations_on_the_real_trips(tmp_path):
    """What is checked holds for any noise but that of one in ten million releases or fewer.

    The busiest stations have 2,000 and more bounded trips. Their noise has a scale of 17, at which
    an error of 400 has the probability exp(-400 / 17).
    """
    (tmp_path / "configs" / "data").mkdir(parents=True)
    for file in FILES:
        shutil.copy(CONFIGS / file, tmp_path / "configs" / file)
    release = load_release(tmp_path / "configs" / "bike_top_stations.yaml")
    (table,) = run_release(release, plan_release(release), [], replace=False).published
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
