"""Public keys of another type than the rows: what fits counts, what does not is refused or zero."""

from __future__ import annotations

import datetime
from decimal import Decimal

import apache_beam as beam
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from through_beam import Write, written

import transforms as dp
from transforms.bounding import UNITS
from transforms.hashing import HashKey
from transforms.local import as_arrow, exact_partials
from transforms.rows import as_listed
from transforms.stages import Engine

KEY = HashKey(b"a key only for tests")
BIG = 2**53
INFINITY = float("inf")


def table_of(listed, dtype=None):
    public = dp.PublicKeys(pl.DataFrame({"k": pl.Series(listed, dtype=dtype)}))
    return dp.Table(["k"], {"units": dp.PrivacyUnitCount()}, partitions=public)


def plan_of(listed, dtype=None):
    (plan,) = dp.plan_tables({"t": table_of(listed, dtype)}, dp.Budget(1.0, 0.0))
    return plan


def rows_of(values, dtype=None):
    users = [f"user {number}" for number in range(len(values))]
    return pl.DataFrame({"user": users, "k": pl.Series(values, dtype=dtype)})


def counts(rows, plan):
    """Units per public partition, through the stages, whose keys have the list's type."""
    partials = exact_partials(as_arrow(rows), ("user",), plan, KEY)
    assert partials.schema["k"] == plan.public_keys.schema["k"]
    return dict(partials.select("k", UNITS).iter_rows())


def aggregate(rows, listed, dtype=None):
    table = table_of(listed, dtype)
    return dp.aggregate(
        rows,
        unit="user",
        keys="k",
        metrics=table.metrics,
        budget=dp.Budget(1.0, 0.0),
        partitions=table.partitions,
    )


