"""Properties that a mutant showed no other test to hold."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

from pipelines.plan import plan_release
from pipelines.run import drawing
from pipelines.run.exactly_once import run_release
from pipelines.run.failures import RunError
from pipelines.spec import ConfigError, load_release

SECRET = "XQZ-private-XQZ"
CONFIG = """
release: r
input: {files: in.parquet}
privacy: {unit: user, epsilon: 1, delta: 1e-6}
tables: {t: {public: {k: [b, c]}, metrics: {n: count}}}
output: {folder: out}
"""


@pytest.fixture
def run(tmp_path):
    """Runs a release of one row."""
    pl.DataFrame({"user": ["a"], "k": ["b"]}).write_parquet(tmp_path / "in.parquet")
    (tmp_path / "release.yaml").write_text(CONFIG)
    release = load_release(tmp_path / "release.yaml")
    return lambda: run_release(release, plan_release(release), [])


def test_a_failed_run_hides_what_failed(tmp_path, run, monkeypatch):
    """Neither the message nor a traceback of the error shows the error that it stands for."""

    def fail(*_, **__):
        raise ValueError(SECRET)

    monkeypatch.setattr(drawing, "DrawTables", fail)
    with pytest.raises(RunError, match="failed with ValueError") as caught:
        run()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert not (tmp_path / "out").exists()


def test_a_release_that_the_ledger_does_not_know_is_not_drawn_again(tmp_path, run):
    run()
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    shutil.rmtree(tmp_path / ".dp-release")
    (tmp_path / "out" / "datapackage.json").unlink()
    del before[tmp_path / "out" / "datapackage.json"]
    with pytest.raises(ConfigError, match="holds a release that the ledger"):
        run()
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_release_that_was_drawn_twice_is_not_published(tmp_path, run, monkeypatch):
    def draw_twice(*arguments):
        draw(*arguments)
        draw(*arguments)

    draw = drawing._run_pipeline
    monkeypatch.setattr(drawing, "_run_pipeline", draw_twice)
    with pytest.raises(RunError, match="failed with DrawnTwiceError"):
        run()
    assert not (tmp_path / "out").exists()
