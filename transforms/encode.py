"""Dense codes: replaces rows' 128-bit identities by the numbers 0, 1, 2, ..."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.hashing import Hash128


@dataclass(frozen=True)
class Codes:
    """A dictionary encoding of n rows with m distinct identities.

    Attributes:
        codes: Code of each row, shape (n,).
        examples: A row of each code, shape (m,).
    """

    codes: npt.NDArray[np.int32]
    examples: npt.NDArray[np.int64]


def encode_numbers(numbers: npt.NDArray[np.uint64]) -> Codes:
    """Gives equal numbers equal codes, in the order of the numbers, shape (n,)."""
    order = np.argsort(numbers)
    in_order = numbers[order]
    return _codes(order, np.concatenate([[True], in_order[1:] != in_order[:-1]])[: len(order)])


def encode(hashes: Hash128) -> Codes:
    """Gives equal hashes equal codes, in the order of the hashes.

    Rows are sorted by their lower halves only, unless two identities share one.

    Args:
        hashes: Identity of each row, shape (n,).

    Returns:
        The codes.
    """
    order = np.argsort(hashes.low)
    new, same_low = _boundaries(hashes, order)
    if (new & same_low).any():
        order = np.lexsort((hashes.high, hashes.low))
        new, _ = _boundaries(hashes, order)
    return _codes(order, new)


def _codes(order: npt.NDArray[np.int64], new: npt.NDArray[np.bool_]) -> Codes:
    codes = np.empty(len(order), np.int32)
    codes[order] = np.cumsum(new, dtype=np.int32) - np.int32(1)
    return Codes(codes, order[new])


def _boundaries(
    hashes: Hash128, order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Compares each row with the one before it in an order.

    Returns:
        Whether the hashes differ, and whether the lower halves are the same, shapes (n,).
    """
    low, high = hashes.low[order], hashes.high[order]
    new = np.ones(len(order), np.bool_)
    same_low = np.zeros(len(order), np.bool_)
    np.equal(low[1:], low[:-1], out=same_low[1:])
    np.not_equal(high[1:], high[:-1], out=new[1:])
    new[1:] |= ~same_low[1:]
    return new, same_low
