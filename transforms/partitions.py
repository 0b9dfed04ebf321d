"""Sets of partitions: their key values and their identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.arrays import IntArray
from transforms.encode import Codes, encode
from transforms.hashing import Hash128, HashKey, hash_rows


@dataclass(frozen=True)
class PartitionSet:
    """Some partitions of one table, p of them.

    Key values are looked up only for those partitions that are still needed in the end.

    Attributes:
        source: Frame with the key columns in which the partitions are found.
        rows: Row of each partition in `source`, shape (p,).
        identities: Hash of each partition's key values, p of them.
    """

    source: pl.DataFrame
    rows: IntArray
    identities: Hash128

    @classmethod
    def of(cls, keys: pl.DataFrame, key: HashKey) -> PartitionSet:
        """Returns the set of the partitions with the given distinct key values."""
        return cls(keys, np.arange(keys.height), hash_keys(keys, key))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def keys(self) -> pl.DataFrame:
        """Key values, one row per partition."""
        return self.source[self.rows]

    def take(self, partitions: IntArray | npt.NDArray[np.bool_]) -> PartitionSet:
        """Returns the partitions at the given positions, or where a mask is true."""
        return PartitionSet(self.source, self.rows[partitions], self.identities.take(partitions))

    def compact(self) -> PartitionSet:
        """Lets go of the rows of the source that are not needed."""
        return PartitionSet(self.keys, np.arange(len(self)), self.identities)


def hash_keys(keys: pl.DataFrame, key: HashKey) -> Hash128:
    """Returns the identity of each row of key values."""
    return hash_rows(keys, key, "partition")


def unite(sets: Sequence[PartitionSet]) -> tuple[PartitionSet, list[npt.NDArray[np.int32]]]:
    """Numbers the partitions of several sets together.

    Args:
        sets: One or more sets with the same key columns.

    Returns:
        The union, and per set the position of each of its partitions in the union.
    """
    codes, positions = encode_together([part.identities for part in sets])
    starts = np.cumsum([0, *(part.source.height for part in sets[:-1])])
    together = PartitionSet(
        concat_keys([part.source for part in sets]),
        np.concatenate([part.rows + start for part, start in zip(sets, starts, strict=True)]),
        concat_hashes([part.identities for part in sets]),
    )
    return together.take(codes.examples), positions


def concat_keys(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Returns the rows of several frames with the same columns.

    Raises:
        TypeError: A column has several types; all-null columns have none.
    """
    for name in frames[0].columns:
        types = {frame.schema[name] for frame in frames} - {pl.Null()}
        if len(types) > 1:
            raise TypeError(
                f"key column {name!r} has the types {', '.join(sorted(map(str, types)))} in "
                "different tables; allowed: one type"
            )
    return pl.concat(frames, how="vertical_relaxed")


def encode_together(parts: Sequence[Hash128]) -> tuple[Codes, list[npt.NDArray[np.int32]]]:
    """Encodes several columns of identities together.

    Args:
        parts: One or more columns.

    Returns:
        The codes of all rows, and the same split into the columns.
    """
    codes = encode(concat_hashes(parts))
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return codes, np.split(codes.codes, ends)


def concat_hashes(parts: Sequence[Hash128]) -> Hash128:
    """Returns several columns of hashes as one."""
    return Hash128(
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
    )


def renumber(index: IntArray, size: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Closes the gaps in an index.

    Args:
        index: Positions from 0 to size - 1, shape (n,).
        size: Number of positions.

    Returns:
        The new positions, and a mask of the old ones that are in use, shape (size,).
    """
    used = np.zeros(size, np.bool_)
    used[index] = True
    return (np.cumsum(used, dtype=np.uint32) - np.uint32(1))[index], used
