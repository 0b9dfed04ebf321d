"""Tiny data, and the stages of tuning on them without Beam."""

from collections import defaultdict

import polars as pl

from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.hashing import HashKey
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, Table
from transforms.tuning.grid import Candidates, table_grid
from transforms.tuning.planned import plan_grid
from transforms.tuning.stages import TuningEngine, TuningTable
from transforms.wire import unpack_frame

KEY = HashKey(b"a key only for tests")
BUDGET = Budget(1.0, 1e-6)
METRICS = {
    "rows": Count(),
    "users": PrivacyUnitCount(),
    "spent": Sum("value", clip=(-1, 4), granularity=0.5),
    "total": Sum("value", clip_total=(0, 6), granularity=0.5),
}

# Of everything something: many partitions, many rows, both, one row; and dirt.
ROWS = pl.DataFrame(
    [
        *({"user": "a", "place": p, "value": 1.0 + i} for i, p in enumerate("vwxyz")),
        *({"user": "b", "place": "x", "value": 2.0 * i} for i in range(7)),
        *({"user": "c", "place": p, "value": -1.5 * i} for i in range(3) for p in "xyz"[: i + 1]),
        {"user": "d", "place": "z", "value": 100.0},
        {"user": "e", "place": "y", "value": None},
        {"user": None, "place": "y", "value": 1.0},
        {"user": "e", "place": None, "value": 1.0},
    ],
    schema={"user": pl.String, "place": pl.String, "value": pl.Float64},
)


def table(bounds=Bounds(2, 2), metrics=METRICS, partitions=PrivateSelection("laplace"), **more):
    return Table("place", metrics, bounds, partitions, **more)


def tuning_table(of, guarantee=Guarantee(), candidates=Candidates(), noise=None, budget=BUDGET):
    (plan,) = plan_tables({"t": of}, budget, guarantee)
    grid = table_grid(of, guarantee, candidates)
    planned = None if noise else plan_grid("t", {"t": of}, grid, budget, guarantee)
    return TuningTable.of(plan, grid, planned, noise)


def run_stages(rows, tuned, key=KEY, shards=3, splits=2, unit=("user",), finish=True):
    """What tuning finds, with the rows in several batches and several shards."""
    engine = TuningEngine.of(unit, [tuned], key, shards)
    step = -(-max(rows.height, 1) // splits)
    by_unit, by_partition = defaultdict(list), defaultdict(list)
    for start in range(0, rows.height, step):
        batch = engine.engine.batch([rows[start : start + step].to_arrow()])
        for job in engine.engine.shards([batch]):
            for shard, packed in job():
                by_unit[shard].append(packed)
    for shard, parts in by_unit.items():
        for place, packed in engine.sum_units(shard, parts):
            by_partition[place].append(packed)
    found = [engine.sum_partitions(place, parts)[1] for place, parts in by_partition.items()]
    if not finish:
        return pl.concat([unpack_frame(part) for part in found])
    return unpack_frame(engine.finish(0, [*found, engine.nothing()[0][1]])[1])


def contributions_of(rows):
    """Rows of each unit in each partition: {user: {place: [value, ...]}}."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows.iter_rows(named=True):
        if row["user"] is not None and row["place"] is not None:
            found[row["user"]][row["place"]].append(row["value"])
    return found
