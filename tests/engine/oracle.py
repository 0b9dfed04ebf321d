"""The slow, obvious engine: plain Python, one row at a time.

Nothing of the engine is called but the keyed hashes, which decide what is kept. Values become
granules in floats, as they are in the input; everything after that is exact.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl

from transforms.hashing import HashKey, hash_rows, mix, priorities
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
from transforms.plan import TablePlan

LARGEST_VALUE = 2**63 // 2**40 - 1
"""Granules to which values are cut where only their total is clipped."""
WEIGHT_OF_ONE = 2**20


def oracle_partials(rows, unit, plan: TablePlan, key: HashKey):
    """Bounded sums per partition: {key values: {name: integer, or items with their counts}}.

    `users` is always there, `weight` where the selection needs it.
    """
    by_unit = defaultdict(lambda: defaultdict(list))
    listed = None if plan.public_keys is None else set(plan.public_keys.frame.rows())
    for row in rows:
        who = tuple(_identity(row[name]) for name in unit)
        partition = tuple(_identity(row[name]) for name in plan.keys)
        if None in who or None in partition:
            continue
        if listed is not None and partition not in listed:
            continue
        by_unit[who][partition].append(row)
    table = {partition: zeros(plan) for partition in listed or ()}
    hashes = {}
    for who, partitions in by_unit.items():
        unit_hash = _hash(who, unit, key, "unit")
        for partition in partitions.keys() - hashes.keys():
            hashes[partition] = _hash(partition, plan.keys, key, "partition")
        pairs = {partition: Pair(unit_hash, hashes[partition]) for partition in partitions}
        counted = counted_rows(partitions, pairs, plan)
        for partition, counts in counted.items():
            values = table.setdefault(partition, zeros(plan))
            found = contribution(partitions[partition], counts, pairs[partition], plan, key)
            if needs_weights(plan):
                found["weight"] = weight(len(counted), counts, plan)
            for name, added in found.items():
                values[name] += added
    return table


class Pair:
    """One unit in one partition, each of them hashed by itself."""

    def __init__(self, unit, partition):
        self.unit = unit
        self.partition = partition
        self.identity = int(priorities(self.unit.low, self.partition.low)[0])

    @property
    def rank(self):
        """What decides which partitions of a unit are kept."""
        return self.identity, int(self.partition.high[0])


def counted_rows(partitions, pairs, plan):
    """How many rows of one unit count in each of its partitions; partitions with none are out."""
    bounds, level = plan.bounds, plan.guarantee.bounding
    rows = {partition: len(of_partition) for partition, of_partition in partitions.items()}
    if level == "row":
        return rows
    if level == "unit_partition":
        linf = bounds.max_contributions_per_partition
        return {partition: min(count, linf) for partition, count in rows.items()}
    l1 = bounds.max_contributions
    most = bounds.max_partitions_contributed if l1 is None else l1
    kept = sorted(rows, key=lambda partition: pairs[partition].rank)[:most]
    if l1 is None:
        linf = bounds.max_contributions_per_partition
        return {partition: min(rows[partition], linf) for partition in kept}
    start = _mixed(int(pairs[kept[0]].unit.high[0])) >> 1
    shares = thinned([rows[partition] for partition in kept], l1, start)
    return {partition: share for partition, share in zip(kept, shares, strict=True) if share}


def thinned(counts, target, start):
    """Keeps `target` of all things counted: every (total / target)-th of them, from a start on.

    The things are numbered 1, 2, ... The n-th is kept when it is the first at or beyond a whole
    number of steps, counted from the start.
    """
    total = sum(counts)
    if total <= target:
        return list(counts)
    offset = Fraction(start % total, total)

    def steps(number):
        return math.floor(Fraction(target * number, total) + offset)

    kept, number = [], 0
    for count in counts:
        things = range(number + 1, number + count + 1)
        kept.append(sum(steps(thing) > steps(thing - 1) for thing in things))
        number += count
    return kept


def weight(partitions, counted, plan):
    """What one unit adds to the weight of each of its partitions."""
    if plan.guarantee.bounding == "row":
        return WEIGHT_OF_ONE * counted
    if plan.guarantee.bounding == "unit_partition":
        return WEIGHT_OF_ONE
    return math.isqrt(WEIGHT_OF_ONE**2 // partitions)


def contribution(rows, counted, pair, plan, key):
    """What one unit adds to one partition."""
    units = counted if plan.guarantee.bounding == "row" else 1
    found = {"users": units}
    for planned in plan.metrics:
        name, metric = planned.name, planned.metric
        match metric:
            case Count():
                found[name] = counted
            case PrivacyUnitCount():
                found[name] = 1
            case Sum():
                found[name] = sum_of(rows, counted, metric)
            case Mean():
                found |= {name + end: n for end, n in moments(rows, counted, metric).items()}
            case VectorSum():
                for column, total in zip(
                    metric.columns, vector(rows, counted, metric), strict=True
                ):
                    found[f"{name}:{column}"] = total
            case Quantiles():
                found[name] = leaves(rows, counted, metric, pair)
            case DistinctCount():
                found[name] = distinct(rows, counted, metric, pair, key)
    return found


def sum_of(rows, counted, metric):
    """A sum whose values, or whose total, is clipped."""
    step = _step(metric.granularity, max(map(abs, metric.clip or metric.clip_total)))
    values = [row[metric.column] for row in rows]
    if metric.clip is not None:
        total = sum(granules(value, metric.clip, step) for value in values)
        return scaled(total, counted, len(rows))
    present = [value * float(1 / step) for value in values if not _missing(value)]
    total = sum(round(max(-LARGEST_VALUE, min(LARGEST_VALUE, value))) for value in present)
    low, high = (_round(Fraction(_exact(bound) / step)) for bound in metric.clip_total)
    return max(low, min(high, total))


def moments(rows, counted, metric):
    """The number of values, and the sums of distances from the middle and of their squares."""
    low, high = map(_exact, metric.clip)
    step, middle = _step(metric.granularity, (high - low) / 2), (low + high) / 2
    values = [row[metric.column] for row in rows if not _missing(row[metric.column])]
    distances = [granules(value, metric.clip, step, middle) for value in values]
    counted = min(counted, len(values))
    found = {":rows": counted, ":sum": scaled(sum(distances), counted, len(values))}
    if isinstance(metric, Variance):
        widest = max(
            abs(_round(Fraction((bound - middle) / step))) for bound in map(_exact, metric.clip)
        )
        squares = [_round(Fraction(d * d, widest) - Fraction(widest, 2)) for d in distances]
        found[":squares"] = scaled(sum(squares), counted, len(values))
    return found


def vector(rows, counted, metric):
    """The sum of clipped vectors, scaled down towards zero."""
    step = _step(metric.granularity, metric.max_norm)
    limit = _round(Fraction(_exact(metric.max_norm) / step))
    totals = [0] * len(metric.columns)
    for row in rows:
        values = [row[name] for name in metric.columns]
        if any(map(_missing, values)):
            continue
        clipped = [max(-1e150, min(1e150, value * float(1 / step))) for value in values]
        length = norm(clipped, metric.norm)
        factor = limit / length if length > limit else 1.0
        shorter = [value * factor for value in clipped]
        whole = [round(value) for value in shorter]
        if not within(whole, metric.norm, limit):
            whole = [math.trunc(value * (1 - 2.0**-40)) for value in shorter]
        totals = [total + value for total, value in zip(totals, whole, strict=True)]
    return [
        int(math.copysign(1, total)) * (abs(total) * min(counted, len(rows)) // len(rows))
        for total in totals
    ]


def norm(values, kind):
    """The norm of a vector of floats."""
    if kind == "linf":
        return max(map(abs, values))
    length = 0.0
    for position, value in enumerate(values):
        part = abs(value) if kind == "l1" else value * value
        length = part if position == 0 else length + part
    return length if kind == "l1" else math.sqrt(length)


def within(whole, kind, limit):
    """Whether a vector of whole numbers is no longer than a limit."""
    if kind == "l2":
        return sum(value * value for value in whole) <= limit**2
    return norm(whole, kind) <= limit


def leaves(rows, counted, metric, pair):
    """The leaves of the unit's own values, evenly thinned out."""
    low, high = map(_exact, metric.clip)
    step = _step(metric.granularity, high - low)
    values = [row[metric.column] for row in rows if not _missing(row[metric.column])]
    found = Counter(granules(value, metric.clip, step, low) for value in values)
    ordered = sorted(found)
    kept = thinned([found[leaf] for leaf in ordered], counted, _mixed(pair.identity) >> 1)
    return Counter({leaf: count for leaf, count in zip(ordered, kept, strict=True) if count})


