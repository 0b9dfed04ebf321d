"""Keyed hashes: who is the same unit, which partitions of a unit survive, which shard they go to.

The key is a secret of one release, the same for all workers and retries. The privacy guarantee does
not rest on it: bounding is a function of one unit's own data for every key. It stops a client from
choosing ids that overload a shard or contributions that always survive.

Identity is the text of a value, whatever the column's type: the id 7 is the same unit as an
integer, as a float (pandas makes floats of ids when one is missing) and as text. Dates and times
are their number of days or microseconds.

Identities are 128 bits of XXH3 under two secret seeds. That is no cryptographic hash: for text of
up to 240 bytes no way to make two values collide without the seeds is known to us; for longer text
there is one, so that is first replaced by its HMAC-SHA256. If two partitions did collide, they
would be bounded, selected and released as one, under the key values of either.
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

from transforms.arrays import U64Array

_MULTIPLIER: Final = np.uint64(0xD6E8FEB86659FD93)
_HALF: Final = np.uint64(32)
_BLOCK: Final = 1 << 15
_LONGEST: Final = 240


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
        """Returns the 64-bit seed for one purpose."""
        return int.from_bytes(self._derive(purpose)[:8], "little")

    def text(self, purpose: str) -> str:
        """Returns a key of 256 bits for one purpose, as text."""
        return self._derive(purpose).hex()

    def _derive(self, purpose: str) -> bytes:
        return hashlib.blake2b(purpose.encode(), key=self.secret[:64], digest_size=32).digest()


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

    Args:
        frame: One or more columns without nulls. Their order matters.
        key: Secret of the release.
        purpose: Separates the hashes of different uses.

    Returns:
        One hash per row.
    """
    texts = [_without_long(_text(column), key) for column in frame.get_columns()]
    halves = []
    for half in ("low", "high"):
        first, *others = (
            _hash_text(text, key.seed(f"{purpose}/{half}/{position}"))
            for position, text in enumerate(texts)
        )
        chained = first
        for position, hashed in enumerate(others):
            chained ^= mix(hashed ^ np.uint64(key.seed(f"{purpose}/{half}/join/{position}")))
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
    """Scrambles 64-bit numbers in place by a bijection.

    It is a xor with the upper half and an odd multiplication, twice, block by block to stay in the
    cache.

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


def _text(column: pl.Series) -> pl.Series:
    """Returns the text by which values are known; bytes stay bytes."""
    if column.dtype in (pl.String, pl.Binary):
        return column
    if column.dtype == pl.Float64:
        whole = (column == column.floor()) & (column.abs() < 2.0**63)
        integers = column.cast(pl.Int64, strict=False).cast(pl.String)
        return integers.zip_with(whole, column.cast(pl.String))
    if column.dtype.is_decimal():
        text = column.cast(pl.String)
        stripped = text.str.strip_chars_end("0").str.strip_suffix(".")
        return stripped.zip_with(text.str.contains(".", literal=True), text)
    return column.to_physical().cast(pl.String)


def _without_long(text: pl.Series, key: HashKey) -> pl.Series:
    size = text.bin.size() if text.dtype == pl.Binary else text.str.len_bytes()
    long = size > _LONGEST
    if not long.any():
        return text
    digest = plh.col("x").chash.hmac_sha256(key=key.text("long text"))
    digests = text.to_frame("x").filter(long).select(digest).to_series()
    return text.scatter(long.arg_true(), digests.cast(text.dtype))


def _hash_text(text: pl.Series, seed: int) -> U64Array:
    hashed = text.to_frame("x").select(plh.col("x").nchash.xxh3_64(seed=seed))
    return hashed.to_series().to_numpy(writable=True)
