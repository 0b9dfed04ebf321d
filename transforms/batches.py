"""Rows in columns of numbers: privacy units as hashes, partitions as codes, values as granules.

A batch is sorted by unit shard, so that each shard of many batches can be aggregated by itself,
small enough for the processor's cache (radix-partitioned aggregation: S. Manegold, P. Boncz and
M. Kersten, *Optimizing main-memory join on modern hardware*, 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.encode import encode
from transforms.hashing import Hash128, HashKey, hash_rows
from transforms.partitions import PartitionSet, hash_keys
from transforms.plan import TablePlan
from transforms.rows import granules, without_nulls

DROPPED = np.uint32(2**32 - 1)
"""Partition code of a row that does not count in a table."""


@dataclass(frozen=True)
class TableRows:
    """What one table sees of a batch of n rows.

    Attributes:
        partitions: The partitions in the batch.
        partition: Index into `partitions` per row, or `DROPPED`, shape (n,).
        values: Per sum metric, the granules of each row, shape (n,).
    """

    partitions: PartitionSet
    partition: npt.NDArray[np.uint32]
    values: tuple[npt.NDArray[np.int32], ...]


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
    def size(self) -> int:
        """Bytes of memory, about."""
        return sum(
            16 * len(self.units) // max(1, len(self.tables))
            + table.partition.nbytes
            + sum(column.nbytes for column in table.values)
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
        unit: Privacy unit columns.
        plans: The tables.
        key: Secret of the release.
        shards: Number of unit shards.

    Returns:
        The batch. A row counts in a table when it has all its keys and, with public partitions,
        is in one of them.
    """
    units = hash_rows(frame.select(unit), key, "unit")
    shard = (units.high % np.uint64(shards)).astype(np.uint16)
    order = np.argsort(shard, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(shard, minlength=shards))])
    tables = (_table_rows(frame, plan, key) for plan in plans)
    return Batch(
        units.take(order),
        tuple(
            TableRows(
                rows.partitions,
                rows.partition[order],
                tuple(column[order] for column in rows.values),
            )
            for rows in tables
        ),
        starts,
    )


def _table_rows(frame: pl.DataFrame, plan: TablePlan, key: HashKey) -> TableRows:
    keys = frame.select(plan.keys)
    if plan.public_keys is not None:
        keys = keys.cast(dict(plan.public_keys.schema), strict=False)
    complete = without_nulls(keys, plan.keys)
    identities = hash_keys(complete, key)
    codes = encode(identities)
    partitions = PartitionSet(complete, codes.examples, identities.take(codes.examples)).compact()
    partition = codes.codes.astype(np.uint32)
    if plan.public_keys is not None:
        public = _is_public(partitions.keys, plan.public_keys)
        partition = np.where(public, np.arange(len(public), dtype=np.uint32), DROPPED)[partition]
    if complete.height < keys.height:
        in_complete = partition
        partition = np.full(keys.height, DROPPED)
        partition[keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()] = (
            in_complete
        )
    values = frame.select(
        granules(metric).alias(f"sum{position}") for position, metric in enumerate(plan.sums)
    )
    return TableRows(
        partitions, partition, tuple(column.to_numpy() for column in values.get_columns())
    )


def _is_public(partitions: pl.DataFrame, public: pl.DataFrame) -> npt.NDArray[np.bool_]:
    marked = partitions.join(
        public.with_columns(pl.lit(True).alias("public:")),
        on=partitions.columns,
        how="left",
        maintain_order="left",
    )
    return marked["public:"].fill_null(False).to_numpy()
