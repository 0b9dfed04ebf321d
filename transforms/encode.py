"""Dense codes: replaces rows' 128-bit identities by the numbers 0, 1, 2, ..."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.hashing import Hash128


@dataclass(frozen=True)
class Codes:
    """A dictionary encoding of rows.

    Attributes:
        codes: Code of each row, shape (n,).
        first: Row in which each code first occurs, shape (m,).
    """

    codes: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]


def encode(hashes: Hash128) -> Codes:
    """Gives equal hashes equal codes, in order of first occurrence.

    The lower halves are encoded; the upper halves then show whether two identities share a lower
    half, in which case whole identities are encoded.

    Args:
        hashes: Identity of each row, shape (n,).

    Returns:
        The codes.
    """
    codes = _dictionary_codes(pa.array(hashes.low))
    first = _first_occurrences(codes)
    if not np.array_equal(hashes.high[first][codes], hashes.high):
        pairs = np.stack([hashes.low, hashes.high], axis=1)
        whole = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), len(pairs), [None, pa.py_buffer(pairs)]
        )
        codes = _dictionary_codes(whole)
        first = _first_occurrences(codes)
    return Codes(codes, first)


def _dictionary_codes(values: pa.Array) -> npt.NDArray[np.int32]:
    return values.dictionary_encode().indices.to_numpy(zero_copy_only=False)


def _first_occurrences(codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    first = np.empty(codes.max(initial=-1) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first
