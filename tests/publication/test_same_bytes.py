"""The same draw gives the same bytes, and tables come back from files as they were."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from publications import EVERYTHING, PUBLISHED, drawn_values, facts, planned, publish, write_config

from pipelines.publication.table_files import field_of, read_table, table_bytes


def publish_to(folder, plan, drawn, file):
    publish(plan, drawn, folder, ["parquet", "csv"], file, facts(plan))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_draw_is_published_in_the_same_bytes(tmp_path):
    _, plan, file = planned(write_config(tmp_path, EVERYTHING))
    drawn = drawn_values(plan)
    first = publish_to(tmp_path / "one", plan, drawn, file)
    assert publish_to(tmp_path / "two", plan, drawn, file) == first
    mixed = {name: frame.sample(fraction=1, shuffle=True) for name, frame in drawn.items()}
    assert publish_to(tmp_path / "three", plan, mixed, file) == first
    assert len(first) == 16


def test_no_path_and_no_time_but_that_of_publication_is_published(tmp_path):
    _, plan, file = planned(write_config(tmp_path, EVERYTHING))
    found = publish_to(tmp_path / "one", plan, drawn_values(plan), file)
    for content in found.values():
        assert str(tmp_path).encode() not in content
        assert str(Path.home()).encode() not in content
    assert PUBLISHED.strftime("%Y-%m-%d").encode() in found["datapackage.json"]


FRAME = pl.DataFrame(
    {
        "text": ["a", "", None, 'x "y", z\n', "é"],
        "number": [0.1, -0.0, None, 1e300, 5e-324],
        "whole": [1, -(2**62), None, 0, 2**62],
        "flag": [True, False, None, True, True],
    }
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_comes_back(kind):
    fields = [
        {**field_of(name, dtype), "statistic": "value"} for name, dtype in FRAME.schema.items()
    ]
    content = table_bytes(FRAME, kind)
    back = read_table(content, kind, fields)
    assert_frame_equal(back, FRAME)
    assert table_bytes(back, kind) == content


def test_chunks_do_not_show_in_the_bytes():
    parts = pl.concat([FRAME[:2], FRAME[2:]], rechunk=False)
    for kind in ("csv", "parquet"):
        assert table_bytes(parts, kind) == table_bytes(FRAME, kind)


def test_a_damaged_parquet_file_is_refused_or_read_and_ends_no_process():
    content = table_bytes(FRAME, "parquet")
    refused = 0
    for place in range(len(content)):
        for flip in (1, 0x80):
            damaged = bytearray(content)
            damaged[place] ^= flip
            try:
                read_table(bytes(damaged), "parquet", [])
            except ValueError:
                refused += 1
    assert refused > len(content) / 4


@pytest.mark.parametrize("content", [b"", b"\x00", b"a,b\n1,2\n", b"PAR1"])
def test_what_is_no_table_is_refused(content):
    for kind in ("csv", "parquet"):
        with pytest.raises(ValueError, match="it "):
            read_table(content, kind, [{"name": "x", "type": "integer", "statistic": "value"}])
