"""The stages of tuning on one worker, without Beam.

The first half is that of a release (`transforms.stages`): rows become contributions, which are
brought together by unit shard. But nothing is pruned, as it is to be known what pruning would take
away. From there each shard of units becomes sums by partition, each shard of partitions becomes
totals of the table, and these are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.arrays import FloatArray
from transforms.bounds import Bounds, Guarantee
from transforms.contributions import Contributions, merge
from transforms.encode import encode
from transforms.hashing import HashKey, mix
from transforms.mechanisms import AdditiveMechanism
from transforms.metrics import Sum
from transforms.partitions import concat_keys, hash_keys
from transforms.plan import MetricPlan, TablePlan
from transforms.pruning import first_ranked
from transforms.stages import Engine
from transforms.tuning.errors import (
    ROWS,
    TOTALS_SCHEMA,
    UNITS,
    add_totals,
    losses_of,
    scaled_by_rows,
    table_totals,
    value_name,
)
from transforms.tuning.grid import ScaledSum, TableGrid
from transforms.tuning.histograms import (
    CELLS,
    HistogramBins,
    exact_histograms,
    noisy_histograms,
    sum_histogram,
    value_bin,
)
from transforms.tuning.loss import CELL, Pairs, has_pairs
from transforms.tuning.planned import PlannedGrid
from transforms.wire import pack_frame, unpack_contributions, unpack_frame

FEW = 64
"""Pairs of a partition in a shard of units up to which they travel as they are, not as cells."""

_TO_ONE = 2.0**-53


@dataclass(frozen=True)
class TuningTable:
    """What all workers know of one table.

    Attributes:
        plan: Its keys and what is added up of each row; its bounds prune nothing.
        grid: What is tried.
        planned: The noise of what is tried; None where only histograms are drawn.
        noise: The noise of each histogram; None where exact errors are found.
    """

    plan: TablePlan
    grid: TableGrid
    planned: PlannedGrid | None = None
    noise: Mapping[str, AdditiveMechanism] | None = None

    @classmethod
    def of(
        cls,
        table: TablePlan,
        grid: TableGrid,
        planned: PlannedGrid | None = None,
        noise: Mapping[str, AdditiveMechanism] | None = None,
    ) -> TuningTable:
        """Returns what workers need to tune a planned table."""
        sums = {
            f"{one.name}:{number}": side
            for one in grid.sums
            for number, side in enumerate(side for pair in _sides(one) for side in pair)
        }
        metrics = tuple(MetricPlan(name, metric, ()) for name, metric in sums.items())
        rows = table.guarantee.bounding == "row"
        guarantee = Guarantee(bounding="row" if rows else "unit_partition")
        plan = TablePlan(
            table.name, table.keys, Bounds(), metrics, None, table.public_keys, guarantee
        )
        return cls(plan, grid, planned, noise)


@dataclass(frozen=True)
class TuningEngine:
    """What all workers of one tuning agree on.

    Attributes:
        engine: The first half of a release; it also says how many shards there are.
        tables: The tables, in the order of the engine's plans.
    """

    engine: Engine
    tables: tuple[TuningTable, ...]

    @classmethod
    def of(
        cls, unit: tuple[str, ...], tables: Sequence[TuningTable], key: HashKey, shards: int
    ) -> TuningEngine:
        """Returns the engine for some tables; there are as many shards of units as of others."""
        plans = tuple(table.plan for table in tables)
        return cls(Engine(unit, plans, key, shards, shards), tuple(tables))

    def sum_units(self, shard_key: int, packed: Iterable[bytes]) -> list[tuple[int, bytes]]:
        """Turns all contributions of the units of one shard into sums by partition.

        Args:
            shard_key: Table and unit shard.
            packed: Everything that the first half made for that key.

        Returns:
            Packed sums, keyed by table and partition shard.
        """
        number = shard_key // self.engine.unit_shards
        table, key = self.tables[number], self.engine.key
        together = merge([unpack_contributions(part, key) for part in packed])
        if table.noise is not None:
            summed = [unit_bins(together, table.grid)]
        else:
            pairs = unit_pairs(together, table.grid)
            crowded = (np.bincount(pairs.partition) > FEW)[pairs.partition]
            cells = losses_of(table.grid).cells(pairs.where(crowded), scaled_by_rows(table.grid))
            summed = [cells, pairs.where(~crowded).frame()]
        return [
            packed
            for frame in summed
            if frame.height
            for packed in self._shards(number, together, frame)
        ]

    def _shards(
        self, number: int, contributions: Contributions, summed: pl.DataFrame
    ) -> Iterator[tuple[int, bytes]]:
        codes = summed["partition:"].to_numpy()
        partitions = contributions.partitions.take(codes)
        shard = partitions.identities.high % np.uint64(self.engine.partition_shards)
        frame = partitions.keys.hstack(summed.drop("partition:"))
        first = number * self.engine.partition_shards
        for one in np.unique(shard):
            yield first + int(one), pack_frame(frame.filter(shard == one))

    def sum_partitions(self, shard_key: int, packed: Iterable[bytes]) -> tuple[int, bytes]:
        """Turns all sums of the partitions of one shard into totals of the table.

        Args:
            shard_key: Table and partition shard.
            packed: Everything that `sum_units` made for that key.

        Returns:
            The table's number, and its packed totals.
        """
        number = shard_key // self.engine.partition_shards
        table = self.tables[number]
        keys = list(table.plan.keys)
        parts = [unpack_frame(part) for part in packed]
        if table.noise is not None:
            return number, pack_frame(exact_histograms(concat_keys(parts), keys))
        cells = self._cells(table, parts)
        codes = encode(hash_keys(cells.select(keys), self.engine.key))
        times = np.ones(len(codes.examples))
        assert table.planned is not None
        totals = table_totals(cells, codes.codes, times, table.grid, table.planned)
        return number, pack_frame(totals)

    def _cells(self, table: TuningTable, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Adds up pairs and cells to cells, with the keys of their partitions."""
        keys = list(table.plan.keys)
        cells = [part for part in parts if not has_pairs(part)]
        few = [part for part in parts if has_pairs(part)]
        if few:
            together = concat_keys(few)
            codes = encode(hash_keys(together.select(keys), self.engine.key))
            pairs = Pairs.of(together, codes.codes)
            added = losses_of(table.grid).cells(pairs, scaled_by_rows(table.grid))
            places = codes.examples[added["partition:"].to_numpy()]
            cells.append(together.select(keys)[places].hstack(added.drop("partition:")))
        if len(cells) == 1 and few:
            return cells[0]
        return concat_keys(cells).group_by([*keys, CELL]).agg(pl.all().sum())

    def finish(self, number: int, packed: Iterable[bytes]) -> tuple[int, bytes]:
        """Adds up the totals of a table, and adds noise to histograms. Every call draws anew.

        Args:
            number: The table's number.
            packed: Everything that `sum_partitions` made for it, and nothing of others.

        Returns:
            The table's number, and its packed totals or noisy histograms.
        """
        table = self.tables[number]
        parts = [unpack_frame(part) for part in packed]
        if table.noise is None:
            return number, pack_frame(add_totals(parts))
        bins = HistogramBins.of(table.grid)
        return number, pack_frame(noisy_histograms(pl.concat(parts), bins, table.noise))

    def nothing(self) -> list[tuple[int, bytes]]:
        """Returns packed totals of no partitions for each table, so that each has some."""
        return [(number, pack_frame(_no_totals(table))) for number, table in enumerate(self.tables)]


