"""What privacy units contribute to partitions, in columns: grouping, pruning, merging.

A contribution is one (unit, partition) pair with its accumulators: the number of rows and, per sum,
the exact total in granules. Contributions of disjoint sets of rows merge by adding up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.arrays import IntArray
from transforms.batches import DROPPED, Batch
from transforms.encode import encode
from transforms.hashing import Hash128
from transforms.partitions import (
    PartitionSet,
    concat_hashes,
    encode_together,
    renumber,
    unite,
)
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
        sums: Per sum metric of the table, total in granules per contribution, shape (n,).
    """

    units: Hash128
    partitions: PartitionSet
    unit: IntArray
    partition: IntArray
    rows: IntArray
    sums: tuple[IntArray, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: IntArray | npt.NDArray[np.bool_]) -> Contributions:
        """Returns some contributions; units and partitions that none needs remain listed."""
        return Contributions(
            self.units,
            self.partitions,
            self.unit[rows],
            self.partition[rows],
            self.rows[rows],
            tuple(column[rows] for column in self.sums),
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
        counted = partition != DROPPED
        unit = codes.codes
        if not counted.all():
            unit, partition = unit[counted], partition[counted]
            values = {name: column[counted] for name, column in values.items()}
        yield _group(units, numbering.partitions, unit, partition, values)


def prune(contributions: Contributions, max_partitions: int) -> Contributions:
    """Keeps the contributions of each unit to its first-ranked partitions (`transforms.pruning`).

    Every kept contribution has its unit's full accumulators of the part, hence of the whole after
    merging.

    Args:
        contributions: At most one contribution per unit and partition.
        max_partitions: L0.

    Returns:
        At most `max_partitions` contributions per unit.
    """
    keep = first_ranked(
        contributions.unit,
        contributions.partition,
        contributions.units,
        contributions.partitions.identities,
        max_partitions,
    )
    return contributions if keep.all() else contributions.take(keep)


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
    return _group(
        concat_hashes([part.units for part in parts]).take(unit_codes.examples),
        partitions,
        np.concatenate(
            [codes[part.unit] for codes, part in zip(unit_positions, parts, strict=True)]
        ),
        np.concatenate(
            [codes[part.partition] for codes, part in zip(partition_positions, parts, strict=True)]
        ),
        {
            f"sum{position}": np.concatenate([part.sums[position] for part in parts])
            for position in range(len(parts[0].sums))
        },
        np.concatenate([part.rows for part in parts]),
    )


def _group(
    units: Hash128,
    partitions: PartitionSet,
    unit: IntArray,
    partition: IntArray,
    sums: dict[str, IntArray],
    rows: IntArray | None = None,
) -> Contributions:
    pair = unit.astype(np.uint64)
    pair <<= _PARTITION_BITS
    pair |= partition.astype(np.uint64)
    added = sums if rows is None else {"rows": rows, **sums}
    counted = [pl.len().cast(pl.Int64).alias("rows")] if rows is None else []
    grouped = (
        pl.DataFrame({"pair": pair, **added})
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
    )
