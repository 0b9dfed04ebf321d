"""A series that is published here, to be put into buckets, where nothing has to be drawn again."""

import shutil
from datetime import datetime

import polars as pl
from release_on_gcs import run

from pipelines.ledger import ReleaseKey
from pipelines.run.gcs_outlet import GcsOutlet
from pipelines.storage.gcs import GcsFolder

WEEKS = ("2026-W45", "2026-W46", "2026-W47")
OUT = "gs://b/x/out"


def write_config(folder, publication):
    """Writes a release of three weeks, and its input."""
    days = pl.DataFrame({"at": [datetime(2026, 11, day) for day in (2, 9, 16)]})
    rows = pl.DataFrame({"user": [f"u{n}" for n in range(30)], "country": ["DE", "FR"] * 15})
    rows.join(days, how="cross").write_parquet(folder / "in.parquet")
    config = folder / "release.yaml"
    config.write_text(
        "release: r\ninput: {files: in.parquet, time: at}\nperiod: week\n"
        "privacy: {unit: user, epsilon: 1}\n"
        "tables: {t: {public: {country: [DE, FR]}, metrics: {n: count}}}\n"
        f"output: {{folder: {publication}, formats: [parquet, csv], staging: private}}\n"
    )
    return config


def publish_here(folder):
    """Publishes three weeks with reports to `out`; the second was corrected since, see `first`."""
    config = write_config(folder, "out")
    for week in WEEKS[:2]:
        run(config, period=week, report=True)
    shutil.copytree(folder / "out" / WEEKS[1], folder / "first" / WEEKS[1])
    run(config, period=WEEKS[1], report=True, correct="a wrong file")
    run(config, period=WEEKS[2], report=True)
    return folder / "out"


def outlet(week, out=OUT):
    return GcsOutlet(GcsFolder.of(f"{out}/{week}"))


def put(here, *weeks, out=OUT, version=1):
    """Shows readers of the bucket what is published here; returns the outlet of the last one."""
    for week in weeks:
        outlet(week, out).put(here / week, ReleaseKey("r", week, version))
    return outlet(weeks[-1], out)
