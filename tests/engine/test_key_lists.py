"""Long lists of public partitions: products, files, slices, membership, size of the graph."""

import gc
import hashlib
import io
import pickle
from itertools import pairwise
from pathlib import Path

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from hypothesis import given
from hypothesis import strategies as st

import transforms as dp
from transforms import key_list
from transforms.hashing import Hash128, HashKey
from transforms.key_list import KeyFile, KeyList
from transforms.key_set import KeySet
from transforms.partitions import PartitionSet

KEY = HashKey(b"a key only for tests")
OPENED = []


def open_local(path):
    OPENED.append(path)
    return Path(path).open("rb")


def in_file(folder, frame, name="keys.arrow"):
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="lz4")
    (folder / name).write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    return KeyFile(str(folder / name), digest, frame.schema, frame.height, open_local)


def product(frames, keys):
    together = frames[0]
    for frame in frames[1:]:
        together = together.join(frame, how="cross")
    return together.select(keys)


FRAMES = [
    pl.DataFrame({"a": ["x", "y", "z"], "b": [1, 2, 3]}),
    pl.DataFrame({"c": [True, False]}),
    pl.DataFrame({"d": [0.5, 1.0, 2.0, 4.0]}),
]


@pytest.mark.parametrize("keys", [("a", "b", "c", "d"), ("d", "b", "c", "a")])
def test_a_product_is_every_combination(keys):
    listed = KeyList.of(keys, FRAMES)
    assert listed.height == 24
    assert listed.schema == product(FRAMES, keys).schema
    assert listed.frame.equals(product(FRAMES, keys))


@given(cuts=st.lists(st.integers(0, 24), max_size=5))
def test_slices_put_together_are_the_list(cuts):
    keys = ("b", "a", "d", "c")
    listed = KeyList.of(keys, FRAMES)
    ends = sorted({0, 24, *cuts})
    pieces = [listed.slice(start, stop) for start, stop in pairwise(ends)]
    assert pl.concat(pieces).equals(listed.frame)


def test_slices_cover_the_list_once(monkeypatch):
    monkeypatch.setattr(key_list, "SLICE", 7)
    bounds = list(KeyList.of(("a", "b", "c", "d"), FRAMES).slices())
    assert bounds == [(0, 7), (7, 14), (14, 21), (21, 24)]


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["x", "y", "q"]),
            st.integers(0, 4),
            st.booleans(),
            st.sampled_from([0.5, 3.0]),
        ),
        min_size=1,
        unique=True,
    )
)
@pytest.mark.parametrize("frames", [FRAMES, [product(FRAMES, ["a", "b", "c", "d"])]])
def test_membership_is_that_of_a_join(frames, rows):
    keys = ("a", "b", "c", "d")
    listed = KeyList.of(keys, frames)
    asked = pl.DataFrame(rows, schema=list(keys), orient="row")
    expected = [row in set(listed.frame.rows()) for row in rows]
    assert listed.contains(PartitionSet.of(asked, KEY), KEY).tolist() == expected


HALVES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=25)


@given(listed=HALVES.map(set), asked=HALVES)
def test_sets_of_identities_compare_both_halves(listed, asked):
    def hashes(pairs):
        columns = np.array(list(pairs), np.uint64).reshape(-1, 2)
        return Hash128(columns[:, 0].copy(), columns[:, 1].copy())

    found = KeySet.of(hashes(listed)).contains(hashes(asked))
    assert found.tolist() == [pair in listed for pair in asked]


def test_a_list_in_a_file_is_read_once_and_let_go(tmp_path):
    OPENED.clear()
    part = in_file(tmp_path, FRAMES[0])
    listed = KeyList(("a", "b"), (part,))
    copies = [pickle.loads(pickle.dumps(listed)) for _ in range(3)]
    for copy in copies:
        assert copy.frame.equals(FRAMES[0])
        assert copy.height == 3
        assert copy.schema == FRAMES[0].schema
    assert len(OPENED) == 1
    assert copies[0].parts[0].loaded.key_set(KEY) is copies[1].parts[0].loaded.key_set(KEY)
    del copies, copy
    gc.collect()
    assert KeyList(("a", "b"), (in_file(tmp_path, FRAMES[0]),)).frame.equals(FRAMES[0])
    assert len(OPENED) == 2


def test_a_file_that_has_changed_is_refused(tmp_path):
    part = in_file(tmp_path, FRAMES[0])
    in_file(tmp_path, FRAMES[0].with_columns(b=pl.col("b") + 1))
    with pytest.raises(ValueError, match="has changed"):
        _ = part.frame


def test_another_secret_makes_another_set():
    listed = KeyList.of(("c",), FRAMES[1:2])
    other = HashKey(b"another key for tests")
    for key in (KEY, other, KEY):
        assert listed.contains(PartitionSet.of(FRAMES[1], key), key).all()


def plan_of(partitions, keys):
    table = dp.Table(keys, {"n": dp.Count()}, dp.Bounds(3, 2), partitions)
    (plan,) = dp.plan_tables({"t": table}, dp.Budget(1.0))
    return plan


def graph_bytes(plan):
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))
    rows = pipeline | beam.Create([pa.table({"u": [1], "a": ["x"], "b": [1]})])
    _ = rows | dp.DrawTables(["u"], (plan,), KEY)
    return len(pipeline.to_runner_api().SerializeToString())


def test_the_graph_stays_small_with_a_million_keys(tmp_path):
    from dataclasses import replace

    from pipelines.run.key_storage import store_public_keys

    many = pl.DataFrame({"a": pl.int_range(1_000_000, eager=True).cast(pl.String)})
    plan = plan_of(dp.PublicKeys(many), ["a"])
    (stored,) = store_public_keys((plan,), str(tmp_path))
    assert graph_bytes(stored) < 100_000
    assert len(list(tmp_path.iterdir())) == 1
    assert graph_bytes(replace(plan, public_keys=plan.public_keys)) > 1_000_000
    thousand = pl.DataFrame({"a": pl.int_range(1000, eager=True).cast(pl.String)})
    other = pl.DataFrame({"b": pl.int_range(1000, eager=True)})
    combined = plan_of(dp.PublicKeys(thousand, other), ["a", "b"])
    assert combined.public_keys.height == 1_000_000
    assert graph_bytes(combined) < 1_000_000


def test_short_lists_stay_in_the_graph(tmp_path):
    from pipelines.run.key_storage import store_public_keys

    plan = plan_of(dp.PublicKeys(FRAMES[0]), ["a", "b"])
    (stored,) = store_public_keys((plan,), str(tmp_path))
    assert stored.public_keys.parts == plan.public_keys.parts
    assert not list(tmp_path.iterdir())


def test_parts_with_the_same_column_are_refused():
    with pytest.raises(ValueError, match="several public key lists have the column c"):
        dp.PublicKeys(FRAMES[1], FRAMES[1])
