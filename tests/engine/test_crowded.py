"""The same properties on crowded data, where every bound binds and every kind of dirt is there.

The random rows of `strategies` are few and mostly incomplete, so that most examples there have no
unit with more than one partition. Here every unit has more rows and partitions than the bounds
allow, and a test checks that.
"""

from __future__ import annotations

import datetime
import math
import random
from dataclasses import replace
from functools import cache
from itertools import pairwise

import polars as pl
import pytest
from neighbours import (
    assert_hidden,
    distances,
    exact,
    mechanisms_of_metrics,
    things,
    without,
)
from oracle import columns, oracle_partials
from strategies import SCHEMA, cut
from test_oracle import run_stages

from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.hashing import HashKey, hash_rows
from transforms.local import exact_partials
from transforms.metrics import (
    Count,
    DistinctCount,
    Mean,
    PrivacyUnitCount,
    Quantiles,
    Sum,
    Variance,
    VectorSum,
)
from transforms.planning import plan_tables
from transforms.stages import Engine
from transforms.table import PrivateSelection, PublicKeys, Table

KEY = HashKey(b"a key only for tests")
UNIT = ("device", "user")
NAN = float("nan")
INFINITY = float("inf")
DAYS = [datetime.date(2026, 11, day) for day in (1, 2, 3)]
VALUES = [2.5, 0.0005, -0.0015, -7.3, 9.99, 30.0, -45.0, INFINITY, -INFINITY, 1e300, NAN, None]
METRICS = {
    "uses": Count(),
    "users": PrivacyUnitCount(),
    "fine": Sum("value", clip=(0, 10), granularity=0.001),
    "coarse": Sum("value", clip=(-20, 3), granularity=1),
    "away_from_zero": Sum("value", clip=(2, 10), granularity=0.25),
    "mean": Mean("value", (-10, 10)),
    "variance": Variance("value", (-10, 10), granularity=0.5),
    "around_ten": Variance("value", (9, 11)),
    "vector": VectorSum(("value", "other"), 3.0, "l2", 0.25),
    "manhattan": VectorSum(("value", "other"), 7.5, "l1", 1),
    "box": VectorSum(("other", "value"), 2.0, "linf"),
    "quantiles": Quantiles("value", (0.5, 0.9), (-20, 40)),
    "coarse_median": Quantiles("other", (0.5,), (-3, 3), granularity=1),
    "levels_seen": DistinctCount("level"),
    "words_seen": DistinctCount("word"),
}
TOTAL = {"total": Sum("value", clip_total=(-8, 20), granularity=0.01)}
ALL = METRICS | TOTAL
WEIGHTED = PrivateSelection("weighted_gaussian")
PUBLIC = PublicKeys(
    pl.DataFrame(
        [(word, level) for word in ("x", "z", "never") for level in (0.0, 1.5, INFINITY)],
        schema=["word", "level"],
        orient="row",
    )
)
BY_UNIT = {
    "words": Table(("word",), ALL, Bounds(2, 2)),
    "levels": Table(("level",), ALL, Bounds(1, 3), WEIGHTED),
    "both": Table(("day", "word"), ALL, Bounds(3, 2), WEIGHTED, other=True),
    "public": Table(("word", "level"), ALL, Bounds(2, 2), PUBLIC),
    "l1_words": Table(("word",), ALL, Bounds(max_contributions=7), WEIGHTED),
    "l1_both": Table(("day", "word"), ALL, Bounds(max_contributions=3), other=True),
}
BY_PARTITION = {
    "words_of_days": Table(("word", "day"), ALL, Bounds(1, 2), WEIGHTED),
    "levels_of_all": Table(("level",), ALL, Bounds(1, 3), other=True),
}
OF_ROWS = {name: metric for name, metric in METRICS.items() if name != "users"}
BY_ROW = {"any": Table(("word",), OF_ROWS, Bounds(), WEIGHTED)}
BUDGET = Budget(50.0, 1e-4)
PLANS = (
    *plan_tables(BY_UNIT, BUDGET),
    *plan_tables(BY_PARTITION, BUDGET, Guarantee("add_remove", "unit_partition")),
    *plan_tables(BY_ROW, BUDGET, Guarantee("add_remove", "row")),
)
REPLACED = (
    *plan_tables(BY_UNIT, BUDGET, Guarantee("replace")),
    *plan_tables(BY_PARTITION, BUDGET, Guarantee("replace", "unit_partition")),
    *plan_tables(BY_ROW, BUDGET, Guarantee("replace", "row")),
)
BOUNDED = [plan for plan in PLANS if plan.guarantee.bounding != "row"]
SEEDS = range(2)
MOST_ROWS = 30
UNBOUND = ("users", "weight", "total", "levels_seen", "words_seen")
"""What more rows of a unit in a partition do not always change."""


