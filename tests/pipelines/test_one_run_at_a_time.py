"""Two runs of one release, runs that are killed or interrupted, and what they leave behind."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from small_release import DOCUMENTS

from pipelines.plan import plan_release
from pipelines.run import RunError, run_release
from pipelines.spec import ConfigError, load_release

COMMAND = Path(sys.executable).with_name("dp-release")
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
RENDER = ("pipelines.output", "render")


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


def run(config, *, replace=False):
    release = load_release(config)
    return run_release(release, plan_release(release), [], replace=replace)


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
    return finish(start(*arguments))


@contextmanager
def held_run(config, place, *arguments):
    """A run that is under way and waits at a place; `go` lets it go on."""
    module, name = place
    folder = config.parent / "hold"
    folder.mkdir()
    program = HELD.format(module=module, name=name, folder=str(folder))
    process = start("run", config, *arguments, program=program)
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
    return sorted(path for path in (config.parent / ".dp-release" / "r").glob("*/"))


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
        for arguments in ([], ["--replace"]):
            done = command("run", config, *arguments)
            assert_refused(done, f"{config}:1:10: release: {ANOTHER}")
        assert len(attempts(config)) == 1
        go(config)
        code, stdout, _ = finish(first)
    assert code == 0
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
    run(config)
    monkeypatch.setattr("pipelines.output.render", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config, replace=True)
    monkeypatch.undo()
    run(config, replace=True)


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
    """The output folder is looked at again under the lock."""
    inner = config.with_name("inner.yaml")
    inner.write_text(config.read_text())
    check = sys.modules["pipelines.run"].check_input

    def check_and_publish(*arguments):
        monkeypatch.undo()
        run(inner)
        return check(*arguments)

    monkeypatch.setattr("pipelines.run.check_input", check_and_publish)
    with pytest.raises(ConfigError, match="holds a release already"):
        run(config)
    drawn = [attempt for attempt in attempts(config) if any(attempt.iterdir())]
    assert len(drawn) == 1


def test_a_second_run_that_is_refused_does_not_touch_the_folders_of_the_first(config):
    run(config)
    staging = config.parent / ".dp-release" / "r"
    (config.parent / "out").rename(config.parent / ".out.replaced")
    with (staging / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError):
            run(config, replace=True)
    assert beside(config) == [".out.replaced"]


# Killed


@pytest.mark.parametrize("place", [DRAW, RENDER], ids=["in the pipeline", "while it publishes"])
def test_a_killed_run_publishes_nothing_and_does_not_hinder_the_next(config, place):
    with held_run(config, place) as first:
        first.kill()
        first.communicate(timeout=START)
        assert first.returncode == -signal.SIGKILL
    assert not (config.parent / "out").exists()
    assert len(attempts(config)) == 1
    code, _, stderr = command("run", config)
    assert (code, stderr) == (0, "")
    assert pl.read_parquet(config.parent / "out" / "t.parquet").height == 2
    assert beside(config) == []
    assert len(attempts(config)) == 2


def test_a_run_that_is_killed_while_it_replaces_leaves_the_old_release(config):
    run(config)
    before = files_below(config.parent / "out")
    with held_run(config, RENDER, "--replace") as first:
        first.kill()
        first.communicate(timeout=START)
    assert files_below(config.parent / "out") == before
    (left,) = beside(config)
    assert re.fullmatch(r"\.out\.[0-9a-f]{16}\.building", left)
    assert_refused(command("run", config), "holds a release already")
    run(config, replace=True)
    assert beside(config) == []


# Interrupted


def interrupt(process):
    """Sends what the terminal sends for Ctrl-C; then lets a held function go on."""
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("place", [DRAW, RENDER], ids=["in the pipeline", "while it publishes"])
def test_an_interrupted_run_says_so_publishes_nothing_and_leaves_no_attempt(config, place):
    with held_run(config, place) as first:
        interrupt(first)
        time.sleep(0.3)
        go(config)
        done = finish(first)
    assert done == (130, "", "interrupted; nothing was published\n")
    assert not (config.parent / "out").exists()
    assert attempts(config) == []
    assert beside(config) == []
    run(config)


def test_an_interrupted_replacement_leaves_the_old_release(config):
    run(config)
    before = files_below(config.parent / "out")
    with held_run(config, DRAW, "--replace") as first:
        interrupt(first)
        time.sleep(0.3)
        go(config)
        done = finish(first)
    assert done == (130, "", "interrupted; nothing was published\n")
    assert files_below(config.parent / "out") == before
    assert len(attempts(config)) == 1
    assert beside(config) == []


def test_an_interrupt_between_the_two_renames_puts_the_old_release_back_next_time(
    config, monkeypatch
):
    run(config)
    before = files_below(config.parent / "out")
    rename = Path.rename

    def interrupted(self, target):
        if self.name.endswith(".building"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(config, replace=True)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="holds a release already"):
        run(config)
    assert files_below(config.parent / "out") == before
    assert len(attempts(config)) == 1


def test_an_interrupt_after_publication_is_not_called_nothing_published(config, monkeypatch):
    run(config)
    before = files_below(config.parent / "out")
    remove = shutil.rmtree

    def interrupted(path, **settings):
        if Path(path).name == ".out.replaced" and (config.parent / "out").exists():
            raise KeyboardInterrupt
        remove(path, **settings)

    monkeypatch.setattr("pipelines.publication.place.shutil.rmtree", interrupted)
    try:
        run(config, replace=True)
    except KeyboardInterrupt:
        assert files_below(config.parent / "out") == before


# Leftovers


def test_a_release_that_was_moved_aside_counts_as_published_and_is_put_back(config):
    run(config)
    folder, aside = config.parent / "out", config.parent / ".out.replaced"
    before = files_below(folder)
    folder.rename(aside)
    assert_refused(command("run", config), f"{folder} holds a release already")
    assert files_below(folder) == before
    assert beside(config) == []
    (folder / "old").touch()
    folder.rename(aside)
    run(config, replace=True)
    assert files_below(folder).keys() == before.keys()
    assert beside(config) == []


def test_a_release_that_was_moved_aside_comes_back_when_the_next_run_fails(config, monkeypatch):
    run(config)
    folder = config.parent / "out"
    before = files_below(folder)
    folder.rename(config.parent / ".out.replaced")
    monkeypatch.setattr("pipelines.run.DrawTables", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError, match="nothing was published"):
        run(config, replace=True)
    assert files_below(folder) == before


def test_what_is_aside_is_dropped_when_the_new_release_is_in_place(config):
    """Killed after the second rename, before the old release was removed."""
    run(config)
    folder, aside = config.parent / "out", config.parent / ".out.replaced"
    shutil.copytree(folder, aside)
    (aside / "old").touch()
    assert_refused(command("run", config), "holds a release already")
    assert not (folder / "old").exists()
    run(config, replace=True)
    assert not (folder / "old").exists()
    assert beside(config) == []


@pytest.mark.parametrize("published_before", [False, True])
def test_a_leftover_that_was_being_built_is_removed_and_never_published(config, published_before):
    if published_before:
        run(config)
    building = config.parent / ".out.0123456789abcdef.building"
    building.mkdir()
    for name in ("plan.json", "t.parquet", "leftover.csv"):
        (building / name).write_text("leftover")
    code, _, stderr = command("run", config, *(["--replace"] if published_before else []))
    assert (code, stderr) == (0, "")
    names = {path.name for path in (config.parent / "out").iterdir()}
    assert names == {*DOCUMENTS, "t.parquet", "t.csv"}
    assert all(content != b"leftover" for content in files_below(config.parent / "out").values())
    assert beside(config) == []


def test_a_leftover_that_was_being_built_does_not_count_as_published(config):
    building = config.parent / ".out.0123456789abcdef.building"
    building.mkdir()
    (building / "plan.json").write_text("leftover")
    run(config)
    assert (config.parent / "out" / "plan.json").read_text() != "leftover"


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("name", ["pipelines.output.render", "pipelines.output.write_release"])
def test_a_publication_that_fails_leaves_nothing_that_was_being_built(
    config, monkeypatch, name, replace
):
    if replace:
        run(config)
    before = files_below(config.parent / "out")
    monkeypatch.setattr(name, lambda *_: 1 / 0)
    with pytest.raises(RunError, match="failed with ZeroDivisionError; nothing was published"):
        run(config, replace=replace)
    assert beside(config) == []
    assert files_below(config.parent / "out") == before


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
