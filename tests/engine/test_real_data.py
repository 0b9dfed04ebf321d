"""Real data sets, with the bounds that their README suggests, against plain group-bys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest

import transforms as dp
from transforms.bounding import UNITS
from transforms.bounds import Bounds
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.planning import plan_tables

DATA = Path(__file__).parents[3] / "shared" / "data"
KEY = HashKey(b"a key only for tests")
UNIT = "user_id"
BUDGET = dp.Budget(1.0, 1e-6)


@dataclass(frozen=True)
class Suggestion:
    """A table that suits a data set.

    Attributes:
        file: Name of the file.
        keys: Key columns.
        bounds: Bounds that bind.
        value: Column to sum.
        clip: Clip of one value.
    """

    file: str
    keys: tuple[str, ...]
    bounds: Bounds
    value: str
    clip: tuple[int, int]

    @property
    def rows(self) -> pl.DataFrame:
        """The columns of the table, derived where they have to be."""
        path = DATA / f"{self.file}.parquet"
        if not path.exists():
            pytest.skip(f"{path} is not there")
        rows = pl.scan_parquet(path)
        if self.file == "msweb_areas":
            rows = rows.with_columns(one=pl.lit(1))
        if "hour_of_week" in self.keys:
            hour = pl.col("hour")
            hour_of_week = hour.dt.weekday().cast(pl.Int32) * 24 + hour.dt.hour()
            rows = rows.with_columns(hour_of_week=hour_of_week)
        if self.file in LARGE:
            most = rows.group_by(UNIT).len().top_k(20, by="len").collect()[UNIT]
            rows = rows.filter((pl.col(UNIT) % 4 == 0) | pl.col(UNIT).is_in(most.implode()))
        return rows.select(UNIT, *self.keys, self.value).collect()

    def plan(self, bounds: Bounds | None = None):
        """The plan with its own or with other bounds."""
        metrics = {
            "rows": Count(),
            "users": PrivacyUnitCount(),
            "sum": Sum(self.value, clip=self.clip, granularity=1),
        }
        table = dp.Table(self.keys, metrics, bounds or self.bounds)
        return plan_tables({"t": table}, BUDGET)[0]


SUGGESTIONS = [
    Suggestion("raku_irc_emoji", ("emoji",), Bounds(20, 10), "n", (0, 5)),
    Suggestion("raku_irc_words", ("word",), Bounds(300, 1), "n", (0, 20)),
    Suggestion("raku_irc_activity", ("channel",), Bounds(5, 100), "n_messages", (0, 100)),
    Suggestion("raku_irc_activity", ("day",), Bounds(100, 1), "n_messages", (0, 100)),
    Suggestion("valleybike_trips", ("start_station",), Bounds(10, 20), "duration_s", (0, 7200)),
    Suggestion("valleybike_cell_hours", ("cell",), Bounds(50, 5), "n_points", (0, 500)),
    Suggestion(
        "valleybike_cell_hours", ("cell", "hour_of_week"), Bounds(50, 1), "n_points", (0, 500)
    ),
    Suggestion("msnbc_page_views", ("category",), Bounds(6, 10), "seq", (0, 50)),
    Suggestion("msweb_areas", ("area_id",), Bounds(5, 1), "one", (0, 1)),
]


LARGE = ("raku_irc_words", "msnbc_page_views")
"""Millions of rows, of which a quarter of the users will do, and those with most rows."""


@pytest.fixture(
    params=[
        pytest.param(
            table,
            id=f"{table.file} by {' '.join(table.keys)}",
            marks=[pytest.mark.slow] if table.file in LARGE else [],
        )
        for table in SUGGESTIONS
    ]
)
def table(request):
    return request.param


def partials(table, rows, bounds=None):
    found = exact_partials(rows.to_arrow(), (UNIT,), table.plan(bounds), KEY)
    assert not found.select(table.keys).is_duplicated().any()
    return found


def plain(table, rows):
    """The group-by that an analyst would write, with clipped values."""
    return (
        rows.drop_nulls(list(table.keys))
        .group_by(table.keys)
        .agg(
            pl.col(UNIT).n_unique().cast(pl.Int64).alias(UNITS),
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col(table.value).cast(pl.Int64).clip(*table.clip).sum().alias("sum"),
        )
    )


def same(found, expected, keys):
    columns = [*keys, UNITS, "rows", "sum"]
    # Keys of narrow integers come out as Int64.
    expected = expected.select(columns).cast(dict(found.select(keys).schema))
    return found.select(columns).sort(keys).equals(expected.sort(keys))


def test_bounded_tables_hold_as_much_of_each_unit_as_the_bounds_allow(table):
    rows = table.rows
    found = partials(table, rows)
    l0 = table.bounds.max_partitions_contributed
    linf = table.bounds.max_contributions_per_partition
    pairs = rows.drop_nulls(list(table.keys)).group_by(UNIT, *table.keys).len("c")
    per_unit = pairs.group_by(UNIT).len("partitions")["partitions"].cast(pl.Int64)

    assert found[UNITS].sum() == per_unit.clip(0, l0).sum()
    assert found[UNITS].sum() <= len(per_unit) * l0
    assert per_unit.max() > l0
    assert (found["rows"] <= linf * found[UNITS]).all()
    assert (found["rows"] >= found[UNITS]).all()
    if table.file != "msweb_areas":
        assert pairs["c"].max() > linf

    low, high = table.clip
    assert found["sum"].is_between(low * found["rows"], high * found["rows"]).all()
    everything = found.join(plain(table, rows), on=list(table.keys), suffix=" in all")
    assert everything.height == found.height
    for column in (UNITS, "rows", "sum"):
        assert (everything[column] <= everything[f"{column} in all"]).all()


def test_tables_are_plain_group_bys_when_no_bound_binds(table):
    rows = table.rows
    pairs = rows.group_by(UNIT, *table.keys).len("c")
    loose = Bounds(
        int(pairs.group_by(UNIT).len()["len"].max()),
        int(pairs["c"].max()),
    )
    assert same(partials(table, rows, loose), plain(table, rows), table.keys)


def test_linf_alone_scales_every_unit_as_a_plain_group_by_does(table):
    """With L0 out of the way, the bounded table has a plain formulation too."""
    rows = table.rows.drop_nulls(list(table.keys))
    linf = table.bounds.max_contributions_per_partition
    bounds = replace(table.bounds, max_partitions_contributed=50_000)
    clipped = pl.col(table.value).cast(pl.Int64).clip(*table.clip).sum()
    total, count = pl.col("total"), pl.col("count")
    expected = (
        rows.group_by(UNIT, *table.keys)
        .agg(pl.len().cast(pl.Int64).alias("count"), clipped.alias("total"))
        .with_columns(
            # Half up, in whole numbers.
            pl.when(count > linf)
            .then((2 * total * linf + count) // (2 * count))
            .otherwise(total)
            .alias("sum"),
            pl.min_horizontal(count, linf).alias("rows"),
        )
        .group_by(table.keys)
        .agg(pl.len().cast(pl.Int64).alias(UNITS), pl.col("rows", "sum").sum())
    )
    assert same(partials(table, rows, bounds), expected, table.keys)


@pytest.mark.parametrize(
    ("name", "partitions"),
    [
        pytest.param("raku_irc_words by word", 42_631, marks=pytest.mark.slow),
        ("raku_irc_emoji by emoji", 322),
    ],
)
def test_the_heaviest_user_moves_l0_partitions_by_linf_and_nothing_else(name, partitions):
    (table,) = (t for t in SUGGESTIONS if f"{t.file} by {t.keys[0]}" == name)
    rows = table.rows
    distinct = rows.group_by(UNIT).agg(pl.struct(table.keys).n_unique().alias("n"))
    heaviest = distinct.sort("n").row(-1, named=True)
    assert heaviest["n"] == partitions

    everybody = partials(table, rows)
    others = partials(table, rows.filter(pl.col(UNIT) != heaviest[UNIT]))
    both = everybody.join(others, on=list(table.keys), how="full", suffix=" without", coalesce=True)
    columns = [UNITS, "rows", "sum"]
    moved = both.select(
        pl.col(name).fill_null(0) - pl.col(f"{name} without").fill_null(0) for name in columns
    ).filter(pl.any_horizontal(pl.all() != 0))
    linf = table.bounds.max_contributions_per_partition
    assert moved.height == table.bounds.max_partitions_contributed
    assert moved[UNITS].to_list() == [1] * moved.height
    assert moved["rows"].is_between(1, linf).all()
    assert moved["sum"].is_between(0, linf * table.clip[1]).all()


def test_a_release_of_msweb_has_real_partitions_with_noise_as_stated(monkeypatch):
    """False alarms: below 2e-9, as Gaussian noise is beyond 7 std with probability 2.6e-12."""
    (table,) = (t for t in SUGGESTIONS if t.file == "msweb_areas")
    rows = table.rows
    truth = partials(table, rows)
    monkeypatch.setattr("transforms.local.HashKey.draw", lambda: KEY)
    released = dp.aggregate(
        rows,
        unit=[UNIT],
        keys=["area_id"],
        metrics={"rows": Count(), "users": PrivacyUnitCount()},
        budget=dp.Budget(4.0, 1e-6),
        bounds=table.bounds,
        noise="gaussian",
    )
    assert 50 < released.height < truth.height
    joined = released.join(truth, on="area_id", suffix=" exact")
    assert joined.height == released.height
    for name, exact in (("rows", "rows exact"), ("users", UNITS)):
        errors = (joined[name] - joined[exact]).abs()
        assert (errors <= 7 * joined[f"{name}_std"]).all()
        assert errors.max() > joined[f"{name}_std"][0]
    # A number that is not bounded would be further off than noise is.
    unbounded = released.join(
        plain(table, rows),
        left_on="area_id",
        right_on=pl.col("area_id").cast(pl.Int64),
        suffix=" all",
    )
    assert ((unbounded["rows"] - unbounded["rows all"]).abs() > 7 * unbounded["rows_std"]).any()
