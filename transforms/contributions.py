"""What privacy units contribute to partitions, in columns: pre-aggregation, pruning, merging.

A contribution is one (unit, partition) pair with its accumulators: the number of rows and, per sum,
the exact total in granules. Contributions of disjoint sets of rows merge by adding up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.encode import Codes, encode
from transforms.hashing import Hash128, HashKey, hash_rows, priorities
from transforms.plan import TablePlan
from transforms.rows import granules, without_nulls

Int64Array = npt.NDArray[np.int64]

_PARTITION_BITS = np.uint64(32)
_PARTITION_MASK = np.uint64(2**32 - 1)


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
    unit: npt.NDArray[np.integer]
    partition: npt.NDArray[np.integer]
    rows: npt.NDArray[np.integer]
    sums: tuple[npt.NDArray[np.integer], ...]

    def __len__(self) -> int:
        return len(self.rows)


def encode_units(frame: pl.DataFrame, unit: Sequence[str], key: HashKey) -> tuple[Codes, Hash128]:
    """Encodes the privacy unit of each row, once for all tables.

    Args:
        frame: Canonical rows without nulls in the unit columns, n of them.
        unit: Privacy unit columns.
        key: Secret of the release.

    Returns:
        The codes of the rows, and the identity of each code.
    """
    hashes = hash_rows(frame.select(unit), key, "unit")
    codes = encode(hashes)
    return codes, hashes.take(codes.first)


def pre_aggregate(
    frame: pl.DataFrame, unit: Int64Array, units: Hash128, plan: TablePlan, key: HashKey
) -> Contributions:
    """Groups rows into contributions to one table.

    Rows without a key value, or outside the public partitions, are dropped. With public partitions
    the keys take the types of the public list.

    Args:
        frame: Canonical rows, n of them.
        unit: Index into `units` per row, shape (n,).
        units: Identity of each unit.
        plan: The table.
        key: Secret of the release.

    Returns:
        One contribution per unit and partition.
    """
    frame = frame.with_columns(pl.Series("unit:", unit, pl.Int64))
    if plan.public_keys is not None:
        frame = frame.cast(dict(plan.public_keys.schema), strict=False)
    frame = without_nulls(frame, plan.keys)
    keys = frame.select(plan.keys)
    codes = encode(hash_rows(keys, key, "partition"))
    partitions = keys[codes.first]
    if plan.public_keys is not None:
        public = _is_public(partitions, plan.public_keys)[codes.codes]
        frame, rows_partition = frame.filter(public), codes.codes[public]
    else:
        rows_partition = codes.codes
    values = frame.select(
        granules(metric).alias(f"sum{position}") for position, metric in enumerate(plan.sums)
    )
    return _group(units, partitions, frame["unit:"].to_numpy(), rows_partition, None, values)


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
    if not crowded.any():
        return contributions
    rows = np.flatnonzero(crowded)
    unit, partition = contributions.unit[rows], contributions.partition[rows]
    identities = hash_rows(contributions.partitions, key, "partition")
    ranked = pl.DataFrame(
        {
            "unit": unit,
            "priority": priorities(contributions.units.low[unit], identities.low[partition]),
            "tie": identities.high[partition],
            "row": rows,
        }
    ).sort("unit", "priority", "tie")
    keep = ~crowded
    keep[ranked["row"].to_numpy()[_position_in_run(ranked["unit"].to_numpy()) < max_partitions]] = (
        True
    )
    return take(contributions, keep)


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
    units = Hash128(
        np.concatenate([part.units.low for part in parts]),
        np.concatenate([part.units.high for part in parts]),
    )
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
        np.concatenate([part.rows.astype(np.int64, copy=False) for part in parts]),
        pl.DataFrame(
            {
                f"sum{position}": np.concatenate(
                    [part.sums[position].astype(np.int64, copy=False) for part in parts]
                )
                for position in range(len(parts[0].sums))
            }
        ),
    )


def take(
    contributions: Contributions, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]
) -> Contributions:
    """Returns some contributions; units and partitions that none of them needs remain listed."""
    return Contributions(
        contributions.units,
        contributions.partitions,
        contributions.unit[rows],
        contributions.partition[rows],
        contributions.rows[rows],
        tuple(column[rows] for column in contributions.sums),
    )


def compact(contributions: Contributions) -> Contributions:
    """Drops the units and partitions that no contribution needs."""
    unit, used_units = _renumber(contributions.unit, len(contributions.units))
    partition, used = _renumber(contributions.partition, contributions.partitions.height)
    return Contributions(
        contributions.units.take(used_units),
        contributions.partitions.filter(used),
        unit,
        partition,
        contributions.rows,
        contributions.sums,
    )


def by_unit_shard(contributions: Contributions, shards: int) -> dict[int, Contributions]:
    """Splits contributions so that all of one unit's are in one shard, in any process.

    Args:
        contributions: What to split.
        shards: Number of shards, at most 2^16.

    Returns:
        Compact contributions by shard number; shards without any are left out.
    """
    if not len(contributions):
        return {}
    shard = (contributions.units.high % np.uint64(shards)).astype(np.uint16)[contributions.unit]
    return {
        int(number): compact(take(contributions, np.flatnonzero(shard == number)))
        for number in np.flatnonzero(np.bincount(shard, minlength=shards))
    }


def _is_public(partitions: pl.DataFrame, public: pl.DataFrame) -> npt.NDArray[np.bool_]:
    marked = partitions.join(
        public.with_columns(pl.lit(True).alias("public:")),
        on=partitions.columns,
        how="left",
        maintain_order="left",
    )
    return marked["public:"].fill_null(False).to_numpy()


def _group(
    units: Hash128,
    partitions: pl.DataFrame,
    unit: npt.NDArray[np.integer],
    partition: npt.NDArray[np.integer],
    rows: Int64Array | None,
    sums: pl.DataFrame,
) -> Contributions:
    pair = (unit.astype(np.uint64) << _PARTITION_BITS) | partition.astype(np.uint64)
    counted = pl.len().cast(pl.Int64) if rows is None else pl.col("rows").sum()
    extra = [] if rows is None else [pl.Series("rows", rows)]
    grouped = (
        sums.with_columns(pl.Series("pair", pair), *extra)
        .lazy()
        .group_by("pair")
        .agg(counted.alias("rows"), *(pl.col(name).sum() for name in sums.columns))
        .collect(engine="streaming")
    )
    pair = grouped["pair"].to_numpy()
    return Contributions(
        units,
        partitions,
        (pair >> _PARTITION_BITS).astype(np.uint32),
        (pair & _PARTITION_MASK).astype(np.uint32),
        grouped["rows"].to_numpy(),
        tuple(grouped[name].to_numpy() for name in sums.columns),
    )


def _translate(
    codes: Codes, columns: Sequence[npt.NDArray[np.integer]], sizes: Sequence[int]
) -> Int64Array:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.concatenate(
        [codes.codes[start : start + size][column]
         for column, start, size in zip(columns, starts, sizes, strict=True)]
    )


def _renumber(
    index: npt.NDArray[np.integer], size: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    used = np.zeros(size, np.bool_)
    used[index] = True
    return (np.cumsum(used, dtype=np.uint32) - np.uint32(1))[index], used


def _position_in_run(sorted_values: npt.NDArray[np.integer]) -> Int64Array:
    starts = np.flatnonzero(np.diff(sorted_values, prepend=sorted_values[:1] + 1))
    lengths = np.diff(starts, append=len(sorted_values))
    return np.arange(len(sorted_values)) - np.repeat(starts, lengths)