def unit_pairs(contributions: Contributions, grid: TableGrid) -> Pairs:
    """Returns what some units contribute to partitions.

    Args:
        contributions: All contributions of the units.
        grid: What is tried.

    Returns:
        Pairs whose partition is an index into the contributions' partitions.
    """
    rows = contributions.rows.astype(np.float64)
    per_unit = np.bincount(contributions.unit).astype(np.float64)
    all_rows = np.bincount(contributions.unit, rows)
    values = {UNITS: np.ones(len(rows)), ROWS: rows}
    for one, sides in zip(grid.sums, _sums(contributions, grid), strict=True):
        for factor, (low, high) in enumerate(sides):
            values[value_name(one.name, factor)] = high + low
    return Pairs(
        contributions.partition,
        per_unit[contributions.unit],
        rows,
        all_rows.astype(np.float64)[contributions.unit],
        values,
    )


def unit_bins(contributions: Contributions, grid: TableGrid) -> pl.DataFrame:
    """Returns the bins of some units, each in one of its partitions.

    Args:
        contributions: All contributions of the units.
        grid: What is tried.

    Returns:
        `partition:`, a column for each histogram but `sizes`, and `n`, the number of units.
    """
    per_unit = np.bincount(contributions.unit)
    first = first_ranked(
        contributions.unit,
        contributions.partition,
        contributions.units,
        contributions.partitions.identities,
        1,
    )
    looked_at = contributions.where(first)
    bins = HistogramBins.of(grid)
    rows = looked_at.rows.astype(np.int64)
    columns = {CELLS: bins.cell(per_unit[looked_at.unit], rows)}
    for number, (one, sides) in enumerate(zip(grid.sums, _sums(looked_at, grid), strict=True)):
        low, high = one.sums[one.factors.index(1.0)].interval
        counted = rows if one.per_row else np.ones(len(rows))
        cut_off = [
            (above / max(high, 1e-300) + below / min(low, -1e-300)) / counted
            for below, above in sides
        ]
        keyed = mix(looked_at.identities ^ np.uint64(number + 1)) >> np.uint64(11)
        u = keyed.astype(np.float64) * _TO_ONE
        columns[sum_histogram(one.name)] = value_bin(cut_off, one.factors, u)
    frame = pl.DataFrame({"partition:": looked_at.partition, **columns})
    return frame.group_by(frame.columns).agg(pl.len().cast(pl.Int64).alias("n"))


