"""A small release, runs of it in this process and as a command, and what is left of them."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from unittest.mock import patch

import polars as pl

from pipelines.ledger import Ledger, open_store
from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release

SECONDS = 50
DOCUMENTS = ("SHA256SUMS", "datapackage.json", "deployment.yaml", "plan.json")
"""Files of every publication beside its tables."""
USERS = [f"u{number}" for number in range(60)]
TODAY = date(2027, 1, 4)
"""What the clock shows in tests, so that the periods of their releases are over."""
MONDAYS = [datetime(2026, 11, day, 12) for day in (2, 9, 16)]


_ON_THAT_DAY = f"""
from datetime import date
from pipelines import cli, clock
clock.today = lambda: date({TODAY.year}, {TODAY.month}, {TODAY.day})
cli.main()
"""


def write_release(folder, *, epsilon=1.0, metrics="n: count", input_more="", more=""):
    """Writes a release of public keys, whose noise differs from draw to draw."""
    rows = pl.DataFrame({"user": USERS}).join(
        pl.DataFrame({"at": MONDAYS, "country": ["DE", "FR", "DE"]}), how="cross"
    )
    rows.write_parquet(folder / "in.parquet")
    config = folder / "release.yaml"
    config.write_text(
        f"release: r\ninput: {{files: in.parquet{input_more}}}\n"
        f"privacy: {{unit: user, epsilon: {epsilon}}}\n"
        f"tables: {{t: {{public: {{country: [DE, FR]}}, metrics: {{{metrics}}}}}}}\n"
        f"output: {{folder: out, formats: [parquet, csv]}}\n{more}"
    )
    return config


def write_weekly(folder, **more):
    """The same with a release per week, and days after the time column."""
    return write_release(
        folder, input_more=", time: at", more=f"period: week\n{more.pop('more', '')}", **more
    )


def run(config, **options):
    """Runs it here."""
    today = options.pop("today", TODAY)
    release = load_release(config)
    with patch("pipelines.clock.today", lambda: today):
        return run_release(release, plan_release(release), **options)


def command(*arguments, program=None):
    """Runs `dp-release`, or a program that calls its `main`."""
    start = [sys.executable, "-c", program or _ON_THAT_DAY]
    return subprocess.run(
        [*start, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        timeout=SECONDS,
    )


def book(config):
    """The ledger of a config, verified."""
    return Ledger(open_store(load_release(config).ledger)).book()


def kinds(config):
    """How often each kind of entry is in the ledger."""
    place = Path(load_release(config).ledger)
    if not place.exists():
        return Counter()
    with sqlite3.connect(place) as connection:
        lines = connection.execute("SELECT line FROM entries").fetchall()
    return Counter(line.split('"kind":"')[1].split('"')[0] for (line,) in lines)


def files(folder):
    """The files below a folder by their paths in it; none where there is no folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def state(config, **key):
    """State of the one release in the ledger, or of that with a version."""
    (release,) = (
        release
        for release in book(config).releases.values()
        if all(getattr(release.key, name) == value for name, value in key.items())
    )
    return release.state