@cache
def crowded_rows(seed, count=300):
    """Rows of few units; one of them has a third of the rows."""
    generator = random.Random(seed)

    def pick(values, none=0.04):
        return None if generator.random() < none else generator.choice(values)

    return [
        {
            "user": 1 if generator.random() < 0.3 else pick([0, 1, 2, 3]),
            "device": pick(["a", "b", ""]),
            "word": pick(["x", "y", "z", "é", ""]),
            "day": pick(DAYS),
            "level": pick([0.0, -0.0, 1.5, 2.5, NAN, INFINITY]),
            "value": pick(VALUES),
            "other": pick([0.5, -0.5, 1.25, -8.0, 3.0, NAN]),
        }
        for _ in range(count)
    ]


@cache
def truth(seed, plan):
    """The oracle's table of crowded rows."""
    return oracle_partials(crowded_rows(seed), UNIT, plan, KEY)


def name_of(plan):
    """The name of a test."""
    return f"{plan.name}-{plan.guarantee.adjacency}"


def neighbours(rows, plan):
    """Tables of neighbouring data sets: rows without one thing or another."""
    found = things(rows, UNIT, plan.guarantee.bounding)[:MOST_ROWS]
    reduced = [exact(without(rows, thing), UNIT, plan, KEY) for thing in found]
    if plan.guarantee.adjacency == "replace":
        return pairwise([*reduced, reduced[0]])
    everything = exact(rows, UNIT, plan, KEY)
    return [(everything, part) for part in reduced]


@pytest.mark.parametrize("plan", BOUNDED, ids=lambda plan: plan.name)
def test_every_bound_binds_in_this_data(plan):
    """The tests below have power: each bound, when it is lifted, changes the oracle's numbers."""
    rows = crowded_rows(0)
    bounded = oracle_partials(rows, UNIT, plan, KEY)
    l0, linf = plan.bounds.l0_linf
    if plan.bounds.max_contributions is not None:
        looser = [Bounds(max_contributions=plan.bounds.max_contributions + 1)]
    elif plan.guarantee.bounding == "unit_partition":
        looser = [Bounds(1, linf + 1)]
    else:
        looser = [Bounds(l0 + 1, linf), Bounds(l0, linf + 1)]
    for bounds in looser:
        lifted = oracle_partials(rows, UNIT, replace(plan, bounds=bounds), KEY)
        for name in columns(plan):
            if name not in UNBOUND:
                assert any(
                    partition not in bounded or bounded[partition][name] != values[name]
                    for partition, values in lifted.items()
                ), name
    for name in SCHEMA:
        others = [row for row in rows if row[name] is not None]
        assert name not in (*UNIT, *plan.keys) or len(others) < len(rows)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("unit_shards", [1, 8])
@pytest.mark.parametrize("batch_sizes", [(), (40, 0, 1, 30)], ids=["one batch", "batches"])
@pytest.mark.parametrize("bundle_sizes", [(), (150, 60)], ids=["one bundle", "bundles"])
def test_crowded_data_gives_what_the_oracle_gives(seed, unit_shards, batch_sizes, bundle_sizes):
    rows = crowded_rows(seed)
    bundles = [cut(bundle, batch_sizes) for bundle in cut(rows, bundle_sizes)]
    result = run_stages(bundles, Engine(UNIT, PLANS, KEY, unit_shards, partition_shards=3))
    for table, plan in enumerate(PLANS):
        assert result[table] == truth(seed, plan)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("plan", [*PLANS, *REPLACED], ids=name_of)