def _sides(one: ScaledSum) -> list[list[Sum]]:
    """Returns the sums to add up for each clip of a sum: what is below 0 and what is above."""
    if not one.per_row:
        return [[one.sums[-1]]]
    sides = []
    for scaled in one.sums:
        low, high = scaled.interval
        if low < 0 < high:
            sides.append([_part(scaled, (low, 0.0)), _part(scaled, (0.0, high))])
        else:
            sides.append([scaled])
    return sides


def _part(scaled: Sum, interval: tuple[float, float]) -> Sum:
    return Sum(scaled.column, clip=interval, granularity=scaled.step)


def _sums(
    contributions: Contributions, grid: TableGrid
) -> list[list[tuple[FloatArray, FloatArray]]]:
    """Returns, for each sum and clip, what each contribution adds below and above 0."""
    accumulators = dict.fromkeys(
        accumulator
        for one in grid.sums
        for pair in _sides(one)
        for side in pair
        for accumulator in side.accumulators
    )
    columns = dict(zip(accumulators, contributions.sums, strict=True))

    def total(side: Sum) -> FloatArray:
        (accumulator,) = side.accumulators
        return columns[accumulator].astype(np.float64) * float(side.step)

    found = []
    for one in grid.sums:
        if one.per_row:
            added = [sum(map(total, pair), np.zeros(len(contributions))) for pair in _sides(one)]
            halves = [(np.minimum(both, 0.0), np.maximum(both, 0.0)) for both in added]
            for position, pair in enumerate(_sides(one)):
                if len(pair) > 1:
                    halves[position] = (total(pair[0]), total(pair[1]))
        else:
            whole = total(one.sums[-1])
            intervals = [scaled.interval for scaled in one.sums]
            halves = [
                (np.clip(whole, low, min(high, 0.0)), np.clip(whole, max(low, 0.0), high))
                for low, high in intervals
            ]
        found.append(halves)
    return found


def _no_totals(table: TuningTable) -> pl.DataFrame:
    if table.noise is not None:
        schema = {"histogram": pl.String, "bin": pl.Int64, "n": pl.Int64}
        return pl.DataFrame(schema=schema)
    return pl.DataFrame(schema=TOTALS_SCHEMA)
