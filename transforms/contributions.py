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

from transforms.batches import DROPPED, Batch
from transforms.encode import Codes, encode
from transforms.hashing import Hash128, HashKey, U64Array, hash_rows, priorities

IntArray = npt.NDArray[np.integer]
Int64Array = npt.NDArray[np.int64]

_PARTITION_BITS = np.uint64(32)


@dataclass(frozen=True)
class Contributions:
    """Contributions of some units to some partitions of one table.

    Attributes:
        units: Identity of each unit, u rows.
        partitions: Key values of each partition, p rows.
        unit: Index into `units` per contribution, shape (n,).
        partition: Index into `partitions` per contribution, shape (n,).
        rows: Number of rows per contribution, shape (n,).
        sums: Per sum metric of the table, total in granules per contribution, shape (n,).
    """

    units: Hash128
    partitions: pl.DataFrame
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
        unit, used_units = _renumber(self.unit, len(self.units))
        partition, used_partitions = _renumber(self.partition, self.partitions.height)
        return Contributions(
            self.units.take(used_units),
            self.partitions.filter(used_partitions),
            unit,
            partition,
            self.rows,
            self.sums,
        )


@dataclass(frozen=True)
class Partitions:
    """The partitions of one table over several batches.

    Attributes:
        keys: Key values of each partition.
        codes: Per batch, the index into `keys` for each of its partitions, and `DROPPED` last.
    """

    keys: pl.DataFrame
    codes: tuple[npt.NDArray[np.uint32], ...]


def number_partitions(batches: Sequence[Batch], table: int, key: HashKey) -> Partitions:
    """Gives the partitions of one table one numbering over all batches."""
    frames = [batch.tables[table].partitions for batch in batches]
    keys = pl.concat(frames)
    encoded = encode(hash_rows(keys, key, "partition"))
    ends = np.cumsum([frame.height for frame in frames])[:-1]
    return Partitions(
        keys[encoded.first],
        tuple(
            np.append(codes, DROPPED).astype(np.uint32) for codes in np.split(encoded.codes, ends)
        ),
    )


def group_shard(
    batches: Sequence[Batch], shard: int, partitions: Sequence[Partitions]
) -> Iterator[Contributions]:
    """Groups the rows of one unit shard into contributions.

    Args:
        batches: One or more batches.
        shard: Number of the unit shard.
        partitions: Per table, the common numbering of its partitions.

    Yields:
        Per table, one contribution per unit and partition.
    """
    spans = [batch.rows_of(shard) for batch in batches]
    hashes = _concat_hashes(
        [batch.units.take(span) for batch, span in zip(batches, spans, strict=True)]
    )
    codes = encode(hashes)
    units = hashes.take(codes.first)
    for table, numbering in enumerate(partitions):
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
        yield _group(units, numbering.keys, unit, partition, values)


def prune(contributions: Contributions, max_partitions: int, key: HashKey) -> Contributions:
    """Keeps the contributions of each unit to its `max_partitions` first-ranked partitions.

    The rank of a partition is a keyed hash of (unit, partition), so the kept set is a function of
    the unit's own partitions. The smallest k of a set are among the smallest k of each of its
    parts that they fall in: pruning parts, merging and pruning again keeps what pruning the whole
    keeps. Every kept contribution has its unit's full accumulators of the part, hence
    of the whole after merging.

    Args:
        contributions: At most one contribution per unit and partition.
        max_partitions: L0.
        key: Secret of the release.

    Returns:
        At most `max_partitions` contributions per unit.
    """
    per_unit = np.bincount(contributions.unit, minlength=len(contributions.units))
    crowded = (per_unit > max_partitions)[contributions.unit]
    rows = np.flatnonzero(crowded)
    if not len(rows):
        return contributions
    unit, partition = contributions.unit[rows], contributions.partition[rows]
    identities = hash_rows(contributions.partitions, key, "partition")
    rank = priorities(contributions.units.low[unit], identities.low[partition])
    order = _sort_within_units(unit, rank, identities.high[partition])
    keep = ~crowded
    keep[rows[order[_position_in_run(unit[order]) < max_partitions]]] = True
    return contributions.take(keep)


def _sort_within_units(unit: IntArray, rank: U64Array, tie_breaker: U64Array) -> Int64Array:
    """Returns the order of pairs by unit, then rank, then tie breaker.

    One sort of numbers that hold the unit and the upper bits of the rank is enough, unless two of
    them are equal.
    """
    unit_bits = np.uint64(int(unit.max()).bit_length())
    packed = rank >> unit_bits
    if unit_bits:
        packed |= unit.astype(np.uint64) << (np.uint64(64) - unit_bits)
    order = np.argsort(packed)
    in_order = packed[order]
    if (in_order[1:] == in_order[:-1]).any():
        return np.lexsort((tie_breaker, rank, unit))
    return order


def merge(parts: Sequence[Contributions], key: HashKey) -> Contributions:
    """Adds up the contributions of disjoint sets of rows.

    Args:
        parts: One or more, of the same table and with the same column types.
        key: Secret of the release.

    Returns:
        One contribution per unit and partition.
    """
    if len(parts) == 1:
        return parts[0]
    units = _concat_hashes([part.units for part in parts])
    unit_codes = encode(units)
    partitions = pl.concat([part.partitions for part in parts])
    partition_codes = encode(hash_rows(partitions, key, "partition"))
    return _group(
        units.take(unit_codes.first),
        partitions[partition_codes.first],
        _translate(unit_codes, [part.unit for part in parts], [len(part.units) for part in parts]),
        _translate(
            partition_codes,
            [part.partition for part in parts],
            [part.partitions.height for part in parts],
        ),
        {
            f"sum{position}": np.concatenate([part.sums[position] for part in parts])
            for position in range(len(parts[0].sums))
        },
        np.concatenate([part.rows for part in parts]),
    )


def _group(
    units: Hash128,
    partitions: pl.DataFrame,
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


def _concat_hashes(parts: Sequence[Hash128]) -> Hash128:
    return Hash128(
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
    )


def _translate(codes: Codes, columns: Sequence[IntArray], sizes: Sequence[int]) -> Int64Array:
    per_part = np.split(codes.codes, np.cumsum(sizes)[:-1])
    return np.concatenate(
        [renumbered[column] for renumbered, column in zip(per_part, columns, strict=True)]
    )


def _renumber(index: IntArray, size: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    used = np.zeros(size, np.bool_)
    used[index] = True
    return (np.cumsum(used, dtype=np.uint32) - np.uint32(1))[index], used


def _position_in_run(sorted_values: IntArray) -> Int64Array:
    starts = np.flatnonzero(np.diff(sorted_values, prepend=sorted_values[:1] + 1))
    lengths = np.diff(starts, append=len(sorted_values))
    return np.arange(len(sorted_values)) - np.repeat(starts, lengths)
