"""Two runs of one release, runs that are killed or interrupted, and what they leave behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from commands import COMMAND, command_here
from small_series import DOCUMENTS

from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.run.failures import RunError
from pipelines.run.ledger import ReleaseLedger
from pipelines.spec import ConfigError, load_release

START = 30.0
"""Seconds that a process may take to get where the test wants it."""

HELD = """
import logging, pathlib, time
logging.basicConfig(level=logging.CRITICAL)  # as the command does before it imports Beam
import {module} as module
original = module.{name}
folder = pathlib.Path({folder!r})
def held(*arguments):
    (folder / "reached").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return original(*arguments)
module.{name} = held
from pipelines.cli import main
main()
"""
"""The command, held when it calls a function, until a file is there."""

DRAW = ("transforms.stages", "draw")
RENDER = ("pipelines.run.output", "render")


@pytest.fixture
def config(tmp_path):
    users = [f"u{number}" for number in range(60)]
    frame = pl.DataFrame({"user": users * 2, "country": ["DE"] * 60 + ["FR"] * 60})
    frame.write_parquet(tmp_path / "in.parquet")
    path = tmp_path / "release.yaml"
    path.write_text(
        "release: r\ninput: {files: in.parquet}\n"
        "privacy: {unit: user, epsilon: 30, delta: 1e-6}\n"
        "tables: {t: {keys: [country], metrics: {n: count}}}\n"
        "output: {folder: out, formats: [parquet, csv]}\n"
    )
    return path


def run(config, **options):
    release = load_release(config)
    return run_release(release, plan_release(release), **options)


def start(*arguments, program=None):
    """Starts `dp-release`, or a Python program that calls its `main`, in a group of its own."""
    first = [COMMAND] if program is None else [sys.executable, "-c", program]
    return subprocess.Popen(
        [*first, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        start_new_session=True,
    )


def finish(process):
    stdout, stderr = process.communicate(timeout=START)
    return process.returncode, stdout, stderr


def command(*arguments):
    done = command_here(*arguments)
    return done.returncode, done.stdout, done.stderr


@contextmanager
def held_run(config, place, *arguments):
    """A run that is under way and waits at a place; `go` lets it go on."""
    module, name = place
    folder = config.parent / "hold"
    folder.mkdir()
    program = HELD.format(module=module, name=name, folder=str(folder))
    process = start("run", config, "--no-report", *arguments, program=program)
    try:
        limit = time.monotonic() + START
        while not (folder / "reached").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.01)
        yield process
    finally:
        (folder / "go").touch()
        if process.poll() is None:
            process.kill()
            process.communicate()
        shutil.rmtree(folder)


def go(config):
    (config.parent / "hold" / "go").touch()


def files_below(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def attempts(config):
    """Folders of attempts, which say nothing of how many there were."""
    return sorted(path for path in (config.parent / ".dp-release" / "r").glob("*/*/attempt-*"))


def values(config):
    """Drawn values in private folders."""
    return [path for folder in attempts(config) for path in folder.rglob("*.parquet")]


def beside(config):
    """What is beside the output folder and named for it."""
    return sorted(path.name for path in config.parent.glob(".out*"))


def assert_refused(done, text):
    code, stdout, stderr = done
    assert (code, stdout) == (1, "")
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1, stderr
    assert text in stderr


ANOTHER = "another run of this release is under way; allowed: one"


# Two at once


def test_a_second_run_at_once_is_refused_and_the_first_goes_on(config):
    with held_run(config, DRAW) as first:
        assert_refused(command("run", config), f"{config}:1:10: release: {ANOTHER}")
        for name in ("abandon", "void"):
            done = command(name, config, "--reason", "it is slow")
            assert_refused(done, f"{config}:1:10: release: {ANOTHER}")
        assert len(attempts(config)) == 1
        go(config)
        code, stdout, stderr = finish(first)
    assert (code, stderr) == (0, "")
    assert "2 rows in" in stdout
    assert pl.read_parquet(config.parent / "out" / "t.parquet").height == 2
    assert len(attempts(config)) == 1


def test_the_lock_is_the_file_in_the_staging_folder(config):
    staging = config.parent / ".dp-release" / "r"
    staging.mkdir(parents=True)
    with (staging / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match=ANOTHER):
            run(config)
        assert not attempts(config)
        assert not (config.parent / "out").exists()
    run(config)
    assert (config.parent / "out").exists()


def test_a_run_leaves_no_lock_whether_it_fails_or_not(config, monkeypatch):
    monkeypatch.setattr("pipelines.run.output.render", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    monkeypatch.undo()
    run(config)
    run(config)


def test_of_runs_that_start_together_one_draws(config):
    runs = [start("run", config, "--no-report") for _ in range(4)]
    done = [finish(process) for process in runs]
    assert {code for code, _, _ in done} <= {0, 1}
    assert any(code == 0 for code, _, _ in done)
    assert all(ANOTHER in stderr for code, _, stderr in done if code)
    (release,) = ReleaseLedger.of(load_release(config)).ledger.book().releases.values()
    assert (release.state, len(release.entries)) == ("published", 4)


def test_other_releases_run_at_the_same_time(config):
    other = config.with_name("other.yaml")
    text = config.read_text().replace("release: r\n", "release: other\n")
    other.write_text(text.replace("folder: out", "folder: other"))
    with held_run(config, DRAW) as first:
        run(other)
        go(config)
        assert finish(first)[0] == 0
    assert (config.parent / "other" / "plan.json").exists()
    assert (config.parent / "out" / "plan.json").exists()


def test_a_release_that_was_published_while_a_run_waited_is_not_drawn_again(config, monkeypatch):
    """The ledger is looked at again under the lock."""
    inner = config.with_name("inner.yaml")
    inner.write_text(config.read_text())
    check = sys.modules["pipelines.run.steps"].check_release_input

    def check_and_publish(*arguments):
        monkeypatch.undo()
        run(inner)
        return check(*arguments)

    monkeypatch.setattr("pipelines.run.steps.check_release_input", check_and_publish)
    done = run(config)
    assert not done.is_new
    assert len(attempts(config)) == 1


# Interrupted


INTERRUPTED = "interrupted; the same command goes on from here\n"


@pytest.mark.parametrize("place", [DRAW, RENDER], ids=["in the pipeline", "while it publishes"])
def test_an_interrupted_run_says_so_and_the_next_one_goes_on(config, place):
    with held_run(config, place) as first:
        first.send_signal(signal.SIGINT)  # What the terminal sends for Ctrl-C.
        time.sleep(0.3)
        go(config)
        done = finish(first)
    assert done == (130, "", INTERRUPTED)
    assert not (config.parent / "out").exists()
    frozen = values(config)
    assert bool(frozen) == (place == RENDER)
    assert beside(config) == []
    run(config)
    assert len(attempts(config)) == 1
    assert [path for path in frozen if not path.exists()] == []


def test_an_interrupted_correction_leaves_the_old_release(config):
    run(config)
    before = files_below(config.parent / "out")
    with held_run(config, DRAW, "--correct", "again") as first:
        first.send_signal(signal.SIGINT)
        time.sleep(0.3)
        go(config)
        done = finish(first)
    assert done == (130, "", INTERRUPTED)
    assert files_below(config.parent / "out") == before
    assert beside(config) == []


# Leftovers


def test_what_was_put_aside_is_dropped_when_the_new_release_is_in_place(config):
    """Killed after the second rename, before the old release was removed."""
    run(config)
    folder, aside = config.parent / "out", config.parent / ".out.replaced"
    shutil.copytree(folder, aside)
    (aside / "old").touch()
    run(config, correct="again")
    assert not (folder / "old").exists()
    assert beside(config) == []


def test_a_leftover_that_was_being_built_is_removed_and_never_published(config):
    building = config.parent / ".out.0123456789abcdef.building"
    building.mkdir()
    for name in ("plan.json", "t.parquet", "leftover.csv"):
        (building / name).write_text("leftover")
    run(config)
    names = {path.name for path in (config.parent / "out").iterdir()}
    assert names == {*DOCUMENTS, "t.parquet", "t.csv"}
    assert all(content != b"leftover" for content in files_below(config.parent / "out").values())
    assert beside(config) == []


@pytest.mark.parametrize(
    "name",
    [
        "pipelines.run.output.render",
        "pipelines.publication.release_files._write",
        "pipelines.run.outlet.promote",
    ],
)
def test_a_publication_that_fails_leaves_the_draw_for_the_next_run(config, monkeypatch, name):
    monkeypatch.setattr(name, lambda *_: 1 / 0)
    with pytest.raises(RunError, match="failed with ZeroDivisionError; nothing was published"):
        run(config)
    assert beside(config) == []
    assert not (config.parent / "out").exists()
    before = {path: path.read_bytes() for path in values(config) if path.parent.name == "drawn"}
    monkeypatch.undo()
    run(config)
    assert {path: path.read_bytes() for path in before} == before
    assert len(attempts(config)) == 1


def test_a_rename_that_fails_leaves_nothing_that_was_being_built(config, monkeypatch):
    rename = Path.rename

    def fail(self, target):
        if self.name.endswith(".building"):
            raise OSError
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(RunError, match="nothing was published"):
        run(config)
    assert beside(config) == []
    assert not (config.parent / "out").exists()
