"""What bounds take away: the model against the engine over many keys, and against enumeration."""

import math
from collections import defaultdict
from itertools import combinations
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from tiny_tuning import KEY, METRICS, ROWS, contributions_of, table

from transforms.bounding import UNITS, WEIGHT
from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.contributions import group_shard, number_partitions
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.planning import plan_tables
from transforms.stages import Engine
from transforms.table import PrivateSelection
from transforms.tuning.errors import ROWS as ROW_COUNT
from transforms.tuning.errors import UNITS as UNIT_COUNT
from transforms.tuning.errors import losses_of, scaled_by_rows
from transforms.tuning.grid import Candidates, table_grid, with_clips
from transforms.tuning.loss import Kept, per_partition
from transforms.tuning.stages import TuningTable, unit_pairs

TRIED = Candidates(l0=(1, 2, 3, 9), linf=(1, 2, 5), l1=(1, 2, 3, 5, 20), clip=(0.5, 1, 2))
WEIGHTS = table(partitions=PrivateSelection("weighted_gaussian"))


def model(of, guarantee=Guarantee(), rows=ROWS, unit=("user",)):
    """What is left of each value in each partition: {(point, value): {place: Kept}}."""
    grid = table_grid(of, guarantee, TRIED)
    (plan,) = plan_tables({"t": of}, Budget(1.0, 1e-6), guarantee)
    engine = Engine(unit, (TuningTable.of(plan, grid).plan,), KEY, 1, 1)
    batches = [engine.batch([rows.to_arrow()])]
    (together,) = group_shard(batches, 0, [number_partitions(batches, 0)])
    cells = losses_of(grid).cells(unit_pairs(together, grid), scaled_by_rows(grid))
    places = together.partitions.keys["place"].to_list()
    losses, found = losses_of(grid), {}
    for number in range(len(grid.points)):
        by_value = {
            value: losses.kept(cells, number, value, by_rows=by_rows)
            for value, by_rows in scaled_by_rows(grid).items()
        }
        by_value["weight"] = losses.weights(cells, number)
        for value, kept in by_value.items():
            of_place = per_partition(kept, cells["partition:"].to_numpy(), len(places))
            found[number, value] = {
                place: Kept(
                    *(
                        float(getattr(of_place, name)[index])
                        for name in ("whole", "within", "expected", "variance")
                    )
                )
                for index, place in enumerate(places)
            }
    return grid, found


def clipped(value, values, factor, per_row):
    """The sum of a unit's values in a partition, with a clip of factor times [-1, 4] or [0, 6]."""
    present = [0.0 if one is None else one for one in values]
    if per_row:
        return sum(min(max(one, -1 * factor), 4 * factor) for one in present)
    return min(max(sum(present), 0), 6 * factor)


def adds(value, values, linf):
    """What a unit with these rows adds to one partition, after Linf."""
    name, _, factor = value.partition(":")
    part = min(1, linf / len(values))
    match name:
        case "units":
            return 1
        case "rows":
            return len(values) * part
        case "spent":
            return clipped(value, values, (0.5, 1, 2)[int(factor)], True) * part
        case "total":
            return clipped(value, values, (0.5, 1, 2)[int(factor)], False)


def enumerated(value, l0, linf):
    """Mean and variance of each partition, over all ways to keep partitions of each unit."""
    mean, variance = defaultdict(float), defaultdict(float)
    for places in contributions_of(ROWS).values():
        ways = list(combinations(places, min(l0, len(places))))
        for place, values in places.items():
            kept = [adds(value, values, linf) if place in way else 0 for way in ways]
            mean[place] += fmean(kept)
            variance[place] += fmean((one - fmean(kept)) ** 2 for one in kept)
    return mean, variance


def test_partitions_and_rows_are_exactly_as_enumerated():
    grid, found = model(table())
    for (number, value), places in found.items():
        if value == "weight":
            continue
        bounds = grid.points[number]
        mean, variance = enumerated(value, *bounds.l0_linf)
        whole, _ = enumerated(value, 99, 99)
        within, _ = enumerated(value, 99, bounds.max_contributions_per_partition)
        for place, kept in places.items():
            expected = Kept(whole[place], within[place], mean[place], variance[place])
            for name in ("whole", "within", "expected", "variance"):
                assert getattr(kept, name) == pytest.approx(
                    getattr(expected, name), rel=1e-9, abs=1e-9
                ), (bounds, value, place, name)