def distinct(rows, counted, metric, pair, key):
    """The unit's values that come first in a pseudo-random order of its own."""
    values = {_identity(row[metric.column]) for row in rows} - {None}
    hashed = {int(_hash((value,), ("v",), key, "item").low[0]) >> 1 for value in values}
    ordered = sorted(hashed, key=lambda item: (_mixed(item ^ pair.identity), item))
    return Counter(ordered[:counted])


def granules(value, interval, step, middle=Decimal(0)):
    """One value as a whole number of granules from the middle."""
    if _missing(value):
        return 0
    low, high = (_round(Fraction((_exact(bound) - middle) / step)) for bound in interval)
    distance = (value - float(middle)) * float(1 / step)
    return round(max(low, min(high, distance)))


def scaled(total, counted, rows):
    """The sum of as many average values as count, rounded half up."""
    if counted >= rows:
        return total
    return math.floor(Fraction(total * counted, rows) + Fraction(1, 2))


def zeros(plan):
    """The sums of a partition without rows."""
    return {name: Counter() if is_items else 0 for name, is_items in columns(plan).items()}


def columns(plan):
    """Names of what is added up, and whether each is a set of items with their counts."""
    found = {"users": False}
    if needs_weights(plan):
        found["weight"] = False
    for planned in plan.metrics:
        match planned.metric:
            case DistinctCount() | Quantiles():
                found[planned.name] = True
            case Variance():
                ends = (":rows", ":sum", ":squares")
                found |= {planned.name + end: False for end in ends}
            case Mean():
                found |= {planned.name + end: False for end in (":rows", ":sum")}
            case VectorSum(columns=names):
                found |= {f"{planned.name}:{column}": False for column in names}
            case _:
                found[planned.name] = False
    return found