def test_neighbours_in_crowded_data_are_as_near_as_the_plan_says(plan, seed):
    for before, after in neighbours(crowded_rows(seed), plan):
        assert_hidden(before, after, plan)


@pytest.mark.parametrize("plan", PLANS[: len(BY_UNIT)], ids=name_of)
def test_some_unit_moves_counts_as_far_as_the_plan_says(plan):
    """The sensitivities are not only safe but attained."""
    moved = [distances(*pair, plan) for pair in neighbours(crowded_rows(0), plan)]
    for name in ("uses", "users") if plan.bounds.max_contributions is None else ("uses",):
        largest = max(sum(map(abs, changes[name])) for changes in moved)
        assert largest == mechanisms_of_metrics(plan)[name].l1


@pytest.mark.parametrize("plan", PLANS, ids=name_of)
def test_crowded_tables_add_up_over_units(plan):
    rows = crowded_rows(1)
    added = exact([], UNIT, plan, KEY)
    for thing in things(rows, UNIT, "unit"):
        alone = [rows[position] for position in sorted(thing)]
        for partition, values in exact(alone, UNIT, plan, KEY).items():
            before = added.get(partition)
            added[partition] = (
                values if before is None else {name: before[name] + values[name] for name in values}
            )
    assert exact(rows, UNIT, plan, KEY) == added


@pytest.mark.parametrize("plan", PLANS[: len(BY_UNIT)], ids=name_of)
def test_which_partitions_are_kept_depends_on_the_secret(plan):
    rows = crowded_rows(0)
    keys = [HashKey(bytes([number] * 16)) for number in range(5)]
    results = [exact(rows, UNIT, plan, key) for key in keys]
    assert all(result != results[0] for result in results[1:])


@pytest.mark.parametrize("ids", [[0, 1, -7, 2**52], [3]], ids=str)
def test_an_id_is_one_unit_as_an_integer_and_as_a_float(ids):
    """A file whose id column has missing values comes with floats."""
    whole = hash_rows(pl.DataFrame({"id": pl.Series(ids, dtype=pl.Int64)}), KEY, "unit")
    floats = hash_rows(pl.DataFrame({"id": pl.Series(ids, dtype=pl.Float64)}), KEY, "unit")
    assert whole.low.tolist() == floats.low.tolist()
    assert whole.high.tolist() == floats.high.tolist()


def test_a_unit_in_files_of_two_numeric_types_is_bounded_once():
    (plan,) = plan_tables({"t": Table(("k",), {"n": Count()}, Bounds(1, 1))}, Budget(1.0, 1e-6))
    rows = pl.DataFrame({"user": [5, 6], "k": ["x", "x"]})
    files = [rows, rows.cast({"user": pl.Float64}), rows.cast({"user": pl.UInt8})]
    engine = Engine(("user",), (plan,), KEY, unit_shards=4, partition_shards=1)
    packed = {}
    for file in files:
        for job in engine.shards([engine.batch([file.to_arrow()])]):
            for shard, part in job():
                packed.setdefault(shard, []).append(part)
    partials = [engine.bound_units(shard, parts)[1] for shard, parts in packed.items()]
    assert sum(partial["n"].sum() for partial in partials) == 2
    assert sum(partial["privacy_units:"].sum() for partial in partials) == 2


@pytest.mark.parametrize("zeros", [[0.0, -0.0], [-0.0, 0.0], [-0.0]], ids=str)
def test_a_key_of_zero_has_no_sign(zeros):
    """The sign of a released zero would tell whose row came first."""
    (plan,) = plan_tables({"t": Table(("k",), {"n": Count()})}, Budget(1.0, 1e-6))
    rows = pl.DataFrame({"user": range(len(zeros)), "k": zeros})
    partials = exact_partials(rows.to_arrow(), ("user",), plan, KEY)
    assert [math.copysign(1, key) for key in partials["k"]] == [1]
    assert partials["n"].to_list() == [len(zeros)]
