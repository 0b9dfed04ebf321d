"""Distinct values: of all units together, of any type, from the engine to the drawn number."""

import datetime
import math

import polars as pl
import pytest
from no_noise import without_noise

from transforms.bounding import add_up
from transforms.bounds import Bounds
from transforms.budget import Budget
from transforms.draw import draw
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.metrics import Count, DistinctCount, Quantiles
from transforms.planning import plan_tables
from transforms.table import PublicKeys, Table

KEY = HashKey(b"a key only for tests")
TYPES = [
    ["a", "b", "é", ""],
    [1, 2, -(2**60), 0],
    [0.5, math.inf, 0.0, 1e300],
    [datetime.date(2026, 11, day) for day in (1, 2, 3, 4)],
    [b"", b"\x00", b"\x00\x00", b"a"],
]


def counted(rows, bounds=Bounds(1, 9), keys=("a",), shards=1):
    """Noiseless counts by key, of units in so many shards."""
    public = PublicKeys(pl.DataFrame({"k": keys}))
    table = Table("k", {"n": DistinctCount("v")}, bounds, public)
    (plan,) = plan_tables({"t": table}, Budget(1.0))
    frame = pl.DataFrame(rows, schema=["u", "k", "v"], orient="row", infer_schema_length=None)
    parts = [frame.filter(pl.col("u") % shards == shard) for shard in range(shards)]
    partials = add_up([exact_partials(part.to_arrow(), ["u"], plan, KEY) for part in parts], plan)
    with pytest.MonkeyPatch.context() as patch:
        without_noise(patch)
        return dict(draw(partials, plan).drawn.select("k", "n").iter_rows())


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("values", TYPES, ids=lambda values: type(values[0]).__name__)
def test_a_value_of_many_units_counts_once(values, shards):
    rows = [(unit, "a", value) for unit in range(5) for value in values * 2]
    assert counted(rows, shards=shards) == {"a": 4}


def test_values_of_different_units_come_together():
    rows = [(unit, "a", unit // 2) for unit in range(10)]
    assert counted(rows) == {"a": 5}


def test_missing_values_and_signs_of_zero_are_no_values():
    rows = [(1, "a", None), (2, "a", math.nan), (3, "a", 0.0), (4, "a", -0.0), (5, "a", 1.5)]
    assert counted(rows) == {"a": 2}
    assert counted([(1, "a", None), (2, "a", None)]) == {"a": 0}


def test_partitions_count_for_themselves():
    rows = list(zip(range(6), "abcabc", "xxxyxy", strict=True))
    assert counted(rows, keys=("a", "b", "never")) == {"a": 2, "b": 1, "never": 0}


@pytest.mark.parametrize("most", [1, 3, 7])
@pytest.mark.parametrize("by_l1", [False, True])
def test_a_unit_adds_no_more_values_than_rows_count(most, by_l1):
    rows = [(1, "a", value) for value in range(50)]
    bounds = Bounds(max_contributions=most) if by_l1 else Bounds(1, most)
    assert counted(rows, bounds) == {"a": most}
    # Others' values do not fill up its share, nor take it away.
    assert most <= counted([*rows, (2, "a", 0)], bounds)["a"] <= most + 1


def test_units_keep_different_values():
    """All keep 2 of the same 20: together they have nearly all of them."""
    rows = [(unit, "a", value) for unit in range(60) for value in range(20)]
    assert counted(rows, Bounds(1, 2))["a"] > 15


def test_metrics_that_share_values_are_in_the_order_of_the_table():
    """Sums of rows and zeros of public partitions have the same columns, whatever is between."""
    metrics = {
        "first": DistinctCount("v"),
        "between": Quantiles("u", (0.5,), (0, 10)),
        "last": DistinctCount("v"),
        "uses": Count(),
    }
    table = Table("k", metrics, partitions=PublicKeys(pl.DataFrame({"k": ["a", "never"]})))
    (plan,) = plan_tables({"t": table}, Budget(1.0))
    rows = pl.DataFrame({"u": [1, 2], "k": ["a", "a"], "v": ["x", "x"]})
    partials = exact_partials(rows.to_arrow(), ["u"], plan, KEY).sort("k")
    assert partials["first:items"].to_list() == partials["last:items"].to_list()
    assert partials["uses"].to_list() == [2, 0]
