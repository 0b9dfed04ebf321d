"""What privacy units contribute to partitions, in columns: grouping, pruning, merging.

A contribution is one (unit, partition) pair with the number of its rows, the exact totals of its
accumulators, and where sums are not enough, counts of its items. Contributions of disjoint sets of
rows merge by adding up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.arrays import Int64Array, IntArray, U64Array
from transforms.batches import DROPPED, Batch
from transforms.encode import encode
from transforms.hashing import Hash128, priorities
from transforms.items import NO_ITEM, ItemCounts
from transforms.partitions import (
    PartitionSet,
    concat_hashes,
    encode_together,
    renumber,
    unite,
)
from transforms.plan import TablePlan
from transforms.pruning import first_ranked

_PARTITION_BITS = np.uint64(32)


@dataclass(frozen=True)
class Contributions:
    """Contributions of some units to some partitions of one table.

    Attributes:
        units: Identity of each unit, u rows.
        partitions: The partitions, p of them.
        unit: Index into `units` per contribution, shape (n,).
        partition: Index into `partitions` per contribution, shape (n,).
        rows: Number of rows per contribution, shape (n,).
        sums: Per accumulator of the table, its total per contribution, shape (n,).
        items: Per source of items of the table, the items of the contributions.
    """

    units: Hash128
    partitions: PartitionSet
    unit: IntArray
    partition: IntArray
    rows: IntArray
    sums: tuple[IntArray, ...]
    items: tuple[ItemCounts, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def identities(self) -> U64Array:
        """Keyed hash of the unit and partition of each contribution, shape (n,)."""
        return priorities(self.units.low[self.unit], self.partitions.identities.low[self.partition])

    def where(self, kept: npt.NDArray[np.bool_]) -> Contributions:
        """Returns some contributions; units and partitions that none needs remain listed."""
        return Contributions(
            self.units,
            self.partitions,
            self.unit[kept],
            self.partition[kept],
            self.rows[kept],
            tuple(column[kept] for column in self.sums),
            tuple(counts.take(kept) for counts in self.items),
        )

    def compact(self) -> Contributions:
        """Drops the units and partitions that no contribution needs."""
        unit, used_units = renumber(self.unit, len(self.units))
        partition, used_partitions = renumber(self.partition, len(self.partitions))
        return Contributions(
            self.units.take(used_units),
            self.partitions.take(used_partitions).compact(),
            unit,
            partition,
            self.rows,
            self.sums,
            self.items,
        )


@dataclass(frozen=True)
class Numbering:
    """One numbering of the partitions of a table over several batches.

    Attributes:
        partitions: The partitions.
        codes: Per batch, the position in `partitions` of each of its own, and `DROPPED` last.
    """

    partitions: PartitionSet
    codes: tuple[npt.NDArray[np.uint32], ...]


def number_partitions(batches: Sequence[Batch], table: int) -> Numbering:
    """Numbers the partitions of one table over several batches."""
    partitions, positions = unite([batch.tables[table].partitions for batch in batches])
    return Numbering(
        partitions, tuple(np.append(codes, DROPPED).astype(np.uint32) for codes in positions)
    )


def group_shard(
    batches: Sequence[Batch], shard: int, numberings: Sequence[Numbering]
) -> Iterator[Contributions]:
    """Groups the rows of one unit shard into contributions.

    Args:
        batches: One or more batches.
        shard: Number of the unit shard.
        numberings: Per table, the common numbering of its partitions.

    Yields:
        Per table, one contribution per unit and partition.
    """
    spans = [batch.rows_of(shard) for batch in batches]
    hashes = concat_hashes(
        [batch.units.take(span) for batch, span in zip(batches, spans, strict=True)]
    )
    codes = encode(hashes)
    units = hashes.take(codes.examples)
    for table, numbering in enumerate(numberings):
        rows = [(batch.tables[table], span) for batch, span in zip(batches, spans, strict=True)]
        partition = np.concatenate(
            [
                renumbered[np.minimum(part.partition[span], len(renumbered) - 1)]
                for (part, span), renumbered in zip(rows, numbering.codes, strict=True)
            ]
        )
        values = {
            f"sum{position}": np.concatenate([part.values[position][span] for part, span in rows])
            for position in range(len(rows[0][0].values))
        }
        items = [
            np.concatenate([part.items[position][span] for part, span in rows])
            for position in range(len(rows[0][0].items))
        ]
        counted = partition != DROPPED
        unit = codes.codes
        if not counted.all():
            unit, partition = unit[counted], partition[counted]
            values = {name: column[counted] for name, column in values.items()}
            items = [column[counted] for column in items]
        yield _group(
            units,
            numbering.partitions,
            unit,
            partition,
            values,
            items=[_items_of_rows(unit, partition, column) for column in items],
        )


def prune(contributions: Contributions, plan: TablePlan) -> Contributions:
    """Drops what cannot count, whatever other rows of the same units hold.

    Each unit keeps its first-ranked partitions (`transforms.pruning`). Every kept contribution has
    its unit's full accumulators of the part, hence of the whole after merging.

    Args:
        contributions: At most one contribution per unit and partition.
        plan: The table.

    Returns:
        At most `plan.max_partitions` contributions per unit.
    """
    if plan.max_partitions is not None:
        keep = first_ranked(
            contributions.unit,
            contributions.partition,
            contributions.units,
            contributions.partitions.identities,
            plan.max_partitions,
        )
        contributions = contributions if keep.all() else contributions.where(keep)
    if not contributions.items:
        return contributions
    identities = contributions.identities
    items = (
        source.prune(counts, identities, plan.max_rows)
        for source, counts in zip(plan.items, contributions.items, strict=True)
    )
    return replace(contributions, items=tuple(items))


def merge(parts: Sequence[Contributions]) -> Contributions:
    """Adds up the contributions of disjoint sets of rows.

    Args:
        parts: One or more, of the same table and with the same column types.

    Returns:
        One contribution per unit and partition.
    """
    if len(parts) == 1:
        return parts[0]
    unit_codes, unit_positions = encode_together([part.units for part in parts])
    partitions, partition_positions = unite([part.partitions for part in parts])
    unit = np.concatenate(
        [codes[part.unit] for codes, part in zip(unit_positions, parts, strict=True)]
    )
    partition = np.concatenate(
        [codes[part.partition] for codes, part in zip(partition_positions, parts, strict=True)]
    )
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return _group(
        concat_hashes([part.units for part in parts]).take(unit_codes.examples),
        partitions,
        unit,
        partition,
        {
            f"sum{position}": np.concatenate([part.sums[position] for part in parts])
            for position in range(len(parts[0].sums))
        },
        np.concatenate([part.rows for part in parts]),
        [
            _items_of_contributions(
                unit,
                partition,
                [part.items[position] for part in parts],
                starts,
            )
            for position in range(len(parts[0].items))
        ],
    )


@dataclass(frozen=True)
class _PairItems:
    """Items and their counts, each with the unit and partition that it is of, shapes (m,)."""

    pair: U64Array
    item: U64Array
    count: Int64Array


def _items_of_rows(unit: IntArray, partition: IntArray, item: U64Array) -> _PairItems:
    there = item != NO_ITEM
    pair = _pairs(unit[there], partition[there])
    return _PairItems(pair, item[there], np.ones(len(pair), np.int64))


def _items_of_contributions(
    unit: IntArray, partition: IntArray, parts: Sequence[ItemCounts], starts: IntArray
) -> _PairItems:
    contribution = np.concatenate(
        [part.contribution + start for part, start in zip(parts, starts, strict=True)]
    )
    return _PairItems(
        _pairs(unit[contribution], partition[contribution]),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.count for part in parts]),
    )


def _pairs(unit: IntArray, partition: IntArray) -> U64Array:
    pair = unit.astype(np.uint64)
    pair <<= _PARTITION_BITS
    pair |= partition.astype(np.uint64)
    return pair


def _group(
    units: Hash128,
    partitions: PartitionSet,
    unit: IntArray,
    partition: IntArray,
    sums: dict[str, IntArray],
    rows: IntArray | None = None,
    items: Sequence[_PairItems] = (),
) -> Contributions:
    added = sums if rows is None else {"rows": rows, **sums}
    counted = [pl.len().cast(pl.Int64).alias("rows")] if rows is None else []
    grouped = (
        pl.DataFrame({"pair": _pairs(unit, partition), **added})
        .lazy()
        .group_by("pair")
        .agg(*counted, *(pl.col(name).cast(pl.Int64).sum() for name in added))
        .collect(engine="streaming")
    )
    pair = grouped["pair"].to_numpy()
    return Contributions(
        units,
        partitions,
        (pair >> _PARTITION_BITS).astype(np.uint32),
        pair.astype(np.uint32),
        grouped["rows"].to_numpy(),
        tuple(grouped[name].to_numpy() for name in sums),
        tuple(_by_contribution(pair, found) for found in items),
    )


def _by_contribution(pair: U64Array, found: _PairItems) -> ItemCounts:
    order = np.argsort(pair)
    position = order[np.searchsorted(pair[order], found.pair)]
    return ItemCounts.group(position, found.item, found.count)
