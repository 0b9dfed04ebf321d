"""The emoji release on generated events, and what is left of a run of it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
from processes import wait_for

from pipelines.plan import plan_release
from pipelines.run import staging as release_staging
from pipelines.run.exactly_once import run_release
from pipelines.run.runners import RunnerChoice
from pipelines.spec import load_release
from pipelines.synthetic import write_emoji_events
from tests.engine.no_noise import select_from, without_noise
from transforms.hashing import HashKey

CONFIGS = Path(__file__).parents[2] / "configs"
TABLES = {"by_country": ["country", "emoji"], "totals": ["country"]}
ROWS, UNITS = 200_000, 20_000
COMMAND = Path(sys.executable).with_name("dp-release")
COMMAND_SECONDS = 330
LOCAL = RunnerChoice("local")


def write_release(folder):
    """Copies the recipe, and writes its events."""
    (folder / "data").mkdir(parents=True)
    shutil.copy(CONFIGS / "data" / "emoji_countries.csv", folder / "data")
    write_emoji_events(folder / "data" / "emoji_weekly", rows=ROWS, units=UNITS, seed=7)
    return recipe(folder, "release")


def recipe(folder, name):
    """A config beside the events, with folders of its own."""
    text = (CONFIGS / "emoji_weekly.yaml").read_text(encoding="utf-8")
    output = "output: {folder: ../published/emoji_weekly, "
    assert output in text
    config = folder / f"{name}.yaml"
    private = f"{{folder: {name}/published, staging: {name}/staging, "
    text = text.replace(output, f"output: {private}")
    config.write_text(f"{text}ledger: {name}/ledger.db\n", encoding="utf-8")
    return config


def run(config, choice=LOCAL):
    """Runs it in this process, and workers too where the environment is `loopback`."""
    release = load_release(config)
    return run_release(release, plan_release(release), choice.beam_options())


def run_command(config, *options):
    """Runs it as a command, which leaves no process behind."""
    process = subprocess.Popen(
        [COMMAND, "run", config, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, errors = process.communicate(timeout=COMMAND_SECONDS)
        wait_for("the end of all processes of the command", lambda: not _runs(process.pid), 20)
    finally:
        if _runs(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    assert process.returncode == 0, errors
    return shown


def _runs(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def exact_tables(config, monkeypatch, choice=LOCAL):
    """Runs it without noise, which only a test can, with all partitions of two units or more."""
    key = HashKey(b"a key only for tests")
    with monkeypatch.context() as patch:
        without_noise(patch)
        select_from(patch, 2)
        patch.setattr(release_staging.HashKey, "draw", lambda: key)
        done = run(config, choice)
    assert done.is_new
    return {name: _drawn(config, name).sort(keys) for name, keys in TABLES.items()}


def check_one_release(config):
    """Sees to it that there was one charge and one draw, and that what is published is the draw."""
    kinds = entries(config)
    assert kinds == {"reserved": 1, "drawing": kinds["drawing"], "drawn": 1, "published": 1}
    folder = config.with_suffix("") / "published"
    for name, keys in TABLES.items():
        published = pl.read_parquet(folder / f"{name}.parquet").sort(keys)
        drawn = _drawn(config, name).sort(keys)
        assert published.select(keys).equals(drawn.select(keys))
        assert published["users"].equals(drawn["users"].cast(published.schema["users"]))
        assert not published.select(keys).is_duplicated().any()
    assert pl.read_parquet(folder / "totals.parquet").height == 60
    return kinds


def entries(config):
    """How often each kind of entry is in the ledger."""
    with sqlite3.connect(config.with_suffix("") / "ledger.db") as connection:
        lines = connection.execute("SELECT line FROM entries").fetchall()
    return Counter(line.split('"kind":"')[1].split('"')[0] for (line,) in lines)


def _drawn(config, name):
    (file,) = (config.with_suffix("") / "staging").glob(f"all/v1/attempt-*/drawn/{name}.parquet")
    return pl.read_parquet(file)
