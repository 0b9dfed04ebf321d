"""Where single rows are protected no unit is needed: all rows count, whoever deals them."""

from __future__ import annotations

import random

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.testing.util import assert_that, equal_to

import transforms as dp
from transforms.hashing import HashKey
from transforms.local import exact_partials

ROWS_ONLY = dp.Guarantee(bounding="row")
METRICS = {
    "n": dp.Count(),
    "total": dp.Sum("x", clip=(-5, 5), granularity=0.5),
    "words": dp.DistinctCount("word"),
    "middle": dp.Quantiles("x", (0.5,), clip=(-5, 5)),
}


def some_rows(count=2_000, seed=3):
    generator = random.Random(seed)
    return pl.DataFrame(
        {
            "k": [generator.choice(["a", "b", "c", None]) for _ in range(count)],
            "x": [generator.choice([None, -9.0, -1.5, 0.0, 2.0, 70.0]) for _ in range(count)],
            "word": [generator.choice([None, "u", "v", "w"]) for _ in range(count)],
        }
    )


def plan(guarantee=ROWS_ONLY, name="t"):
    table = dp.Table(keys=["k"], metrics=METRICS)
    (planned,) = dp.plan_tables({name: table}, dp.Budget(1.0, 1e-6), guarantee)
    return planned


def counts_of_rows(frame):
    """The exact numbers, row by row."""
    found = {}
    for row in frame.iter_rows(named=True):
        if row["k"] is not None:
            n, total, words = found.get(row["k"], (0, 0.0, frozenset()))
            x = 0.0 if row["x"] is None else min(5.0, max(-5.0, row["x"]))
            found[row["k"]] = (n + 1, total + x, words | {row["word"]} - {None})
    return found


def test_every_row_counts_in_full():
    frame = some_rows()
    partials = exact_partials(frame.to_arrow(), (), plan(), HashKey.draw())
    found = {
        row["k"]: (row["n"], row["total"] * 0.5, len({i["item"] for i in row["words:items"]}))
        for row in partials.iter_rows(named=True)
    }
    expected = counts_of_rows(frame)
    assert found == {k: (n, total, len(words)) for k, (n, total, words) in expected.items()}


def test_the_middle_counts_every_value():
    frame = some_rows()
    partials = exact_partials(frame.to_arrow(), (), plan(), HashKey.draw())
    values = frame.drop_nulls(["k", "x"]).group_by("k").len()
    counted = {
        row["k"]: sum(item["count"] for item in row["middle:items"])
        for row in partials.iter_rows(named=True)
    }
    assert counted == dict(values.iter_rows())


@pytest.mark.parametrize("shards", [1, 7])
def test_beam_counts_the_same_whatever_the_shards(shards):
    frame = some_rows()
    table = dp.Table(keys=["k"], metrics={"n": dp.Count()})
    # Noise of scale 1/100 is as large as 1/2 in one of 10^21 runs.
    plans = dp.plan_tables({"t": table}, dp.Budget(200.0, 1e-6), ROWS_ONLY)
    expected = [(k, n) for k, (n, _, _) in counts_of_rows(frame).items()]
    with beam.Pipeline("FnApiRunner") as pipeline:
        drawn = (
            pipeline
            | beam.Create([frame.slice(start, 300).to_arrow() for start in range(0, 2_000, 300)])
            | dp.DrawTables((), plans, unit_shards=shards, batch_bytes=2_000)
        )
        found = drawn["t"] | beam.FlatMap(
            lambda rows: [(row["k"], row["n"]) for row in rows.to_pylist()]
        )
        assert_that(found, equal_to(expected))


@pytest.mark.parametrize("bounding", ["unit", "unit_partition"])
def test_units_are_needed_where_they_are_protected(bounding):
    data = some_rows(10)
    with pytest.raises(ValueError, match="unit is empty; allowed: one or more column names"):
        dp.aggregate(
            data,
            unit=(),
            keys="k",
            metrics={"n": dp.Count()},
            budget=dp.Budget(1.0, 1e-6),
            guarantee=dp.Guarantee(bounding=bounding),
        )


def test_one_table_of_units_is_enough_to_need_them():
    transform = dp.DrawTables((), (plan(), plan(dp.Guarantee(), "s")))
    with pytest.raises(ValueError, match="unit is empty"):
        transform.expand(beam.Pipeline("FnApiRunner") | beam.Create([some_rows(5).to_arrow()]))
