"""The slow, obvious engine: plain Python, one row at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

import polars as pl

from transforms.hashing import HashKey, hash_rows, priorities
from transforms.metrics import MAX_VALUE_GRANULES, Count, PrivacyUnitCount, Sum
from transforms.plan import TablePlan


def oracle_partials(rows, unit, plan: TablePlan, key: HashKey):
    """Bounded sums per partition: {key values: {metric: integer}}, with `users` always there."""
    by_unit = defaultdict(lambda: defaultdict(list))
    listed = None if plan.public_keys is None else set(plan.public_keys.rows())
    for row in rows:
        who = tuple(_identity(row[name]) for name in unit)
        partition = tuple(_identity(row[name]) for name in plan.keys)
        if None in who or None in partition:
            continue
        if listed is not None and partition not in listed:
            continue
        by_unit[who][partition].append(row)
    table = defaultdict(lambda: defaultdict(int))
    for partition in listed or ():
        for name in metric_names(plan):
            table[partition][name] = 0
    for who, partitions in by_unit.items():
        for partition in kept_partitions(who, partitions, unit, plan, key):
            table[partition]["users"] += 1
            for planned in plan.metrics:
                if not isinstance(planned.metric, PrivacyUnitCount):
                    table[partition][planned.name] += contribution(
                        partitions[partition], planned.metric, plan.bounds
                    )
    return {partition: dict(values) for partition, values in table.items()}


def kept_partitions(who, partitions, unit, plan, key):
    """The L0 partitions of a unit with the smallest rank."""
    ranks = {partition: rank(who, partition, unit, plan.keys, key) for partition in set(partitions)}
    ordered = sorted(ranks, key=ranks.__getitem__)
    return ordered[: plan.bounds.max_partitions_contributed]


def rank(who, partition, unit, keys, key):
    """The keyed rank of one pair, hashed by itself."""
    hashed_unit = hash_rows(pl.DataFrame([who], schema=list(unit), orient="row"), key, "unit")
    hashed = hash_rows(pl.DataFrame([partition], schema=list(keys), orient="row"), key, "partition")
    return int(priorities(hashed_unit.low, hashed.low)[0]), int(hashed.high[0])


def contribution(rows, metric, bounds):
    """What one unit adds to one partition."""
    linf = bounds.max_contributions_per_partition
    if isinstance(metric, Count):
        return min(len(rows), linf)
    values = [row[metric.column] for row in rows]
    if metric.clip is not None:
        low, high = metric.interval_granules
        total = sum(granules(value, metric, low, high) for value in values)
        scaled = Fraction(total) * min(Fraction(1), Fraction(linf, len(rows)))
        return math.floor(scaled + Fraction(1, 2))
    assert isinstance(metric, Sum)
    limit = MAX_VALUE_GRANULES
    total = sum(granules(value, metric, -limit, limit) for value in values)
    low, high = metric.interval_granules
    return max(low, min(high, total))


def granules(value, metric, low, high):
    """One value as a whole number of granules."""
    if value is None or math.isnan(value):
        return 0
    scaled = value * float(1 / metric.step)
    return round(max(low, min(high, scaled)))


def metric_names(plan):
    """Columns of partial sums."""
    return ["users", *(m.name for m in plan.metrics if not isinstance(m.metric, PrivacyUnitCount))]


def as_dict(partials: pl.DataFrame, plan: TablePlan):
    """The engine's partial sums in the oracle's form."""
    names = metric_names(plan)
    renamed = partials.rename({"privacy_units:": "users"})
    return {
        tuple(row[name] for name in plan.keys): {name: row[name] for name in names}
        for row in renamed.iter_rows(named=True)
    }


def _identity(value):
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value
