"""The same numbers through Beam, whatever the shards, bundles and batch sizes."""

from __future__ import annotations

import random

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from oracle import oracle_partials
from through_beam import Write, written

import transforms as dp
from transforms.hashing import HashKey

KEY = HashKey(b"a key only for tests")

TABLES = {
    "words": dp.Table(
        keys=["word", "day"],
        metrics={
            "uses": dp.Count(),
            "users": dp.PrivacyUnitCount(),
            "seconds": dp.Sum("seconds", clip=(0, 10), granularity=0.1),
        },
        bounds=dp.Bounds(3, 2),
    ),
    "days": dp.Table(
        keys=["day"],
        metrics={"net": dp.Sum("seconds", clip_total=(-5, 5)), "uses": dp.Count()},
        bounds=dp.Bounds(2, 4),
        partitions=dp.PublicKeys(pl.DataFrame({"day": [1, 2, 99]})),
    ),
}


def some_rows(seed=1, count=3_000):
    generator = random.Random(seed)
    return [
        {
            "user": generator.choice([None, *(f"user {i}" for i in range(200))]),
            "word": generator.choice(["a", "b", "c", "d", "e", None]),
            "day": generator.randrange(5),
            "seconds": generator.choice([None, float("nan"), -3.0, 4.25, 1e9]),
        }
        for _ in range(count)
    ]


def tables_of(rows, size):
    return [
        pl.DataFrame(rows[i : i + size], schema_overrides={"seconds": pl.Float64}).to_arrow()
        for i in range(0, len(rows), size)
    ]


def run(folder, pieces, plans, options=(), **settings):
    """Runs a pipeline and reads back what each table's sink wrote."""
    flags = PipelineOptions(["--runner=FnApiRunner", *options])
    with beam.Pipeline(options=flags) as pipeline:
        rows = pipeline | beam.Create(pieces) | beam.Reshuffle()
        drawn = rows | dp.DrawTables(["user"], plans, KEY, **settings)
        for plan in plans:
            _ = drawn[plan.name] | f"Write {plan.name}" >> beam.ParDo(Write(folder, plan.name))
    return {plan.name: written(folder, plan.name) for plan in plans}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"unit_shards": 1, "partition_shards": 1},
        {"unit_shards": 7, "partition_shards": 3, "batch_bytes": 1},
        {"unit_shards": 64, "batch_bytes": 20_000, "gather_bytes": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [37, 10_000])
def test_beam_gives_what_the_oracle_gives(tmp_path, exact, settings, size):
    rows = some_rows()
    plans = dp.plan_tables(TABLES, dp.Budget(1.0, 1e-6))
    released = run(tmp_path, tables_of(rows, size), plans, **settings)
    for plan in plans:
        truth = oracle_partials(rows, ("user",), plan, KEY)
        with_users = released[plan.name]
        metrics = [metric.name for metric in plan.metrics]
        assert rows_by_key(with_users, plan, metrics) == {
            key: {name: truth[key][name] for name in metrics} for key in truth
        }


def rows_by_key(frame, plan, metrics):
    assert not frame.select(plan.keys).is_duplicated().any()
    return {
        tuple(row[key] for key in plan.keys): {name: row[name] for name in metrics}
        for row in frame.iter_rows(named=True)
    }


@pytest.mark.parametrize(
    ("options", "copies"),
    [
        (["--direct_runner_bundle_repeat=2"], 3),
        (["--direct_running_mode=multi_threading", "--direct_num_workers=2"], 1),
    ],
    ids=str,
)
def test_other_local_modes_give_the_same_exact_numbers(tmp_path, exact, options, copies):
    """A bundle that is repeated twice writes its rows three times, always the same ones."""
    rows = some_rows(seed=2)
    plans = dp.plan_tables(TABLES, dp.Budget(1.0, 1e-6))
    released = run(tmp_path, tables_of(rows, 200), plans, options)
    for plan in plans:
        truth = oracle_partials(rows, ("user",), plan, KEY)
        metrics = [metric.name for metric in plan.metrics]
        assert released[plan.name].height == copies * len(truth)
        assert rows_by_key(released[plan.name].unique(), plan, metrics) == {
            key: {name: truth[key][name] for name in metrics} for key in truth
        }


