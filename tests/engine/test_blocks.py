"""Blocks in files: the same numbers as in memory, and nothing of them in the shuffle."""

from __future__ import annotations

import json
import random
import stat

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from through_beam import Write, written

import transforms as dp
from transforms import dofns
from transforms.blocks import BlockFile, BlockFolder
from transforms.hashing import HashKey

KEY = HashKey(b"a key only for tests")
PLANS = dp.plan_tables(
    {
        "words": dp.Table(
            keys=["word"],
            metrics={
                "uses": dp.Count(),
                "seconds": dp.Sum("seconds", clip=(0, 10), granularity=0.1),
                "middle": dp.Quantiles("seconds", (0.5,), clip=(0, 10)),
            },
            bounds=dp.Bounds(3, 2),
        ),
        "days": dp.Table(
            keys=["day"],
            metrics={"uses": dp.Count(), "users": dp.PrivacyUnitCount()},
            bounds=dp.Bounds(2, 4),
            partitions=dp.PublicKeys(pl.DataFrame({"day": [1, 2, 99]})),
        ),
    },
    dp.Budget(1.0, 1e-6),
)
SMALL = {"batch_bytes": 20_000, "gather_bytes": 1}
"""Many blocks of each shard."""


def some_tables(rows=3_000, pieces=20):
    generator = random.Random(5)
    frame = pl.DataFrame(
        {
            "user": [f"user {generator.randrange(200)}" for _ in range(rows)],
            "word": [generator.choice("abcdef") for _ in range(rows)],
            "day": [generator.randrange(5) for _ in range(rows)],
            "seconds": [generator.uniform(-1, 12) for _ in range(rows)],
        }
    )
    return [part.to_arrow() for part in frame.iter_slices(rows // pieces)]


def run(out, tables, *, blocks=None, options=(), **settings):
    """Draws without noise, and returns the rows of each table, sorted."""
    flags = PipelineOptions(["--runner=FnApiRunner", *options])
    out.mkdir()
    with beam.Pipeline(options=flags) as pipeline:
        rows = pipeline | beam.Create(tables) | beam.Reshuffle()
        drawn = rows | dp.DrawTables(["user"], PLANS, KEY, blocks=blocks, **settings)
        for plan in PLANS:
            _ = drawn[plan.name] | f"Write {plan.name}" >> beam.ParDo(Write(out, plan.name))
    return {plan.name: written(out, plan.name).sort(plan.keys) for plan in PLANS}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "blocks").mkdir()
    return BlockFolder(str(tmp_path / "blocks"))


def files_of(folder, tmp_path):
    assert folder.path == str(tmp_path / "blocks")
    return sorted((tmp_path / "blocks").iterdir())


@pytest.mark.parametrize("settings", [{}, SMALL, {**SMALL, "unit_shards": 1}], ids=str)
def test_tables_before_noise_are_the_same_in_memory_and_in_files(tmp_path, exact, folder, settings):
    tables = some_tables()
    in_memory = run(tmp_path / "memory", tables, **settings)
    in_files = run(tmp_path / "files", tables, blocks=folder, **settings)
    for name, expected in in_memory.items():
        assert expected.height >= 3
        assert_frame_equal(in_files[name], expected)
    assert files_of(folder, tmp_path)


@pytest.mark.parametrize(
    ("options", "copies"),
    [
        (["--direct_runner_bundle_repeat=2"], 3),
        (["--direct_running_mode=multi_threading", "--direct_num_workers=2"], 1),
    ],
    ids=str,
)
def test_what_other_runs_of_a_bundle_wrote_is_not_read(tmp_path, exact, folder, options, copies):
    """A bundle that runs three times leaves files of which those of one count."""
    tables = some_tables()
    expected = run(tmp_path / "memory", tables, **SMALL)
    found = run(tmp_path / "files", tables, blocks=folder, options=options, **SMALL)
    for name, frame in found.items():
        assert frame.height == copies * expected[name].height
        assert_frame_equal(frame.unique(), expected[name], check_row_order=False)
    assert len(files_of(folder, tmp_path)) >= copies


def test_the_shuffle_carries_places_and_the_files_carry_blocks(
    tmp_path, exact, folder, monkeypatch
):
    shuffled = []
    bound = dofns.BoundUnits.process

    def process(self, shard):
        key, sent = shard
        sent = list(sent)
        shuffled.extend(sent)
        yield from bound(self, (key, sent))

    monkeypatch.setattr(dofns.BoundUnits, "process", process)
    run(tmp_path / "files", some_tables(), blocks=folder, **SMALL)
    files = files_of(folder, tmp_path)
    places = [json.loads(place) for place in shuffled]
    assert len(places) > 2 * 16
    assert {name for name, _, _ in places} == {file.name for file in files}
    assert sum(size for _, _, size in places) == sum(file.stat().st_size for file in files)
    assert max(map(len, shuffled)) < 100


def test_only_the_owner_can_read_a_file_of_blocks(tmp_path, folder):
    BlockFile(folder.path).close()
    (file,) = files_of(folder, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_bundle_without_blocks_writes_no_file(tmp_path, folder):
    (nothing,) = (table.slice(0, 0) for table in some_tables(pieces=1))
    with beam.Pipeline("FnApiRunner") as pipeline:
        rows = pipeline | beam.Create([nothing])
        _ = rows | dp.DrawTables(["user"], PLANS, KEY, blocks=folder)
    assert files_of(folder, tmp_path) == []


@given(blocks=st.lists(st.binary(max_size=50)), files=st.integers(1, 3))
def test_blocks_are_read_as_they_were_written_in_any_order(tmp_path_factory, blocks, files):
    folder = str(tmp_path_factory.mktemp("blocks"))
    opened = [BlockFile(folder) for _ in range(files)]
    places = [opened[number % files].add(block) for number, block in enumerate(blocks)]
    for file in opened:
        file.close()
    read = [BlockFolder(folder).read(place) for place in reversed(places)]
    assert read[::-1] == blocks


def test_a_block_that_is_not_all_there_is_an_error(tmp_path, folder):
    file = BlockFile(folder.path)
    place = file.add(b"0123456789")
    file.close()
    (path,) = files_of(folder, tmp_path)
    path.write_bytes(b"012345678")
    with pytest.raises(ValueError, match="9 bytes of a block of 10"):
        folder.read(place)
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        folder.read(place)