def needs_weights(plan):
    """Whether partitions are selected by weight."""
    return plan.selection is not None and plan.selection.strategy == "weighted_gaussian"


def as_dict(partials: pl.DataFrame, plan: TablePlan):
    """The engine's partial sums in the oracle's form."""
    found = {}
    for row in partials.iter_rows(named=True):
        values = {}
        for name, is_items in columns(plan).items():
            if is_items:
                values[name] = Counter()
                for item in row[f"{name}:items"]:
                    values[name][item["item"]] += item["count"]
            else:
                own = {"users": "privacy_units:", "weight": "privacy_units:weight"}
                values[name] = row[own.get(name, name)]
        partition = tuple(row[name] for name in plan.keys)
        assert partition not in found
        found[partition] = values
    return found


def _hash(values, names, key, purpose):
    return hash_rows(pl.DataFrame([values], schema=list(names), orient="row"), key, purpose)


def _mixed(number):
    return int(mix(np.array([number], np.uint64))[0])


def _missing(value):
    return value is None or math.isnan(value)


def _identity(value):
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value


def _exact(number):
    return Decimal(str(number))


def _step(granularity, largest):
    """The power of ten at or below a thousandth of the largest magnitude, if none is given."""
    if granularity is not None:
        return _exact(granularity)
    power = Decimal(1)
    thousandth = Fraction(_exact(largest)) / 1000
    while Fraction(power) > thousandth:
        power /= 10
    while Fraction(power) * 10 <= thousandth:
        power *= 10
    return power


def _round(value):
    """The nearest whole number; the even one of two."""
    return round(Fraction(value))
