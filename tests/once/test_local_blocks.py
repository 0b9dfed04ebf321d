"""Blocks of a local run on the disk: the same release, gone afterwards, and disks that are full."""

import errno
import os
import shutil
import signal
from collections import namedtuple
from pathlib import Path

import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from once_release import command, run, write_release
from small_series import USERS, kinds, state

from pipelines.plan import plan_release
from pipelines.run import local_blocks
from pipelines.run.drawing import check_release_input, draw
from pipelines.run.exactly_once import RunError
from pipelines.run.local_blocks import SPILL_BYTES, block_folder, check_disk
from pipelines.run.options import pipeline_options
from pipelines.run.periods import read_period
from pipelines.run.staging import StagingError
from pipelines.spec import ConfigError, load_release
from transforms.blocks import BlockFile
from transforms.hashing import HashKey

BLOCKS = "**/*.blocks"
LOCAL = pipeline_options([])
PROGRAM = """
import errno, io, logging, os, signal, types
logging.basicConfig(level=logging.CRITICAL)  # as the command does before it imports Beam
import pipelines.run.local_blocks, transforms.blocks, transforms.stages
pipelines.run.local_blocks.SPILL_BYTES = 0
{change}
from pipelines.cli import main
main()
"""
KILLED = PROGRAM.format(
    change="transforms.stages.draw = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
)
ON_A_FULL_DISK = PROGRAM.format(
    change="""
class Full(io.FileIO):
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
def full(descriptor, mode, size):
    return io.BufferedWriter(Full(descriptor, "w"), size)
transforms.blocks.os = types.SimpleNamespace(fdopen=full)
"""
)


@pytest.fixture
def config(tmp_path):
    return write_release(tmp_path)


def counted_blocks(monkeypatch):
    """Sizes of the blocks that go to the disk from now on."""
    added = []
    add = BlockFile.add

    def counted(self, block):
        added.append(len(block))
        return add(self, block)

    monkeypatch.setattr(BlockFile, "add", counted)
    return added


@pytest.fixture
def on_disk(monkeypatch):
    """Has a release of any size put its blocks on the disk, and counts them."""
    monkeypatch.setattr(local_blocks, "SPILL_BYTES", 0)
    return counted_blocks(monkeypatch)


def before_noise(config, folder, monkeypatch):
    """Draws without noise to a folder."""
    monkeypatch.setattr("transforms.metrics.base.add_noise", lambda values, mechanism: values)
    monkeypatch.setattr("transforms.metrics.counts.add_noise", lambda values, mechanism: values)
    release = load_release(config)
    checked = check_release_input(release, plan_release(release), read_period(None, None))
    folder.mkdir()
    drawn = draw(checked, HashKey(b"a key only for tests"), folder, LOCAL)["t"]
    return drawn.sort(drawn.columns)


def test_a_release_is_the_same_before_noise(config, tmp_path, monkeypatch):
    added = counted_blocks(monkeypatch)
    in_memory = before_noise(config, tmp_path / "memory", monkeypatch)
    assert not added
    monkeypatch.setattr(local_blocks, "SPILL_BYTES", 0)
    on_disk = before_noise(config, tmp_path / "disk", monkeypatch)
    assert added
    assert in_memory.equals(on_disk)
    assert in_memory["n"].sum() == len(USERS)  # one partition of each, by default one row of it


def test_a_small_release_puts_nothing_on_the_disk(config, monkeypatch):
    def none(*_):
        raise AssertionError

    monkeypatch.setattr(BlockFile, "__init__", none)
    run(config)


def test_no_block_is_left_by_a_run(config, on_disk, tmp_path):
    run(config)
    assert on_disk
    assert not list(tmp_path.glob(BLOCKS))
    assert kinds(config) == {"reserved": 1, "drawing": 1, "drawn": 1, "published": 1}


def test_no_block_is_left_by_a_run_that_leaves_publication_to_another(config, on_disk, tmp_path):
    run(config, detach=True)
    assert on_disk
    assert not list(tmp_path.glob(BLOCKS))
    assert list(tmp_path.glob("**/shards/*.parquet"))


def test_no_block_is_left_by_a_run_that_fails(config, on_disk, tmp_path, monkeypatch):
    monkeypatch.setattr("transforms.stages.draw", lambda *_: 1 / 0)
    with pytest.raises(RunError, match="ZeroDivisionError"):
        run(config)
    assert on_disk
    assert not list(tmp_path.glob(BLOCKS))


