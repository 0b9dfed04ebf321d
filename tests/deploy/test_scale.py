"""The numbers of deploy/scale.md: two sizes give those of a third, and those of a run."""

from __future__ import annotations

import sys

import apache_beam as beam
import pytest
from deploy_files import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

import scale

import transforms as dp
from pipelines.plan import plan_release
from pipelines.run.sizes import task_bytes, unit_shards
from pipelines.spec import load_release
from transforms.private_metrics import private_numbers
from transforms.ptransforms import GATHER_BYTES

PAGE = (ROOT / "deploy" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", scale.PROFILES)
def test_two_sizes_give_the_shuffle_of_one_four_times_as_large(tmp_path, profile):
    known = scale.joined(
        [
            scale.measure(tmp_path / str(rows), rows, profile, shards)
            for rows, shards in ((50_000, (16, 64, 256)), (100_000, (8, 32)))
        ]
    )
    table = scale.events(tmp_path / "large", 400_000, profile)
    pairs = scale.pairs_of(table)
    assert pairs / 400_000 == pytest.approx(known.pairs_per_row, rel=0.02)
    for shards in (64, 256):
        sizes = scale.element_bytes(tmp_path / "large", table, shards)
        expected = pairs * known.curve.at(pairs / shards)
        assert sum(sizes) == pytest.approx(expected, rel=0.08)
        assert max(sizes) < 1.3 * expected / shards


@pytest.mark.parametrize("profile", scale.PROFILES)
def test_what_is_noted_is_what_is_measured(tmp_path, profile):
    noted = scale.NOTED[profile]
    now = scale.measure(tmp_path / "now", 200_000, profile, (16, 256))
    assert now.pairs_per_row == pytest.approx(noted.pairs_per_row, rel=0.02)
    for pairs, size in zip(now.curve.pairs, now.curve.bytes_per_pair, strict=True):
        assert size == pytest.approx(noted.curve.at(pairs), rel=0.1)


def test_a_run_reports_the_bytes_that_the_model_expects(tmp_path):
    rows, shards = 200_000, 64
    table = scale.events(tmp_path, rows, "together")
    config = tmp_path / "scale.yaml"
    config.write_text(scale.CONFIG.format(folder=tmp_path))
    plans = tuple(plan_release(load_release(config)).tables)
    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create([table]) | dp.DrawTables(["user_id"], plans, unit_shards=shards)
    result = pipeline.run()
    result.wait_until_finish()
    found = private_numbers(result)
    elements = found["private_unit_shuffle_element_bytes"]
    of_shards = found["private_unit_shard_bytes"]
    pairs = scale.pairs_of(table)
    noted = scale.NOTED["together"]
    assert elements["count"] == shards
    assert elements["sum"] == pytest.approx(pairs * noted.curve.at(pairs / shards), rel=0.1)
    assert (of_shards["sum"], of_shards["count"]) == (elements["sum"], shards)


# The page


def test_the_table_of_the_page_is_what_the_model_says():
    begin, end = "<!-- scale: begin -->\n", "<!-- scale: end -->"
    assert PAGE.partition(begin)[2].partition(end)[0] == scale.table()


@pytest.mark.parametrize("profile", scale.PROFILES)
@pytest.mark.parametrize("rows", [1e6, 1e9, 1e11, 1e12])
def test_elements_and_shards_stay_within_what_runners_and_workers_take(rows, profile):
    one = scale.estimate(rows, scale.NOTED[profile])
    assert one.element_bytes < 16 << 20
    assert one.bounding_bytes < 24e9  # What the page asks for at 1e12 rows.
    if rows <= 1e11:
        assert one.bounding_bytes < 16e9  # `bounding_ram` where the file does not say.


# Shards and tasks from the size of the input


def test_shards_are_powers_of_two_that_grow_with_the_input():
    shards = [unit_shards(1 << power) for power in range(20, 50)]
    assert shards == sorted(shards)
    assert (shards[0], shards[-1]) == (16, 1 << 16)
    assert all(number & (number - 1) == 0 for number in shards)


@pytest.mark.parametrize(
    ("gigabytes", "shards"), [(0, 16), (1, 32), (25, 1024), (120, 4096), (1000, 8192)]
)
def test_shards_of_some_inputs(gigabytes, shards):
    assert unit_shards(gigabytes * 10**9) == shards


def test_large_inputs_are_read_in_larger_parts_but_never_more_than_a_batch():
    assert task_bytes(10**9) < 1 << 20
    assert task_bytes(2 << 40) == 512 << 20
    assert task_bytes(1 << 50) == GATHER_BYTES
