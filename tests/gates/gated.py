"""A weekly release of dated folders, its runs on a day of choice, and what a run leaves."""

import json
from datetime import date, timedelta
from unittest.mock import patch

import polars as pl

from pipelines.ledger import Ledger, open_store
from pipelines.plan import plan_release
from pipelines.run.exactly_once import publish_release, run_release
from pipelines.spec import load_release

WEEK = "2026-W46"
MONDAY = date(2026, 11, 9)
DAYS = [MONDAY + timedelta(days=number) for number in range(7)]
AFTER = date(2026, 11, 16)
"""The first day on which the week is over."""
USERS = [f"u{number}" for number in range(40)]


def write_day(folder, day, *, users=USERS, country="DE"):
    """Writes one dated folder with a file."""
    path = folder / f"events/dt={day}/a.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"user": users, "country": [country] * len(users)}).write_parquet(path)
    return path


def write_config(
    folder, gates="{}", *, keys="public: {country: [DE, FR]}", more="", source="", period="week"
):
    """Writes the config; its noise is next to nothing."""
    time = ", time: dt, types: {dt: date}" if period else ""
    period = f"period: {period}\n" if period else ""
    config = folder / "release.yaml"
    config.write_text(
        f"release: r\n"
        f"input: {{files: events/dt=*/*.parquet{time}{source}}}\n"
        "privacy: {unit: user, epsilon: 300, delta: 1e-6}\n"
        "tables:\n  t:\n"
        f"    {keys}\n    bounds: {{max_contributions_per_partition: 7}}\n"
        "    metrics: {n: count}\n"
        f"gates: {gates}\n{period}"
        f"output: {{folder: out, formats: [parquet, csv]}}\n{more}"
    )
    return config


def write_week(folder, gates="{}", *, missing=(), **more):
    """Writes the config and a folder for each day of the week that is not missing."""
    for day in DAYS:
        if day not in missing:
            write_day(folder, day)
    return write_config(folder, gates, **more)


def run(config, *, today=AFTER, period=WEEK, **options):
    """Runs it on a day."""
    release = load_release(config)
    with patch("pipelines.clock.today", lambda: today):
        return run_release(release, plan_release(release), period=period, **options)


def publish(config, *, today=AFTER, period=WEEK, **options):
    """Publishes what is drawn."""
    release = load_release(config)
    with patch("pipelines.clock.today", lambda: today):
        return publish_release(release, plan_release(release), period=period, **options)


def states(config):
    """State of each release in the ledger; none where nothing was charged."""
    book = Ledger(open_store(load_release(config).ledger)).book()
    return {str(key): release.state for key, release in book.releases.items()}


def entries(config):
    """Number of entries in the ledger."""
    return Ledger(open_store(load_release(config).ledger)).book().head.entries


def manifest(done):
    """The manifest of a run's publication."""
    return json.loads((done.folder / "datapackage.json").read_bytes())


def completeness(done):
    """What it says of gates."""
    return manifest(done)["publication"]["completeness"]


def point(done, number):
    """The statement of one of the 26 points."""
    points = manifest(done)["privacy"]["disclosure"]
    return next(one["statement"] for one in points if one["point"] == number)


def rows(done):
    """Counts by country."""
    return dict(pl.read_parquet(done.folder / "t.parquet").select("country", "n").iter_rows())