def test_noise_is_drawn_once_for_all_sinks_and_repeats(tmp_path):
    """Every bundle runs twice and two sinks consume the draw; each partition has one number."""
    plans = dp.plan_tables({"days": TABLES["days"]}, dp.Budget(1.0, 1e-6))
    flags = PipelineOptions(["--runner=FnApiRunner", "--direct_runner_bundle_repeat=2"])
    with beam.Pipeline(options=flags) as pipeline:
        rows = pipeline | beam.Create(tables_of(some_rows(), 100))
        drawn = (rows | dp.DrawTables(["user"], plans, KEY))["days"]
        for sink in ("one", "two"):
            (tmp_path / sink).mkdir()
            _ = drawn | sink >> beam.ParDo(Write(tmp_path / sink))
    assert len(list(tmp_path.glob("*/*.parquet"))) > 2
    found = pl.concat(written(tmp_path / sink) for sink in ("one", "two"))
    assert found.unique().height == found["day"].n_unique() == 3


def test_no_rows_release_public_partitions_and_nothing_else(tmp_path, exact):
    empty = pl.DataFrame(
        schema={"user": pl.String, "word": pl.String, "day": pl.Int64, "seconds": pl.Float64}
    )
    plans = dp.plan_tables(TABLES, dp.Budget(1.0, 1e-6))
    released = run(tmp_path, [empty.to_arrow()], plans)
    assert released["words"] is None
    assert released["days"].sort("day").rows() == [(1, 0, 0), (2, 0, 0), (99, 0, 0)]


def test_a_windowed_input_is_refused():
    (plan,) = dp.plan_tables({"days": TABLES["days"]}, dp.Budget(1.0, 1e-6))
    pipeline = beam.Pipeline("FnApiRunner")
    rows = (
        pipeline
        | beam.Create(tables_of(some_rows(), 100))
        | beam.WindowInto(beam.window.FixedWindows(60))
    )
    with pytest.raises(ValueError, match="global window"):
        _ = rows | dp.DrawTables(["user"], [plan], KEY)


def test_only_numbers_and_bytes_cross_a_shuffle():
    plans = dp.plan_tables(TABLES, dp.Budget(1.0, 1e-6))
    pipeline = beam.Pipeline("FnApiRunner")
    rows = pipeline | "Rows" >> beam.Create(tables_of(some_rows(), 100))
    _ = rows | "Draw" >> dp.DrawTables(["user"], plans, KEY)
    proto = pipeline.to_runner_api().components
    shuffles = [
        shuffle
        for shuffle in proto.transforms.values()
        if shuffle.spec.urn == "beam:transform:group_by_key:v1"
        and shuffle.unique_name.startswith("Draw/")
    ]
    assert len(shuffles) == 3
    for shuffle in shuffles:
        (collection,) = shuffle.inputs.values()
        urns = coder_urns(proto, proto.pcollections[collection].coder_id)
        if "Reshuffle" not in shuffle.unique_name and "Commit" not in shuffle.unique_name:
            assert urns == {"beam:coder:kv:v1", "beam:coder:varint:v1", "beam:coder:bytes:v1"}


def coder_urns(proto, coder_id):
    """The URNs of a coder and its components."""
    coder = proto.coders[coder_id]
    nested = [coder_urns(proto, part) for part in coder.component_coder_ids]
    return {coder.spec.urn}.union(*nested)


def test_aggregate_releases_one_table(tmp_path, exact):
    with beam.Pipeline("FnApiRunner") as pipeline:
        rows = pipeline | beam.Create(tables_of(some_rows(), 500))
        released = rows | dp.Aggregate(
            unit=["user"],
            keys=["day"],
            metrics={"uses": dp.Count()},
            budget=dp.Budget(1.0, 1e-6),
            bounds=dp.Bounds(2, 4),
        )
        _ = released | beam.ParDo(Write(tmp_path))
    table = written(tmp_path)
    assert table.columns == ["day", "uses", "uses_std", "uses_low", "uses_high"]
    assert sorted(table["day"]) == [0, 1, 2, 3, 4]


def test_aggregate_on_a_data_frame_agrees(exact):
    data = pl.DataFrame(some_rows(), schema_overrides={"seconds": pl.Float64})
    arguments = {
        "unit": ["user"],
        "keys": ["word"],
        "metrics": {"users": dp.PrivacyUnitCount()},
        "budget": dp.Budget(1.0, 1e-6),
        "bounds": dp.Bounds(5, 1),
    }
    forms = (data, data.to_arrow(), data.to_pandas())
    results = [dp.aggregate(form, **arguments) for form in forms]
    assert [type(result) for result in results] == [type(form) for form in forms]
    results = [pl.DataFrame(result) for result in results]
    assert results[0].schema == results[1].schema == results[2].schema
    truth = data.drop_nulls(["user", "word"]).group_by("word").agg(pl.col("user").n_unique())
    for result in results:
        assert dict(zip(result["word"], result["users"], strict=True)) == dict(truth.rows())
