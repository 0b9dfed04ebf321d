"""What a small release is made of, and what its ledger says, in whatever place it is."""

import json
import os
from collections import Counter
from datetime import datetime

import polars as pl

from pipelines.ledger import Ledger, open_store
from pipelines.spec import load_release

SECONDS = 50
"""What a command may take."""
DOCUMENTS = {"SHA256SUMS", "datapackage.json", "deployment.yaml", "plan.json"}
"""Files of every publication beside its tables."""
USERS = [f"u{number}" for number in range(60)]
MONDAYS = [datetime(2026, 11, day, 12) for day in (2, 9, 16)]


def rows():
    """A row of each user on each of three Mondays."""
    return pl.DataFrame({"user": USERS}).join(
        pl.DataFrame({"at": MONDAYS, "country": ["DE", "FR", "DE"]}), how="cross"
    )


def config_text(files, output, *, series="r", epsilon=1.0, metrics="n: count", more=""):
    """A release of public keys, whose noise differs from draw to draw."""
    return (
        f"release: {series}\ninput: {{files: {files}}}\n"
        f"privacy: {{unit: user, epsilon: {epsilon}}}\n"
        f"tables: {{t: {{public: {{country: [DE, FR]}}, metrics: {{{metrics}}}}}}}\n"
        f"output: {{{output}, formats: [parquet, csv]}}\n{more}"
    )


def environment(**more):
    """Environment of a command whose output is wide and UTF-8."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200", **more}


def book(config):
    """The ledger of a config, verified."""
    return Ledger(open_store(load_release(config).ledger)).book()


def kinds(config):
    """How often each kind of entry is in the ledger."""
    lines = open_store(load_release(config).ledger).read().lines
    return Counter(json.loads(line)["kind"] for line in lines)


def state(config, **key):
    """State of the one release in the ledger, or of that with a version."""
    (release,) = (
        release
        for release in book(config).releases.values()
        if all(getattr(release.key, name) == value for name, value in key.items())
    )
    return release.state
