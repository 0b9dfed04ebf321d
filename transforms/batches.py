"""Rows in columns of numbers: privacy units as hashes, partitions as codes, values as granules.

A batch is sorted by unit shard, so that each shard of many batches can be aggregated by itself,
small enough for the processor's cache (radix-partitioned aggregation: S. Manegold, P. Boncz and
M. Kersten, *Optimizing main-memory join on modern hardware*, 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.accumulators import evaluate
from transforms.arrays import U64Array
from transforms.encode import encode, encode_numbers
from transforms.hashing import Hash128, HashKey, hash_rows
from transforms.partitions import PartitionSet, hash_keys, renumber
from transforms.plan import TablePlan
from transforms.pruning import first_ranked
from transforms.rows import as_listed, without_nulls

DROPPED = np.uint32(2**32 - 1)
"""Partition code of a row that does not count in a table."""

EXCESS = 2
"""A shard this many times larger than the average one is pruned at once."""


@dataclass(frozen=True)
class TableRows:
    """What one table sees of a batch of n rows.

    Attributes:
        partitions: The partitions in the batch.
        partition: Index into `partitions` per row, or `DROPPED`, shape (n,).
        values: Per accumulator of the table, its value for each row, shape (n,).
        items: Per source of items of the table, the item of each row, shape (n,).
    """

    partitions: PartitionSet
    partition: npt.NDArray[np.uint32]
    values: tuple[npt.NDArray[np.int32], ...]
    items: tuple[U64Array, ...]

    def take(self, rows: npt.NDArray[np.int64]) -> TableRows:
        """Returns the rows at the given positions, and the partitions that they need."""
        partition = self.partition[rows]
        counted = np.flatnonzero(partition != DROPPED)
        renumbered, used = renumber(partition[counted], len(self.partitions))
        partition[counted] = renumbered
        partitions = self.partitions if used.all() else self.partitions.take(used)
        return TableRows(
            partitions.compact(),
            partition,
            tuple(column[rows] for column in self.values),
            tuple(column[rows] for column in self.items),
        )


@dataclass(frozen=True)
class Batch:
    """Some rows of the input as all tables of a release see them, sorted by unit shard.

    Attributes:
        units: Privacy unit of each row, n of them.
        tables: One view per table.
        starts: First row of each unit shard, and n at the end, shape (shards + 1,).
    """

    units: Hash128
    tables: tuple[TableRows, ...]
    starts: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many rows count in a table."""
        return int(self.starts[-1])

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return sum(
            16 * len(self.units) // max(1, len(self.tables))
            + table.partition.nbytes
            + sum(column.nbytes for column in table.values)
            + sum(column.nbytes for column in table.items)
            + int(table.partitions.source.estimated_size())
            for table in self.tables
        )

    def rows_of(self, shard: int) -> slice:
        """Returns the positions of the rows of one unit shard."""
        return slice(int(self.starts[shard]), int(self.starts[shard + 1]))


def make_batch(
    frame: pl.DataFrame,
    unit: Sequence[str],
    plans: Sequence[TablePlan],
    key: HashKey,
    shards: int,
) -> Batch:
    """Turns canonical rows into a batch.

    Args:
        frame: Canonical rows (`transforms.rows`) without nulls in the unit columns.
        unit: Privacy unit columns; none where single rows are protected.
        plans: The tables.
        key: Secret of the release.
        shards: Number of unit shards.

    Returns:
        The batch. A row counts in a table when it has all its keys and, with public partitions,
        is in one of them.
    """
    units = hash_rows(frame.select(unit), key, "unit") if unit else _dealt(frame.height, shards)
    shard = (units.high % np.uint64(shards)).astype(np.uint16)
    tables = [
        _without_excess(
            _table_rows(frame, plan, key),
            units,
            shard,
            EXCESS * frame.height // shards,
            plan.max_partitions,
        )
        for plan in plans
    ]
    counted = np.logical_or.reduce([rows.partition != DROPPED for rows in tables])
    order = np.flatnonzero(counted)
    order = order[np.argsort(shard[order], kind="stable")]
    sizes = np.bincount(shard[order], minlength=shards)
    return Batch(
        units.take(order),
        tuple(rows.take(order) for rows in tables),
        np.concatenate([[0], np.cumsum(sizes)]),
    )


def _dealt(rows: int, shards: int) -> Hash128:
    """Deals rows to the shards in turn, where nothing depends on whose they are.

    Each shard is one unit, so that its rows in a partition are added up early.
    """
    turn = np.arange(rows, dtype=np.uint64) % np.uint64(shards)
    return Hash128(turn, turn)


def _table_rows(frame: pl.DataFrame, plan: TablePlan, key: HashKey) -> TableRows:
    keys = frame.select(plan.keys)
    if plan.public_keys is not None:
        keys = keys.select(
            as_listed(name, keys.schema[name], dtype)
            for name, dtype in plan.public_keys.schema.items()
        )
    complete = without_nulls(keys, plan.keys)
    identities = hash_keys(complete, key)
    codes = encode(identities)
    partitions = PartitionSet(complete, codes.examples, identities.take(codes.examples))
    partition = codes.codes.astype(np.uint32)
    if plan.public_keys is not None:
        public = plan.public_keys.contains(partitions, key)
        partition = np.where(public, np.arange(len(public), dtype=np.uint32), DROPPED)[partition]
    if complete.height < keys.height:
        in_complete = partition
        partition = np.full(keys.height, DROPPED)
        partition[keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()] = (
            in_complete
        )
    return TableRows(
        partitions,
        partition,
        evaluate(plan.accumulators, frame),
        tuple(items.of_rows(frame, key) for items in plan.items),
    )


def _without_excess(
    rows: TableRows,
    units: Hash128,
    shard: npt.NDArray[np.uint16],
    usual_rows: int,
    max_partitions: int | None,
) -> TableRows:
    """Drops rows that pruning would drop anyway, in shards of more than the usual rows.

    A unit with a million partitions makes its shard large. Everybody else's rows are left for
    later, when there is more to prune at once.
    """
    if max_partitions is None:
        return rows
    partition = rows.partition.copy()
    for number in np.flatnonzero(np.bincount(shard) > usual_rows):
        crowd = np.flatnonzero((shard == number) & (partition != DROPPED))
        identities = units.take(crowd)
        codes = encode(identities)
        pair = codes.codes.astype(np.uint64) << np.uint64(32)
        pair |= partition[crowd]
        distinct = encode_numbers(pair)
        keep = first_ranked(
            codes.codes[distinct.examples],
            partition[crowd[distinct.examples]],
            identities.take(codes.examples),
            rows.partitions.identities,
            max_partitions,
        )
        partition[crowd[~keep[distinct.codes]]] = DROPPED
    return replace(rows, partition=partition)