CASES = {
    # name: (rows, their type, list, its type, units per partition)
    "fractions are no whole number": ([1.7, 1.2, 0.9, -0.5], None, [0, 1, 2], None, [0, 0, 0]),
    "whole floats are": ([1.0, 1.0, 2.0, None], None, [1, 2, 3], None, [2, 1, 0]),
    "nan is missing": ([float("nan"), 1.0], None, [0, 1], None, [0, 1]),
    "minus zero is zero": ([-0.0, 0.0], None, [0], None, [2]),
    "infinities fit no whole number": ([INFINITY, -INFINITY], None, [2**63 - 1, 0], None, [0, 0]),
    "infinities fit themselves": ([INFINITY, 1e9], None, [INFINITY, -INFINITY], None, [1, 0]),
    "float32": ([1.0, 1.5], pl.Float32, [1], None, [1]),
    "whole numbers are floats": ([1, 2, 2], None, [1.0, 2.0, 1.5], None, [1, 2, 0]),
    "not beyond 2^53": ([BIG, BIG + 1], None, [float(BIG)], None, [1]),
    "nor the other way": ([float(BIG)], None, [BIG, BIG + 1], None, [1, 0]),
    "2^63 is no int64": ([2.0**63, -(2.0**63)], None, [2**63 - 1, -(2**63)], None, [0, 1]),
    "uint64 does not wrap": ([2**64 - 1, 7], pl.UInt64, [-1, 7], None, [0, 1]),
    "nor does int64": ([-1, 7], None, [2**64 - 1, 7], pl.UInt64, [0, 1]),
    "small integers": ([1, 2], pl.Int8, [1, 300], None, [1, 0]),
    "a list of small integers": ([257, 1], None, [1], pl.UInt8, [1]),
    "decimals": ([Decimal("1.00"), Decimal("1.50")], pl.Decimal(9, 2), [1, 2], None, [1, 0]),
    "a list of decimals": ([1.0, 1.25], None, [Decimal("1.00")], pl.Decimal(9, 2), [1]),
    "categories are text": (["a", "b"], pl.Categorical, ["a", "c"], None, [1, 0]),
    "text is text": (["a", "b"], None, ["a", "c"], pl.Categorical, [1, 0]),
    "milliseconds": (
        [datetime.datetime(2026, 11, 1)],
        pl.Datetime("ms"),
        [datetime.datetime(2026, 11, 1)],
        pl.Datetime("ns"),
        [1],
    ),
    "nothing but nulls": ([None, None], pl.Null, ["a"], None, [0]),
    "nulls for numbers": ([None, None], pl.Null, [1.5], None, [0]),
    "nulls for dates": ([None], pl.Null, [datetime.date(2026, 11, 1)], None, [0]),
    "nulls for bytes": ([None], pl.Null, [b"a"], None, [0]),
    "nulls of the type": ([None, None], pl.Int64, [1], None, [0]),
    "no rows": ([], pl.Null, [1], None, [0]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row_counts_for_the_key_that_is_equal_to_it_and_for_no_other(name):
    values, dtype, listed, listed_type, units = CASES[name]
    plan = plan_of(listed, listed_type)
    keys = plan.public_keys.frame["k"].to_list()
    assert counts(rows_of(values, dtype), plan) == dict(zip(keys, units, strict=True))


def test_aggregate_gives_the_keys_of_the_list_in_the_type_of_the_list(exact):
    frame = pd.DataFrame({"user": list("abcd"), "k": [1.0, None, 1.7, 2.0]})
    released = aggregate(frame, [1, 2, 3])
    assert released["k"].to_list() == [1, 2, 3]
    assert released["k"].dtype == "int64"
    assert released["units"].to_list() == [1, 1, 0]
    nothing = pd.DataFrame({"user": list("ab"), "k": [None, None]})
    assert aggregate(nothing, [1, 2])["units"].to_list() == [0, 0]
    assert aggregate(nothing, ["x"])["units"].to_list() == [0]


DAY = datetime.date(2026, 11, 1)
TIME = datetime.datetime(2026, 11, 1)
REFUSED = {
    "text for whole numbers": (["1"], None, [1], None),
    "whole numbers for text": ([1], None, ["1"], None),
    "text for floats": (["1.5"], None, [1.5], None),
    "dates for times": ([DAY], None, [TIME], None),
    "times for dates": ([TIME], None, [DAY], None),
    "text for dates": (["2026-11-01"], None, [DAY], None),
    "dates for whole numbers": ([DAY], None, [1], None),
    "booleans for whole numbers": ([True], None, [1], None),
    "whole numbers for booleans": ([1], None, [True], None),
    "text for booleans": (["true"], None, [True], None),
    "bytes for text": ([b"a"], None, ["a"], None),
    "times without a zone": ([TIME], None, [TIME], pl.Datetime("us", "UTC")),
    "durations for whole numbers": ([datetime.timedelta(1)], None, [1], None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_types_that_do_not_fit_are_a_type_error_that_names_both(name):
    values, dtype, listed, listed_type = REFUSED[name]
    plan = plan_of(listed, listed_type)
    rows = rows_of(values, dtype)
    with pytest.raises(TypeError) as from_engine:
        Engine(("user",), (plan,), KEY, 2, 2).batch([rows.to_arrow()])
    with pytest.raises(TypeError) as from_aggregate:
        aggregate(rows, listed, listed_type)
    expected = (
        f"key column 'k' has the type {rows.schema['k']} in the rows and "
        f"{plan.public_keys.schema['k']} in the list of public keys; allowed: one type"
    )
    assert str(from_engine.value) == str(from_aggregate.value) == expected


def test_the_message_holds_no_value():
    with pytest.raises(TypeError) as caught:
        aggregate(rows_of(["secret"]), [12345])
    assert "secret" not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_only_numbers_change_their_type():
    number = as_listed("k", pl.Float64(), pl.Int64())
    frame = pl.DataFrame({"k": [1.0, 1.5, None, 2.0**63, -INFINITY]})
    assert frame.select(number)["k"].to_list() == [1, None, None, None, None]


def test_tables_of_several_types_count_for_one_list(tmp_path, exact):
    """Also on Beam in one bundle, where every table is cast to the list's type by itself."""
    plan = plan_of([BIG, BIG + 1, 7])
    tables = [
        pa.table({"user": ["a", "b", "b"], "k": pa.array([BIG, BIG + 1, 7])}),
        pa.table({"user": ["c", "d"], "k": pa.array([float(BIG), 7.5])}),
        pa.table({"user": ["e", "f"], "k": pa.nulls(2)}),
        pa.table({"user": ["g"], "k": pa.array([7], pa.uint8())}),
        pa.table({"user": ["h", "i"], "k": pa.array([2**64 - 1, 7], pa.uint64())}),
    ]
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        pieces = beam.FlatMap(lambda _: tables).with_output_types(pa.Table)
        rows = pipeline | beam.Create([None]) | pieces
        drawn = rows | dp.DrawTables(["user"], [plan], KEY)
        _ = drawn["t"] | beam.ParDo(Write(tmp_path))
    found = dict(written(tmp_path).iter_rows())
    assert found.keys() == {BIG, BIG + 1, 7}
    assert sum(found.values()) == 5  # a, b once, c, g, i
    assert found[BIG] == 2
    assert found[7] + found[BIG + 1] == 3
