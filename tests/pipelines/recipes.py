"""Copies of recipes, to run in a folder of a test."""

import shutil
from pathlib import Path

import polars as pl

from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release
from transforms.local import exact_partials

CONFIGS = Path(__file__).parents[2] / "configs"
TRIPS = "valleybike_trips.parquet"
STATIONS = "bike_stations.csv"


def copy_recipe(folder, name, *data):
    """Loads a copy of a recipe, with files of `configs/data` beside it."""
    (folder / "configs" / "data").mkdir(parents=True)
    for path in (f"{name}.yaml", *(f"data/{file}" for file in data)):
        shutil.copy(CONFIGS / path, folder / "configs" / path)
    return load_release(folder / "configs" / f"{name}.yaml")


def run_recipe(release):
    """Runs a recipe and returns its tables by name."""
    done = run_release(release, plan_release(release), [])
    return {table.plan.name: table for table in done.published}


def exact_values(release, table, rows, key):
    """Returns the bounded integers of a published table before noise, and all its partitions.

    Args:
        release: The release.
        table: One of its tables.
        rows: An Arrow table of the prepared rows.
        key: The secret of the run.

    Returns:
        A frame with the keys, and the integers under `exact:` and their names.
    """
    partials = exact_partials(rows, release.spec.privacy.unit, table.plan, key)
    keys = list(table.plan.keys)
    return partials.select(*keys, pl.all().exclude(keys).name.prefix("exact:"))
