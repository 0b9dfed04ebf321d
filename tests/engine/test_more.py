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

import polars as pl
import pytest
from oracle import as_dict, metric_names, oracle_partials
from strategies import SCHEMA, arrow, cut
from test_oracle import run_stages

from transforms.bounds import Bounds
from transforms.budget import Budget
from transforms.hashing import HashKey, hash_rows
from transforms.local import exact_partials
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.planning import plan_tables
from transforms.stages import Engine
from transforms.table import PublicKeys, Table

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
    "total": Sum("value", clip_total=(-8, 20), granularity=0.01),
}
TABLES = {
    "words": Table(("word",), METRICS, Bounds(2, 2)),
    "levels": Table(("level",), METRICS, Bounds(1, 3)),
    "both": Table(("day", "word"), METRICS, Bounds(3, 1)),
    "public": Table(
        ("word", "level"),
        METRICS,
        Bounds(2, 2),
        PublicKeys(
            pl.DataFrame(
                [(word, level) for word in ("x", "z", "never") for level in (0.0, 1.5, INFINITY)],
                schema=["word", "level"],
                orient="row",
            )
        ),
    ),
}
PLANS = plan_tables(TABLES, Budget(1.0, 1e-6))
SEEDS = range(4)


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
        }
        for _ in range(count)
    ]


def exact(rows, plan, key=KEY):
    return as_dict(exact_partials(arrow(rows), UNIT, plan, key), plan)


def units_of(rows):
    units = {tuple(row[name] for name in UNIT) for row in rows}
    return sorted(who for who in units if None not in who)


def without(rows, who):
    return [row for row in rows if tuple(row[name] for name in UNIT) != who]


def changes(rows, who, plan):
    """What a unit changes in every partition: {metric: [changes that are not zero]}."""
    everybody, others = exact(rows, plan), exact(without(rows, who), plan)
    zero = dict.fromkeys(metric_names(plan), 0)
    moved = [
        {name: values[name] - others.get(partition, zero)[name] for name in values}
        for partition, values in everybody.items()
    ]
    assert set(others) <= set(everybody)
    return {name: [move[name] for move in moved if move[name]] for name in metric_names(plan)}


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_every_bound_binds_in_this_data(plan):
    """The tests below have power: each bound, when it is lifted, changes the oracle's numbers."""
    rows = crowded_rows(0)
    bounded = oracle_partials(rows, UNIT, plan, KEY)
    l0, linf = plan.bounds.max_partitions_contributed, plan.bounds.max_contributions_per_partition
    for bounds in (Bounds(l0 + 1, linf), Bounds(l0, linf + 1)):
        assert oracle_partials(rows, UNIT, replace(plan, bounds=bounds), KEY) != bounded
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
        assert result[table] == oracle_partials(rows, UNIT, plan, KEY)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_no_unit_of_crowded_data_moves_more_than_the_plan_says(plan, seed):
    rows = crowded_rows(seed)
    for who in units_of(rows):
        moved = changes(rows, who, plan)
        assert len(moved["users"]) <= plan.bounds.max_partitions_contributed
        for planned in plan.metrics:
            mechanism, sizes = planned.mechanism, [abs(size) for size in moved[planned.name]]
            assert len(sizes) <= mechanism.l0
            assert max(sizes, default=0) <= mechanism.linf
            assert sum(sizes) <= mechanism.l1
            assert math.hypot(*sizes) <= mechanism.l2


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_some_unit_moves_counts_as_far_as_the_plan_says(plan):
    """The sensitivities are not only safe but attained."""
    rows = crowded_rows(0)
    moved = [changes(rows, who, plan) for who in units_of(rows)]
    for planned in plan.metrics:
        if planned.name in ("uses", "users"):
            assert max(sum(sizes[planned.name]) for sizes in moved) == planned.mechanism.l1


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_crowded_tables_add_up_over_units(plan):
    rows = crowded_rows(1)
    added = exact([], plan)
    for who in units_of(rows):
        alone = [row for row in rows if tuple(row[name] for name in UNIT) == who]
        for partition, values in exact(alone, plan).items():
            before = added.setdefault(partition, dict.fromkeys(values, 0))
            added[partition] = {name: before[name] + values[name] for name in values}
    assert exact(rows, plan) == added


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_which_partitions_are_kept_depends_on_the_secret(plan):
    results = [exact(crowded_rows(0), plan, HashKey(bytes([number] * 16))) for number in range(5)]
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
