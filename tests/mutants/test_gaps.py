"""Properties that a mutant showed no other test to hold."""

from __future__ import annotations

from copy import copy

import polars as pl
import pytest

from pipelines import run as run_module
from pipelines.plan import plan_release
from pipelines.run import RunError, run_release
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
    return lambda: run_release(release, plan_release(release), [], replace=False)


def test_a_failed_run_hides_what_failed(tmp_path, run, monkeypatch):
    """Neither the message nor a traceback of the error shows the error that it stands for."""

    def fail(*_, **__):
        raise ValueError(SECRET)

    monkeypatch.setattr(run_module, "DrawTables", fail)
    with pytest.raises(RunError, match="failed with ValueError") as caught:
        run()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert not (tmp_path / "out").exists()


def test_a_second_run_is_refused_without_replace(tmp_path, run):
    run()
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ConfigError, match="holds a release already"):
        run()
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_release_that_was_drawn_twice_is_not_published(tmp_path, run, monkeypatch):
    def draw_twice(plan, reading, *others):
        """A transform remembers the pipeline that it was first used in."""
        for again in (copy(reading), copy(reading)):
            draw(plan, again, *others)

    draw = run_module._draw
    monkeypatch.setattr(run_module, "_draw", draw_twice)
    with pytest.raises(RunError, match="failed with DrawnTwiceError"):
        run()
    assert not (tmp_path / "out").exists()