def test_what_a_killed_run_left_is_deleted_by_the_next(config, tmp_path):
    done = command("run", config, "--no-report", program=KILLED)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = tmp_path.glob(BLOCKS)
    assert left.stat().st_mode & 0o077 == left.parent.stat().st_mode & 0o077 == 0
    assert state(config) == "drawing"
    run(config)
    assert not list(tmp_path.glob(BLOCKS))
    assert kinds(config) == {"reserved": 1, "drawing": 2, "drawn": 1, "published": 1}


@pytest.mark.parametrize("function", ["add", "close"])
def test_a_disk_that_becomes_full_is_said_and_a_rerun_mends_it(
    config, on_disk, tmp_path, monkeypatch, function
):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(BlockFile, function, fail)
        with pytest.raises(StagingError, match=r"became full.*allowed: to run again") as caught:
            run(config)
    assert caught.value.__suppress_context__
    assert not list(tmp_path.glob(BLOCKS))
    assert not (tmp_path / "out").exists()
    run(config)
    assert on_disk
    assert kinds(config) == {"reserved": 1, "drawing": 2, "drawn": 1, "published": 1}


def test_the_command_says_in_one_line_that_the_disk_is_full(config):
    done = command("run", config, "--no-report", program=ON_A_FULL_DISK)
    assert done.returncode == 1
    assert "became full" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


def test_other_errors_of_the_disk_are_not_said_to_be_a_full_one(config, on_disk, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(BlockFile, "add", fail)
    with pytest.raises(RunError, match="the run failed with RuntimeError"):
        run(config)
    assert not on_disk


Usage = namedtuple("Usage", "total used free")


def test_a_disk_that_is_too_small_is_refused_before_anything_is_charged(
    config, on_disk, tmp_path, monkeypatch
):
    pl.DataFrame({"user": USERS, "country": ["DE"] * 60}).write_parquet(tmp_path / "in.parquet")
    size = (tmp_path / "in.parquet").stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, size // 3 - 1))
    with pytest.raises(ConfigError, match=r"output.*MB of free space.*allowed: more space"):
        run(config)
    assert kinds(config) == {}
    assert not on_disk
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, size // 3))
    run(config)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
    assert not run(config).is_new


def test_blocks_are_left_to_runners_that_are_not_local(tmp_path):
    flink = PipelineOptions(["--runner=FlinkRunner"])
    for place, size, options in (
        (tmp_path, SPILL_BYTES, flink),
        ("gs://bucket/shards", SPILL_BYTES, LOCAL),
        (tmp_path, SPILL_BYTES - 1, LOCAL),
    ):
        with block_folder(place, size, options) as found:
            assert found is None
    with block_folder(tmp_path, SPILL_BYTES, LOCAL) as found:
        assert found is not None
        assert (tmp_path / "blocks").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "blocks").exists()


def with_scratch(folder):
    return pipeline_options([f"--scratch={folder}"])


def test_blocks_go_to_scratch_where_staging_is_a_bucket(tmp_path):
    with block_folder("gs://bucket/shards", SPILL_BYTES, with_scratch(tmp_path)) as found:
        folder = Path(found.path)
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        BlockFile(found.path).close()
    assert list(tmp_path.iterdir()) == []


def test_scratch_is_not_asked_for_what_a_staging_here_can_hold(tmp_path):
    staging, beside = tmp_path / "staging", tmp_path / "scratch"
    staging.mkdir()
    with block_folder(staging, SPILL_BYTES, with_scratch(beside)) as found:
        assert Path(found.path).parent == staging
    assert not beside.exists()


def test_what_a_killed_run_left_in_scratch_is_deleted_and_what_is_alive_is_not(tmp_path):
    dead = tmp_path / ".dp-release-blocks.0123456789abcdef.building"
    dead.mkdir()
    (dead / "1.blocks").write_bytes(b"private")
    with block_folder("gs://b/one", SPILL_BYTES, with_scratch(tmp_path)) as first:
        assert not dead.exists()
        with block_folder("gs://b/two", SPILL_BYTES, with_scratch(tmp_path)) as second:
            assert Path(first.path).is_dir()
            assert first != second


def test_a_scratch_that_is_no_folder_or_too_small_is_refused(config, tmp_path, monkeypatch):
    monkeypatch.setattr(local_blocks, "SPILL_BYTES", 0)
    release = load_release(config)
    monkeypatch.setattr(type(release), "staging_folder", "gs://bucket/staging")
    check_disk(release, 3_000, with_scratch(tmp_path))
    check_disk(release, 3_000, LOCAL)
    with pytest.raises(ConfigError, match=r"--scratch is '.*none'; allowed: a folder of this"):
        check_disk(release, 3_000, with_scratch(tmp_path / "none"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 999))
    with pytest.raises(ConfigError, match="MB of free space"):
        check_disk(release, 3_000, with_scratch(tmp_path))