def engine_means(of, bounds, guarantee, keys):
    """Means and variances of what the engine keeps, over keys: {(value, place): (mean, var)}."""
    values = {UNIT_COUNT: (1.0, UNITS, 1.0), ROW_COUNT: (1.0, "rows", 1.0)}
    for number, factor in enumerate((0.5, 1, 2)):
        values[f"spent:{number}"] = (factor, "spent", 0.5)
        values[f"total:{number}"] = (factor, "total", 0.5)
    if isinstance(of.partitions, PrivateSelection) and of.partitions.strategy.startswith("w"):
        values["weight"] = (1.0, WEIGHT, 2.0**-20)
    drawn = defaultdict(list)
    for factor in (0.5, 1, 2):
        scaled = with_clips(
            type(of)("place", of.metrics, bounds, of.partitions),
            {"spent": factor, "total": factor},
        )
        (plan,) = plan_tables({"t": scaled}, Budget(1.0, 1e-6), guarantee)
        for key in keys:
            partials = exact_partials(ROWS.to_arrow(), ("user",), plan, key)
            for value, (of_factor, column, step) in values.items():
                if of_factor == factor:
                    at = dict(zip(partials["place"], partials[column] * step, strict=True))
                    for place in "vwxyz":
                        drawn[value, place].append(at.get(place, 0.0))
    return {name: (np.mean(found), np.var(found)) for name, found in drawn.items()}


MANY_KEYS = [HashKey(f"one of many keys, number {number}".encode()) for number in range(150)]


@pytest.mark.parametrize(
    "bounds",
    [Bounds(1, 2), Bounds(3, 5), *(Bounds(max_contributions=l1) for l1 in (1, 3, 5))],
    ids=str,
)
def test_the_engine_keeps_what_the_model_expects(bounds):
    """Over 150 fixed keys, means differ from expectations by at most five standard errors.

    Granules are 0.5, so that rounding moves a unit's sum by a quarter at most.
    """
    of = table(bounds, partitions=PrivateSelection("weighted_gaussian"))
    grid, found = model(of)
    number = grid.points.index(bounds)
    engine = engine_means(of, bounds, Guarantee(), MANY_KEYS)
    approximate = bounds.max_contributions is not None
    for (value, place), (mean, _) in engine.items():
        kept = found[number, value][place]
        allowed = 5 * math.sqrt(kept.variance / len(MANY_KEYS)) + 1e-6
        allowed += 0.25 * 3 if value.startswith("spent") else 0
        allowed += 0.12 * abs(kept.whole) if approximate else 0
        assert abs(mean - kept.expected) <= allowed, (value, place, mean, kept)
    for value in (UNIT_COUNT, ROW_COUNT, "total:1"):
        ratios = [
            engine[value, place][1] / found[number, value][place].variance
            for place in "xyz"
            if found[number, value][place].variance > 0.05
        ]
        assert all(0.5 < ratio < 2 for ratio in ratios), (value, ratios)


def test_where_only_rows_of_a_partition_are_protected_there_is_no_loss_to_l0():
    grid, found = model(
        table(Bounds(1, 2), partitions=PrivateSelection("laplace")),
        Guarantee(bounding="unit_partition"),
    )
    assert grid.l0s == ()
    assert {bounds.max_contributions_per_partition for bounds in grid.points} == {1, 2, 5}
    for (number, value), places in found.items():
        if value == "weight":
            continue
        mean, _ = enumerated(value, 99, grid.points[number].max_contributions_per_partition)
        for place, kept in places.items():
            assert kept.expected == pytest.approx(mean[place])
            assert kept.variance == 0


def test_where_single_rows_are_protected_only_clips_take_away():
    metrics = {name: METRICS[name] for name in ("rows", "spent")}
    of = table(Bounds(), metrics, PrivateSelection("laplace"))
    rows = ROWS.filter(pl.col("user").is_not_null())
    grid, found = model(of, Guarantee(bounding="row"), rows, ())
    assert grid.points == (Bounds(),)
    for value in ("rows", "spent:0", "spent:2"):
        mean, _ = enumerated(value, 99, 99)
        for place, kept in found[0, value].items():
            assert kept.expected == kept.whole == pytest.approx(mean[place])
