"""Keyed hashes: who is the same unit, which partitions of a unit survive, which shard they go to.

The key is a secret of one release, the same for all workers and retries. The privacy guarantee does
not rest on it: bounding is a function of one unit's own data for every key. It stops a client from
choosing ids that overload a shard or contributions that always survive.

Identity is 128 bits wide. Adding one unit with L0 partitions to a data set of N partitions merges
two partitions with probability at most L0 * N / 2^128 over the key, below 1e-24 for a trillion.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh

U64Array = npt.NDArray[np.uint64]

_MULTIPLIER: Final = np.uint64(0xD6E8FEB86659FD93)
_HALF: Final = np.uint64(32)
_BLOCK: Final = 1 << 15


@dataclass(frozen=True)
class HashKey:
    """Secret of one release from which every hash seed is derived.

    Attributes:
        secret: At least 16 random bytes.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise ValueError(f"the hash key has {len(self.secret)} bytes; allowed: 16 or more")

    @classmethod
    def draw(cls) -> HashKey:
        """Returns a new key from the operating system's secure generator."""
        return cls(secrets.token_bytes(32))

    def seed(self, purpose: str) -> int:
        """Returns the 64-bit seed for one purpose (BLAKE2b keyed with the secret)."""
        digest = hashlib.blake2b(purpose.encode(), key=self.secret[:64], digest_size=8).digest()
        return int.from_bytes(digest, "little")


@dataclass(frozen=True)
class Hash128:
    """128-bit hashes of rows, as two columns.

    Attributes:
        low: Lower halves, shape (n,).
        high: Upper halves, shape (n,).
    """

    low: U64Array
    high: U64Array

    def __len__(self) -> int:
        return len(self.low)

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_] | slice) -> Hash128:
        """Returns the hashes of the rows at the given positions, or where a mask is true."""
        return Hash128(self.low[rows], self.high[rows])


def hash_rows(frame: pl.DataFrame, key: HashKey, purpose: str) -> Hash128:
    """Hashes each row of a frame of canonical columns (`transforms.rows`).

    Text and bytes are hashed with seeded XXH3; the 64 bits of other values are mixed with the
    seed. A whole number has one hash, whether it comes as an integer or as a float: a unit is the
    same unit in a file whose id column was turned to floats by missing values. Columns are
    chained, so their order matters.

    Args:
        frame: One or more columns without nulls.
        key: Secret of the release.
        purpose: Separates the hashes of different uses.

    Returns:
        One hash per row.
    """
    halves = []
    for half in ("low", "high"):
        first, *others = frame.get_columns()
        chained = _hash_column(first, key.seed(f"{purpose}/{half}/0"))
        for position, column in enumerate(others, 1):
            chained ^= _hash_column(column, key.seed(f"{purpose}/{half}/{position}"))
            chained = mix(chained)
        halves.append(chained)
    return Hash128(*halves)


def priorities(units: U64Array, partitions: U64Array) -> U64Array:
    """Returns the keyed pseudo-random rank of each (unit, partition) pair.

    Args:
        units: Lower hash halves of the units, shape (n,).
        partitions: Lower hash halves of the partitions, shape (n,).

    Returns:
        One number per pair, shape (n,), a function of the pair alone.
    """
    return mix(units ^ mix(partitions * _MULTIPLIER))


def mix(values: U64Array) -> U64Array:
    """Scrambles 64-bit numbers in place by a bijection with full avalanche.

    It is the finaliser "rrmxmx" family's xorshift-multiply step, applied twice (D. Lemire and
    P. Evensen, *Better, stronger mixer*, 2018), block by block to stay in the cache.

    Args:
        values: Numbers to overwrite, shape (n,).

    Returns:
        The same array.
    """
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        block ^= block >> _HALF
        block *= _MULTIPLIER
        block ^= block >> _HALF
        block *= _MULTIPLIER
        block ^= block >> _HALF
    return values


def _hash_column(column: pl.Series, seed: int) -> U64Array:
    if column.dtype.is_decimal():
        column = column.cast(pl.String)
    if column.dtype in (pl.String, pl.Binary):
        hashed = column.to_frame("x").select(plh.col("x").nchash.xxh3_64(seed=seed))
        return hashed.to_series().to_numpy(writable=True)
    if column.dtype == pl.Float64:
        return mix(_number_bits(column.to_numpy()) ^ np.uint64(seed))
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Int64)
    bits = column.to_physical().cast(pl.Int64) if column.dtype == pl.Date else column.to_physical()
    return mix(bits.to_numpy().view(np.uint64) ^ np.uint64(seed))


def _number_bits(values: npt.NDArray[np.float64]) -> U64Array:
    """Returns the bits of floats, and for whole numbers the bits of the integer."""
    whole = (values == np.floor(values)) & (np.abs(values) < 2.0**63)
    bits = values.view(np.uint64).copy()
    bits[whole] = values[whole].astype(np.int64).view(np.uint64)
    return bits
